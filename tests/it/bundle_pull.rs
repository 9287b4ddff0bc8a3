//! `airbuoy pull`: whole bundles in every form, the same bytes every time, deltas, and what is
//! refused before a byte moves.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::airbuoy::{Airbuoy, Outcome, number, requests};
use crate::support::content::Content;
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::images::{self, HOST, VERSION, mirror_only};
use crate::support::told::assert_told;

/// The words of `airbuoy pull` that bring `images` and tiny runner images into `bundle`.
pub(crate) fn pull(images: &[&str], source: &str, bundle: &str) -> String {
    mirror_only(images, source, bundle).replacen("mirror", "pull", 1)
}

/// `image/N:v1` for each of `numbers`, of two layers each; all share the first.
pub(crate) fn numbered(numbers: &[u64]) -> Content {
    let mut content = Content::default();
    for number in numbers {
        let repository = format!("image/{number}");
        let layers = [
            content.layer(&repository, 1, 40_000),
            content.layer(&repository, 100 + number, 30_000 + number),
        ];
        let image = content.image(&repository, &repository, "linux/amd64", &layers);
        content.tag(&repository, "v1", &image);
    }
    content
}

/// Runs and gives what was said to people.
fn told(airbuoy: &Airbuoy, command: &str) -> Outcome {
    airbuoy.run(&command.replace("-o json", "--progress none"))
}

#[test]
fn a_tar_is_the_same_twice_and_then_there_is_nothing_to_do() {
    let source = Faulty::start(numbered(&[1, 2]));
    let images = ["image/1:v1", "image/2:v1"];
    let (one, two) = (Airbuoy::new(), Airbuoy::new());
    let command = pull(&images, &source.host(), "set.tar");
    let report = one.run(&command).exits(0).json();
    assert_eq!(report["files"], serde_json::json!(["set.tar"]));
    let rows = report["images"].as_array().expect("rows");
    let names: Vec<&str> = rows.iter().filter_map(|r| r["target"].as_str()).collect();
    assert!(names.contains(&"image/1:v1"), "{names:?}");
    assert!(!report.to_string().contains("bundle.invalid"), "{report}");
    two.run(&command).exits(0);
    let read = |airbuoy: &Airbuoy| fs::read(airbuoy.home().join("set.tar")).expect("a tar");
    assert!(read(&one) == read(&two), "two pulls differ");

    let before = source.log().len();
    let again = told(&one, &command).exits(0);
    assert!(
        again.stderr.contains("Nothing to do: set.tar"),
        "{}",
        again.stderr
    );
    let log = source.log();
    assert!(log[before..].iter().all(|r| r.method == "HEAD"), "{log:#?}");
    one.run("verify set.tar").exits(0);
    let left: Vec<_> = fs::read_dir(one.home()).expect("a home").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_was_written_and_what_comes_next_is_said() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    let outcome = told(&airbuoy, &format!("{command} --dry-run")).exits(0);
    assert!(outcome.stdout.contains("planned"), "{}", outcome.stdout);
    assert!(!airbuoy.home().join("set.tar").exists());
    let outcome = told(&airbuoy, &command).exits(0);
    for part in [
        "Pulled 4 images",
        "Wrote set.tar (",
        "Next: carry set.tar to the other side, then airbuoy push set.tar TARGET",
    ] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[test]
fn a_tar_of_another_version_is_not_replaced() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    airbuoy.run(&command).exits(0);
    let before = fs::read(airbuoy.home().join("set.tar")).expect("a tar");
    let requests = source.log().len();
    // The runner images of another version are at no source of this test: nothing is asked.
    let other = command.replace(VERSION, "v1.35.4");
    let outcome = told(&airbuoy, &other).exits(2);
    assert_told("pull_other_version", &airbuoy, &outcome);
    assert_eq!(source.log().len(), requests);
    let after = fs::read(airbuoy.home().join("set.tar")).expect("a tar");
    assert!(before == after);

    airbuoy.file("notes.tar", "my own notes");
    let outcome = told(&airbuoy, &command.replace("set.tar", "notes.tar")).exits(2);
    assert!(outcome.stderr.contains("notes.tar"), "{}", outcome.stderr);
    let notes = fs::read_to_string(airbuoy.home().join("notes.tar")).expect("there");
    assert_eq!(notes, "my own notes");
}

#[test]
fn an_image_that_cannot_be_fetched_leaves_the_bundle_unfinished_or_out() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1", "image/2:v1"], &source.host(), "set.tar");
    let outcome = told(&airbuoy, &command).exits(3);
    assert!(
        outcome.stderr.contains("set.tar is not finished"),
        "{}",
        outcome.stderr
    );
    assert!(!airbuoy.home().join("set.tar").exists());
    let report = airbuoy
        .run(&format!("{command} --keep-going"))
        .exits(3)
        .json();
    assert_eq!(report["files"], serde_json::json!(["set.tar"]));
    airbuoy.run("verify set.tar").exits(0);
    let listed = airbuoy.run("bundle ls set.tar -o json").exits(0).json();
    let text = listed.to_string();
    assert!(
        text.contains("image/1:v1") && !text.contains("image/2:v1"),
        "{text}"
    );
}

#[test]
fn a_directory_is_added_to_and_only_what_is_new_is_fetched() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "set"))
        .exits(0);
    let before = source.log().len();
    let both = pull(&["image/1:v1", "image/2:v1"], &source.host(), "set");
    let report = airbuoy.run(&both).exits(0).json();
    assert_eq!(number(&report["blobs"]["transferred"]), 2, "{report}");
    let fetched: Vec<_> = source.log().split_off(before);
    let blobs = fetched.iter().filter(|r| r.is("GET", "/blobs/"));
    assert_eq!(blobs.count(), 2, "{fetched:#?}");
    airbuoy.run("verify set").exits(0);
    let report = airbuoy.run(&both).exits(0).json();
    let got = requests(&report, "source");
    assert_eq!(got.keys().collect::<Vec<_>>(), ["HEAD"]);
}

#[test]
fn two_names_of_one_manifest_go_into_a_directory() {
    let mut content = numbered(&[1]);
    let repository = content.repositories.get_mut("image/1").expect("the image");
    let digest = repository.tags["v1"].clone();
    let others: Vec<String> = (0..8).map(|number| format!("same-{number}")).collect();
    for tag in &others {
        repository.tags.insert(tag.clone(), digest.clone());
    }
    let source = Faulty::start(content);
    let airbuoy = Airbuoy::new();
    let names: Vec<String> = others.iter().map(|t| format!("image/1:{t}")).collect();
    let mut images: Vec<&str> = names.iter().map(String::as_str).collect();
    images.push("image/1:v1");
    airbuoy.run(&pull(&images, &source.host(), "set")).exits(0);
    airbuoy.run("verify set").exits(0);
}

#[test]
fn volumes_are_cut_and_read_as_one() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    let images = ["image/1:v1", "image/2:v1"];
    let whole = pull(&images, &source.host(), "whole.tar");
    airbuoy.run(&whole).exits(0);
    let cut = pull(&images, &source.host(), "set.tar") + " --split-size 50k";
    let report = airbuoy.run(&cut).exits(0).json();
    let files = report["files"].as_array().expect("files").len();
    assert!(files > 3, "{report}");
    let mut joined = Vec::new();
    for number in 1..files {
        let volume = airbuoy.home().join(format!("set.tar.{number:03}"));
        joined.extend(fs::read(volume).expect("a volume"));
    }
    let whole = fs::read(airbuoy.home().join("whole.tar")).expect("a tar");
    assert!(joined == whole, "the volumes are no slices of the tar");
    airbuoy.run("verify set.tar").exits(0);
    let again = told(&airbuoy, &cut).exits(0);
    assert!(again.stderr.contains("Nothing to do"), "{}", again.stderr);
}

#[test]
fn a_delta_carries_only_what_its_base_lacks() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    let old = pull(&["image/1:v1"], &source.host(), "old.tar");
    airbuoy.run(&old).exits(0);
    let new = pull(&["image/1:v1", "image/2:v1"], &source.host(), "new.tar");
    let report = airbuoy
        .run(&format!("{new} --base old.tar"))
        .exits(0)
        .json();
    // The config and the own layer of the second image.
    assert_eq!(number(&report["blobs"]["transferred"]), 2, "{report}");
    let (bytes, external) = (&report["bytes"], number(&report["bytes"]["external"]));
    assert!(external > 70_000, "{report}");
    assert_eq!(
        number(&bytes["transferred"]) + external,
        number(&bytes["unique"])
    );
    airbuoy.run("verify new.tar").exits(0);
    let said = told(&airbuoy, &format!("{new} --base old.tar")).exits(0);
    assert!(said.stderr.contains("Nothing to do"), "{}", said.stderr);
    let listed = airbuoy.run("bundle ls new.tar").exits(0);
    assert!(listed.stderr.contains("A delta: "), "{}", listed.stderr);
    let served = airbuoy.run("serve new.tar --listen 127.0.0.1:0").exits(4);
    assert_told("serve_delta_without_base", &airbuoy, &served);
}

#[test]
fn a_broken_download_goes_on_inside_the_blob() {
    let content = numbered(&[1]);
    let repository = &content.repositories["image/1"];
    let size = |digest: &&String| content.blobs[*digest].size;
    let largest = repository.blobs.iter().max_by_key(size).expect("a blob");
    let largest = largest.clone();
    let source = Faulty::start(content);
    source.rule(Rule::new("GET", &largest, Fault::Cut(25_000)).first(1));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    let bytes = airbuoy.run(&command).exits(0).json()["bytes"].take();
    assert_eq!(number(&bytes["transferred"]), number(&bytes["unique"]));
    assert_eq!(number(&bytes["resumed"]), 0, "one run resumes nothing");
    let ranges = source.requests("GET", &largest);
    assert!(ranges.iter().any(|r| r.range.is_some()), "{ranges:#?}");
    airbuoy.run("verify set.tar").exits(0);
}

#[test]
fn an_interrupted_pull_says_so_and_the_next_goes_on() {
    for bundle in ["set.tar", "set"] {
        let mut content = Content::default();
        let layer = content.layer("large/image", 1, 4_000_000);
        let image = content.image("large/image", "large", "linux/amd64", &[layer]);
        content.tag("large/image", "v1", &image);
        let source = Faulty::start(content);
        source.pace(1_000_000);
        let airbuoy = Airbuoy::new();
        let command = pull(&["large/image:v1"], &source.host(), bundle);
        let mut run = airbuoy.command(&command.replace("-o json", "--progress none"));
        run.stderr(Stdio::piped()).stdout(Stdio::null());
        let run = run.spawn().expect("it starts");
        // Long enough for a first second to be on the disk, short enough to be in the middle.
        std::thread::sleep(Duration::from_millis(2500));
        let mut kill = Command::new("kill");
        kill.args(["-INT", &run.id().to_string()]);
        assert!(kill.status().expect("kill").success());
        let ended = run.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{said}");
        assert!(
            said.contains("is not finished: run the same command again"),
            "{said}"
        );
        assert!(!airbuoy.home().join("set.tar").exists());

        source.heal();
        let before = source.requests("GET", "/large/image/blobs/").len();
        let bytes = airbuoy.run(&command).exits(0).json()["bytes"].take();
        let (fetched, resumed) = (number(&bytes["transferred"]), number(&bytes["resumed"]));
        assert!(resumed > 0, "{bytes}");
        let asked = source
            .requests("GET", "/large/image/blobs/")
            .split_off(before);
        let from = asked.iter().find_map(|r| r.range.as_deref());
        assert_eq!(from, Some(&*format!("bytes={resumed}-")), "{asked:#?}");
        assert!(fetched + resumed <= number(&bytes["unique"]), "{bytes}");
        airbuoy.run(&format!("verify {bundle}")).exits(0);
        let asked = source.requests("GET", "/large/image/blobs/");
        assert!(
            asked.iter().any(|r| r.range.is_some()),
            "{bundle}: {asked:#?}"
        );
    }
}

#[test]
fn a_listing_counts_own_and_shared_bytes() {
    let source = Faulty::start(images::stand_ins(&[
        "one/image:v1".to_owned(),
        "two/image:v1".to_owned(),
    ]));
    let airbuoy = Airbuoy::new();
    let both = pull(&["one/image:v1", "two/image:v1"], &source.host(), "set.tar");
    airbuoy.run(&both).exits(0);
    let listed = airbuoy.run("bundle ls set.tar -o json").exits(0).json();
    let rows = listed["images"].as_array().expect("images");
    let source = format!("{HOST}/one/image:v1");
    let one = rows.iter().find(|row| row["source"] == source.as_str());
    let one = one.expect("the image");
    assert_eq!(
        one["platforms"],
        serde_json::json!(["linux/amd64", "linux/arm64"])
    );
    assert_eq!(number(&one["shared"]), 40_000);
    assert!(number(&one["own"]) > 6_000, "{one}");
    assert_eq!(listed["versions"], serde_json::json!([VERSION]));
    let table = airbuoy.run("bundle ls set.tar").exits(0);
    assert!(table.stdout.contains("SHARED"), "{}", table.stdout);
    assert!(table.stderr.contains(VERSION), "{}", table.stderr);
}

/// Runs `command`, which is refused with `exit` and `words`, and changes nothing of `set.tar`.
fn kept(airbuoy: &Airbuoy, command: &str, exit: i32, words: &str) {
    let path = airbuoy.home().join("set.tar");
    let before = fs::read(&path).expect("a tar");
    let outcome = told(airbuoy, command).exits(exit);
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    assert!(before == fs::read(&path).expect("a tar"), "{command}");
}

#[test]
fn a_tar_that_holds_more_is_not_replaced() {
    let source = Faulty::start(numbered(&[1, 2, 3]));
    let airbuoy = Airbuoy::new();
    let of = |images: &[&str], bundle: &str| pull(images, &source.host(), bundle);
    let both = of(&["image/1:v1", "image/2:v1"], "set.tar");
    airbuoy.run(&both).exits(0);
    airbuoy.run(&of(&["image/1:v1"], "old.tar")).exits(0);

    let own = format!("{both} --base set.tar");
    kept(&airbuoy, &own, 2, "set.tar cannot be its own base");
    let delta = format!("{both} --base old.tar");
    kept(&airbuoy, &delta, 2, "blobs that --base would leave out");
    let other = of(&["image/1:v1", "image/3:v1"], "set.tar");
    kept(&airbuoy, &other, 2, "does not ask for: image/2:v1");
    let elsewhere = format!("{both} --platform linux/amd64");
    kept(
        &airbuoy,
        &elsewhere,
        2,
        "and this command would replace them by linux/amd64",
    );

    let more = of(&["image/1:v1", "image/2:v1", "image/3:v1"], "set.tar");
    source.rule(Rule::new(
        "GET",
        "/image/2/",
        Fault::Answer(404, Vec::new(), ""),
    ));
    source.rule(Rule::new(
        "HEAD",
        "/image/2/",
        Fault::Answer(404, Vec::new(), ""),
    ));
    let poorer = format!("{more} --keep-going");
    kept(&airbuoy, &poorer, 3, "set.tar stays as it was");
    source.heal();
    airbuoy.run(&more).exits(0);
    airbuoy.run("verify set.tar").exits(0);
}

#[test]
fn a_base_that_helps_nothing_is_not_called_for() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let other = serde_json::json!({"format": 1, "target": "elsewhere", "blobs": [{
        "digest": format!("sha256:{}", "0".repeat(64)),
        "size": 5,
        "repositories": ["registry.k8s.io/pause"],
    }]});
    airbuoy.file("other.json", &other.to_string());
    let command = pull(&["image/1:v1"], &source.host(), "set.tar --base other.json");
    let outcome = told(&airbuoy, &command).exits(0);
    assert!(!outcome.stderr.contains("delta"), "{}", outcome.stderr);
}

#[test]
fn a_damaged_tar_is_called_damaged() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    airbuoy.run(&command).exits(0);
    let path = airbuoy.home().join("set.tar");
    let file = fs::File::options().write(true).open(&path);
    file.expect("a tar").set_len(30_000).expect("cut");
    kept(&airbuoy, &command, 4, "damaged");
    kept(&airbuoy, &command, 4, "move it away and run this again");
}

#[test]
fn a_directory_with_links_is_not_written_through() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let home = airbuoy.home();
    for inside in ["blobs", ".airbuoy"] {
        let bundle = home.join("set");
        let elsewhere = home.join("elsewhere");
        fs::create_dir_all(&bundle).expect("a folder");
        fs::create_dir_all(&elsewhere).expect("a folder");
        fs::write(
            bundle.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .expect("written");
        std::os::unix::fs::symlink(&elsewhere, bundle.join(inside)).expect("a link");
        let refused = airbuoy
            .run(&pull(&["image/1:v1"], &source.host(), "set"))
            .exits(4);
        let named = format!("{inside} is refused: it is a link");
        assert!(refused.stderr.contains(&named), "{}", refused.stderr);
        let written = fs::read_dir(&elsewhere).expect("a folder").count();
        assert_eq!(written, 0, "{inside}");
        fs::remove_dir_all(&bundle).expect("removed");
    }
}
