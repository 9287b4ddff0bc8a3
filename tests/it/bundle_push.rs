//! `airbuoy push`: what was pulled arrives byte for byte, from every form of a bundle, and what is
//! damaged does not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bundle_pull::{numbered, pull};
use crate::support::airbuoy::{Airbuoy, number};
use crate::support::faulty::Faulty;
use crate::support::images::{self, HOST, VERSION};
use crate::support::peers::Peers;
use crate::support::push::push as fill;
use crate::support::registry::Registry;
use crate::support::skip::require;
use crate::support::told::assert_told;

#[test]
fn a_release_crosses_the_gap_in_every_form() {
    let source = require!(Registry::distribution());
    let peers = require!(Peers::find());
    let references = images::pullable("--conformance-only");
    let content = images::stand_ins(&references);
    fill(&content, &source.host());
    let mirrors = images::mirrors(&references, "http://", &source.host());
    let outside = Airbuoy::new();
    for (bundle, more) in [
        ("set", ""),
        ("set.tar", ""),
        ("cut.tar", " --split-size 100KB"),
    ] {
        let flags = format!("--kubernetes-version {VERSION} --conformance-only{mirrors}{more}");
        outside.run(&format!("pull {bundle} {flags}")).exits(0);
        outside.run(&format!("verify {bundle}")).exits(0);

        let target = require!(Registry::distribution());
        let to = format!("{}/k8s", target.host());
        let inside = Airbuoy::new();
        let path = outside.home().join(bundle);
        let command = format!("push {} {to} -o json", path.display());
        let report = inside.run(&command).exits(0).json();
        let rows = report["images"].as_array().expect("rows");
        let copied: Vec<_> = rows.iter().filter(|r| r["status"] == "copied").collect();
        assert_eq!(copied.len(), references.len(), "{bundle}: {rows:#?}");
        for row in copied {
            let reference = row["source"].as_str().expect("a source");
            let (repository, tag) = reference.rsplit_once(':').expect("a tag");
            let expected = &content.repositories[repository].tags[tag];
            let at = row["target"].as_str().expect("a target");
            assert_eq!(peers.digest(at), *expected, "{at}");
        }
        assert_eq!(
            number(&report["bytes"]["transferred"]),
            content.unique_bytes()
        );
        for name in ["custom-repo-config.yaml", "sonobuoy-run.sh"] {
            assert!(inside.home().join(name).is_file(), "{name}");
        }
        let verify = format!("verify {to} --kubernetes-version {VERSION} --conformance-only");
        inside.run(&format!("{verify} --deep")).exits(0);
        let again = inside.run(&command).exits(0).json();
        assert_eq!(number(&again["blobs"]["transferred"]), 0);
    }
}

#[test]
fn what_upstream_keeps_under_two_hosts_goes_with_each_version() {
    let versions = ["1.24", "1.25"];
    let flags = "--kubernetes-version 1.24 --kubernetes-version 1.25 --conformance-only";
    let mut references = images::pullable(flags);
    for reference in &mut references {
        *reference = reference.replace("k8s.gcr.io/", "registry.k8s.io/");
    }
    references.sort_unstable();
    references.dedup();
    let source = Faulty::start(images::stand_ins(&references));
    let (host, mirrors) = (
        source.host(),
        images::mirrors(&references, "http://", &source.host()),
    );
    let airbuoy = Airbuoy::new();
    let old = format!("--source-mirror k8s.gcr.io=http://{host}/registry.k8s.io");
    airbuoy
        .run(&format!("pull set.tar {flags}{mirrors} {old}"))
        .exits(0);
    let listed = airbuoy.run("bundle ls set.tar -o json").exits(0).json();
    let images = listed["images"].as_array().expect("images");
    let kitten = images.iter().find(|image| {
        let name = image["name"].as_str().unwrap_or_default();
        name.starts_with("e2e-test-images/kitten:")
    });
    let kitten = &kitten.expect("an image of both")["versions"];
    assert_eq!(kitten.as_array().map(Vec::len), Some(2), "{kitten}");
    for version in versions {
        let target = Faulty::empty();
        let to = format!("{}/k8s", target.host());
        let release = format!("--kubernetes-version {version}");
        let said = airbuoy
            .run(&format!("push set.tar {to} {release}"))
            .exits(0);
        let listed = airbuoy
            .run(&format!(
                "images {release} --conformance-only --to {to} -o json"
            ))
            .exits(0)
            .json();
        let rows = listed.as_array().expect("rows").iter();
        let wanted = rows.filter(|row| row["skipped"].is_null()).count();
        assert_eq!(target.tags().len(), wanted, "{version}: {}", said.stderr);
    }
}

#[test]
fn the_config_files_are_those_of_mirror() {
    let source = Faulty::start(numbered(&[1]));
    let outside = Airbuoy::new();
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    outside.run(&command).exits(0);
    let target = Faulty::empty();
    let to = format!("{}/k8s", target.host());
    for naming in ["", " --flat"] {
        let (pushed, mirrored) = (Airbuoy::new(), Airbuoy::new());
        let bundle = outside.home().join("set.tar");
        let push = format!("push {} {to}{naming}", bundle.display());
        pushed.run(&push).exits(0);
        let config = format!("config {to} --kubernetes-version {VERSION}{naming}");
        mirrored.run(&config).exits(0);
        for name in ["custom-repo-config.yaml", "sonobuoy-run.sh"] {
            let [one, two] = [&pushed, &mirrored]
                .map(|airbuoy| fs::read_to_string(airbuoy.home().join(name)).expect("a file"));
            assert_eq!(one, two, "{name}{naming}");
        }
    }
}

#[test]
fn a_push_can_be_narrowed_and_planned() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1", "image/2:v1"], &source.host(), "set.tar");
    airbuoy.run(&command).exits(0);
    let target = Faulty::empty();
    let push = format!("push set.tar {}/k8s", target.host());
    airbuoy.run(&format!("{push} --dry-run")).exits(0);
    assert_eq!(target.tags(), [""; 0]);
    airbuoy.run(&format!("{push} --include image/1")).exits(0);
    airbuoy
        .run(&format!("{push} --exclude {HOST}/image/2*"))
        .exits(0);
    let pushed = target.tags();
    assert!(pushed.contains(&"k8s/image/1:v1".to_owned()), "{pushed:?}");
    assert!(!pushed.contains(&"k8s/image/2:v1".to_owned()), "{pushed:?}");
    let refused = airbuoy
        .run(&format!("{push} --kubernetes-version 1.30"))
        .exits(2);
    assert_told("push_version_not_in_bundle", &airbuoy, &refused);
    airbuoy
        .run(&format!("{push} --kubernetes-version 1.36"))
        .exits(0);
}

#[test]
fn a_delta_needs_its_base_and_then_is_complete() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    let old = pull(&["image/1:v1"], &source.host(), "old.tar");
    airbuoy.run(&old).exits(0);
    let new = pull(
        &["image/1:v1", "image/2:v1"],
        &source.host(),
        "new.tar --base old.tar",
    );
    airbuoy.run(&new).exits(0);
    let target = require!(Registry::distribution());
    let to = format!("{}/k8s", target.host());
    let push = format!("push new.tar {to}");
    let refused = airbuoy.run(&push).exits(3);
    for part in ["lacks", "the delta leaves to its base", "nothing was sent"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert_eq!(target.tags(), [""; 0]);
    airbuoy.run(&format!("push old.tar {to}")).exits(0);
    let report = airbuoy.run(&format!("{push} -o json")).exits(0).json();
    assert_eq!(number(&report["blobs"]["transferred"]), 2, "{report}");
    let verify = format!(
        "verify {to} --deep --kubernetes-version {VERSION} --exclude *.io/* \
         --image {HOST}/image/1:v1 --image {HOST}/image/2:v1"
    );
    airbuoy.run(&verify).exits(0);
    // What the registry holds is a base as well.
    airbuoy
        .run(&format!("{verify} --inventory have.json"))
        .exits(0);
    let third = pull(
        &["image/2:v1"],
        &source.host(),
        "third.tar --base have.json",
    );
    let report = airbuoy.run(&third).exits(0).json();
    assert_eq!(number(&report["blobs"]["transferred"]), 0, "{report}");
}

/// Turns the last byte of the file that holds `needle` as its content into another.
fn damage(folder: &Path, digest: &str) {
    let path = folder
        .join("blobs/sha256")
        .join(digest.trim_start_matches("sha256:"));
    let mut bytes = fs::read(&path).expect("a blob");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&path, bytes).expect("written");
}

#[test]
fn a_damaged_layer_keeps_its_image_out_and_the_others_arrive() {
    let content = numbered(&[1, 2]);
    let own = |number: u64| -> String {
        let blobs = &content.repositories[&format!("image/{number}")].blobs;
        let is_own = |digest: &&String| content.blobs[*digest].size == 30_000 + number;
        blobs.iter().find(is_own).expect("its own layer").clone()
    };
    let source = Faulty::start(content.clone());
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1", "image/2:v1"], &source.host(), "set");
    airbuoy.run(&command).exits(0);
    damage(&airbuoy.home().join("set"), &own(2));

    let target = Faulty::empty();
    let push = format!("push set {}/k8s --progress none", target.host());
    let refused = airbuoy.run(&format!("{push} --verify-first")).exits(4);
    assert!(refused.stderr.contains("image/2:v1"), "{}", refused.stderr);
    assert_eq!(target.log().len(), 0, "nothing was asked");
    let partly = airbuoy.run(&push).exits(4);
    assert!(
        partly.stderr.contains("airbuoy verify"),
        "{}",
        partly.stderr
    );
    let tags = target.tags();
    assert!(tags.contains(&"k8s/image/1:v1".to_owned()), "{tags:?}");
    assert!(!tags.contains(&"k8s/image/2:v1".to_owned()), "{tags:?}");
    assert!(!airbuoy.home().join("custom-repo-config.yaml").exists());

    // A missing blob is seen before anything is asked.
    let gone = own(2).replace("sha256:", "");
    fs::remove_file(airbuoy.home().join("set/blobs/sha256").join(gone)).expect("removed");
    let asked = target.log().len();
    let refused = airbuoy.run(&push).exits(4);
    assert!(
        refused.stderr.contains("not in the bundle"),
        "{}",
        refused.stderr
    );
    assert_eq!(target.log().len(), asked);
}

#[test]
fn a_layout_of_another_tool_is_pushed_by_its_names() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "set"))
        .exits(0);
    fs::remove_file(airbuoy.home().join("set/airbuoy.json")).expect("removed");
    let target = Faulty::empty();
    let push = format!(
        "push set {}/k8s --progress none --include image/*",
        target.host()
    );
    let outcome = airbuoy.run(&push).exits(0);
    assert!(
        outcome.stderr.contains("no config files"),
        "{}",
        outcome.stderr
    );
    assert_eq!(
        target.tags(),
        [""; 0],
        "a glob of the path alone matches nothing"
    );
    airbuoy.run(&push.replace("image/*", "1")).exits(0);
    assert_eq!(target.tags(), ["k8s/image/1:v1"]);
    assert!(!airbuoy.home().join("custom-repo-config.yaml").exists());
}

#[test]
fn a_push_that_looks_for_its_base_can_be_stopped() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "old.tar"))
        .exits(0);
    let images = ["image/1:v1", "image/2:v1"];
    let new = pull(&images, &source.host(), "new.tar --base old.tar");
    airbuoy.run(&new).exits(0);
    // A registry that takes connections and never says a word.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let host = silent.local_addr().expect("an address");
    let mut push = airbuoy
        .command(&format!("push new.tar {host}/k8s --plain-http"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let (connection, _) = silent.accept().expect("it asks");
    let kill = std::process::Command::new("kill")
        .args(["-INT", &push.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = push.try_wait().expect("a child") {
            break status;
        }
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(130));
    drop(connection);
}

#[test]
fn a_file_is_no_registry() {
    let airbuoy = Airbuoy::new();
    airbuoy.file("set.tar", "");
    for command in [
        "push set.tar other.tar",
        "mirror set.tar --kubernetes-version 1.36",
        "config set.tar --kubernetes-version 1.36",
    ] {
        let refused = airbuoy.run(command).exits(2);
        let told = &refused.stderr;
        assert!(told.contains(".tar: that is a file"), "{told}");
        assert!(!airbuoy.home().join("custom-repo-config.yaml").exists());
    }
    airbuoy.file("ca.pem", "no certificate");
    let nodes = "config r.example.com --kubernetes-version 1.36 --nodes --nodes-ca ca.pem";
    let refused = airbuoy.run(nodes).exits(2);
    assert!(refused.stderr.contains("no certificate in PEM form"));
}
