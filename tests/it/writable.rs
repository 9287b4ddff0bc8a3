//! `airbuoy serve DIR --writable`: killed at forty moments of pushes, mirrored into and from; and
//! `airbuoy bundle rm`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::airbuoy::Airbuoy;
use crate::support::content::{Content, digest_of};
use crate::support::faulty::Faulty;
use crate::support::http::{self, Connection};
use crate::support::images::{self, VERSION};
use crate::support::push::push;
use crate::support::registry::temp_dir;
use crate::support::writable::Writable;

/// Kills of the server.
const ROUNDS: u64 = 40;
/// Clients that push at the same time.
const CLIENTS: u64 = 8;

/// An image of three layers in the repository of one client; one layer is in every image.
fn image(client: u64, number: u64) -> (Content, String) {
    let mut content = Content::default();
    let (name, seed) = (format!("client/n{client}"), client * 1_000_000 + number);
    let layers = [
        content.layer(&name, 1, 40_000),
        content.layer(&name, 10 + 2 * seed, 3_000),
        content.layer(&name, 11 + 2 * seed, 1_300_000 + seed % 1000),
    ];
    let image = content.image(&name, &name, "linux/amd64", &layers);
    content.tag(&name, &format!("v{number}"), &image);
    (content, name)
}

/// Pushes an image whole, or fails when the server dies.
fn push_all(to: &mut Connection, content: &Content, name: &str) -> io::Result<()> {
    let died = |what: &str| io::Error::other(what.to_owned());
    let repository = &content.repositories[name];
    for digest in &repository.blobs {
        let open = format!("/v2/{name}/blobs/uploads/");
        let opened = to.try_send("POST", &open, &[], 0, |_| Ok(()))?;
        let location = opened
            .head
            .get("location")
            .ok_or_else(|| died("no upload"))?;
        let target = format!("{location}?digest={digest}");
        let body = &content.blobs[digest];
        let sent = to.try_send("PUT", &target, &[], body.size, |stream| {
            http::copy(body.read_from(0), stream)
        })?;
        assert_eq!(sent.status, 201, "{digest}");
    }
    for (tag, digest) in &repository.tags {
        let manifest = &content.manifests[digest];
        let target = format!("/v2/{name}/manifests/{tag}");
        let headers = [("content-type", manifest.media_type.as_str())];
        let length = manifest.bytes.len() as u64;
        let sent = to.try_send("PUT", &target, &headers, length, |stream| {
            stream.write_all(&manifest.bytes)
        })?;
        assert_eq!(sent.status, 201, "{tag}");
    }
    Ok(())
}

/// Pushes with all clients until the server is killed after `pause`; what was accepted, as
/// `repository:tag`.
fn push_until_killed(
    server: Writable,
    next: &[Mutex<u64>],
    pause: Duration,
) -> BTreeMap<String, String> {
    let (host, accepted) = (server.host(), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for (client, next) in (0..CLIENTS).zip(next) {
            let (host, accepted) = (&host, &accepted);
            scope.spawn(move || {
                let Ok(mut to) = Connection::try_new(host) else {
                    return;
                };
                loop {
                    let mut next = next.lock().expect("sound");
                    let (content, name) = image(client, *next);
                    *next += 1;
                    if push_all(&mut to, &content, &name).is_err() {
                        return;
                    }
                    let (tag, digest) = content.repositories[&name]
                        .tags
                        .first_key_value()
                        .expect("a tag");
                    let mut accepted = accepted.lock().expect("sound");
                    accepted.insert(format!("{name}:{tag}"), digest.clone());
                }
            });
        }
        std::thread::sleep(pause);
        server.kill();
    });
    accepted.into_inner().expect("sound")
}

/// Reads an image with all that it names; the digest of its manifest.
fn whole(from: &mut Connection, name: &str) -> String {
    let (repository, tag) = name.rsplit_once(':').expect("a tag");
    let mut get = |path: String| {
        let answer = from.send("GET", &path, &[], 0, |_| Ok(()));
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    };
    let bytes = get(format!("/v2/{repository}/manifests/{tag}"));
    let manifest: Value = serde_json::from_slice(&bytes).expect("a manifest");
    let layers = manifest["layers"].as_array().expect("layers").iter();
    for blob in layers.chain([&manifest["config"]]) {
        let digest = blob["digest"].as_str().expect("a digest");
        let content = get(format!("/v2/{repository}/blobs/{digest}"));
        assert_eq!(digest_of(&content), digest, "{name}");
    }
    digest_of(&bytes)
}

fn tags(from: &mut Connection, client: u64) -> Vec<String> {
    let path = format!("/v2/client/n{client}/tags/list");
    let answer = from.send("GET", &path, &[], 0, |_| Ok(()));
    let list: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let tags = list["tags"].as_array().into_iter().flatten();
    tags.map(|tag| format!("client/n{client}:{}", tag.as_str().expect("a tag")))
        .collect()
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}

#[test]
fn what_was_accepted_survives_forty_kills() {
    let folder = temp_dir();
    let directory = folder.path().join("set");
    let next: Vec<Mutex<u64>> = (0..CLIENTS).map(|_| Mutex::new(0)).collect();
    let mut accepted = BTreeMap::new();
    let mut checked: BTreeSet<String> = BTreeSet::new();
    let (mut busy, mut partial) = (0, 0);
    let begun = Instant::now();
    for round in 0..ROUNDS {
        let server = Writable::start(&directory, &[]);
        assert_eq!(
            files(&directory.join(".airbuoy/uploads")),
            0,
            "round {round}"
        );
        // From the first requests to a server at full work.
        let pause = Duration::from_millis(10 + round * 7919 % 240);
        let new = push_until_killed(server, &next, pause);
        busy += usize::from(!new.is_empty());
        accepted.extend(new);
        partial += files(&directory.join(".airbuoy/uploads"));

        let server = Writable::start(&directory, &[]);
        let mut from = Connection::new(&server.host());
        for client in 0..CLIENTS {
            // Those that nobody was told of are whole as well.
            for name in tags(&mut from, client) {
                if checked.insert(name.clone()) {
                    let digest = whole(&mut from, &name);
                    let told = accepted.get(&name);
                    assert!(told.is_none_or(|told| *told == digest), "{name}");
                }
            }
        }
        for name in accepted.keys() {
            assert!(checked.contains(name), "round {round}: {name} is lost");
        }
        server.kill();
    }
    // The kills hit pushes under way, and the clients were heard.
    assert!(
        busy > 20 && partial > 20,
        "{busy} rounds, {partial} partial files"
    );
    let server = Writable::start(&directory, &[]);
    let mut from = Connection::new(&server.host());
    for (name, digest) in &accepted {
        let (repository, tag) = name.rsplit_once(':').expect("a tag");
        let path = format!("/v2/{repository}/manifests/{tag}");
        let answer = from.send("GET", &path, &[], 0, |_| Ok(()));
        assert_eq!(digest_of(&answer.body), *digest, "{name}");
    }
    assert_eq!(server.stop(), Some(0));
    assert_eq!(files(&directory.join(".airbuoy/uploads")), 0);
    // Every file is what it is called, those of unfinished pushes too.
    for entry in fs::read_dir(directory.join("blobs/sha256")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let digest = digest_of(&fs::read(&path).expect("readable"));
        let name = path.file_name().and_then(|name| name.to_str());
        assert_eq!(digest.strip_prefix("sha256:"), name);
    }
    let words = format!("verify {}", directory.display());
    Airbuoy::new().run(&words).exits(0);
    let took = begun.elapsed();
    assert!(took < Duration::from_mins(2), "{took:?}");
}

#[test]
fn images_are_mirrored_into_it_and_from_it() {
    let folder = temp_dir();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let references = images::pullable("--conformance-only");
    let content = images::stand_ins(&references);
    let from = Writable::start(&source, &[]);
    push(&content, &from.host());
    let to = Writable::start(&target, &[]);

    let airbuoy = Airbuoy::new();
    let set = format!("--kubernetes-version {VERSION} --conformance-only -o json");
    let mirrors = images::mirrors(&references, "http://", &from.host());
    let mirror = |to: &Writable| {
        let command = format!("mirror {}/k8s {set}{mirrors}", to.host());
        airbuoy.run(&command).exits(0).json()
    };
    let statuses = |report: &Value| -> Vec<String> {
        let rows = report["images"].as_array().expect("rows").iter();
        rows.map(|row| row["status"].as_str().expect("a status").to_owned())
            .filter(|status| status != "skipped")
            .collect()
    };
    assert_eq!(statuses(&mirror(&to)), ["copied"; 14]);
    assert_eq!(statuses(&mirror(&to)), ["present"; 14]);
    assert_eq!(to.stop(), Some(0));

    // What is served is a bundle; so is what is served again.
    let words = format!("verify {}", target.display());
    airbuoy.run(&words).exits(0);
    let to = Writable::start(&target, &[]);
    let verify = format!("verify {}/k8s {set} --deep", to.host());
    airbuoy.run(&verify).exits(0);
    let second = airbuoy.run(&format!("serve --writable {}", target.display()));
    let second = second.exits(4).stderr;
    assert!(second.contains("another airbuoy"), "{second}");
}

#[test]
fn a_tar_and_a_folder_of_other_things_take_no_pushes() {
    let airbuoy = Airbuoy::new();
    airbuoy.file("holiday/beach.jpg", "x");
    airbuoy.file("set.tar", "x");
    for (what, reason, hint) in [
        ("set.tar", "only a directory takes pushes", "tar xf"),
        ("holiday", "is no bundle", "empty directory"),
    ] {
        let refused = airbuoy.run(&format!("serve {what} --writable")).exits(2);
        let said = refused.stderr;
        assert!(said.contains(reason) && said.contains(hint), "{said}");
    }
    assert_eq!(files(&airbuoy.home().join("holiday")), 1);
}

#[test]
fn a_version_is_removed_and_the_others_stay_whole() {
    const OLDER: &str = "v1.35.4";
    let both = format!("--kubernetes-version {OLDER} --conformance-only");
    let references = images::pullable(&both);
    let source = Faulty::start(images::stand_ins(&references));
    let mirrors = images::mirrors(&references, "http://", &source.host());
    let airbuoy = Airbuoy::new();
    let pull = format!("pull set --kubernetes-version {VERSION} {both}{mirrors}");
    airbuoy.run(&pull).exits(0);
    let blobs = airbuoy.home().join("set/blobs/sha256");
    let before = files(&blobs);

    let remove = format!("bundle rm set --kubernetes-version {OLDER}");
    let server = Writable::start(&airbuoy.home().join("set"), &[]);
    let served = airbuoy.run(&remove).exits(4).stderr;
    assert!(served.contains("serves it"), "{served}");
    assert_eq!(server.stop(), Some(0));
    let unknown = airbuoy
        .run("bundle rm set --kubernetes-version 1.30")
        .exits(2);
    let held = format!("it holds {VERSION}, {OLDER}");
    assert!(unknown.stderr.contains(&held), "{}", unknown.stderr);

    let removed = airbuoy.run(&remove).exits(0).stderr;
    let left = format!("Left in it: Kubernetes {VERSION}");
    assert!(removed.contains(&left), "{removed}");
    assert!(
        removed.contains(&format!("Removed conformance:{OLDER}")),
        "{removed}"
    );
    assert!(files(&blobs) < before);
    let found = airbuoy.run("verify set").exits(0);
    assert!(
        !found.stderr.contains("no image needs it"),
        "{}",
        found.stderr
    );
    let listed = airbuoy.run("bundle ls set -o json").exits(0).json();
    assert_eq!(listed["versions"], serde_json::json!([VERSION]));
    // What is left is a whole set: pulling it brings nothing.
    let pull =
        format!("pull set --kubernetes-version {VERSION} --conformance-only -o json{mirrors}");
    let report = airbuoy.run(&pull).exits(0).json();
    assert_eq!(report["blobs"]["transferred"], 0, "{report}");
}

#[test]
fn versions_that_were_pulled_one_after_the_other_are_removed_one_by_one() {
    const OLDER: &str = "v1.35.4";
    let references = images::pullable(&format!("--kubernetes-version {OLDER} --conformance-only"));
    let source = Faulty::start(images::stand_ins(&references));
    let mirrors = images::mirrors(&references, "http://", &source.host());
    let airbuoy = Airbuoy::new();
    let pull = |bundle: &str, versions: &str| {
        airbuoy
            .run(&format!(
                "pull {bundle} --conformance-only{versions}{mirrors}"
            ))
            .exits(0);
    };
    let flag = |version: &str| format!(" --kubernetes-version {version}");
    let record = |bundle: &str| -> Value {
        let path = airbuoy.home().join(bundle).join("airbuoy.json");
        serde_json::from_slice(&fs::read(path).expect("readable")).expect("a record")
    };
    let listed = |bundle: &str| {
        let words = format!("bundle ls {bundle} -o json");
        let mut images = airbuoy.run(&words).exits(0).json()["images"].clone();
        let rows = images.as_array_mut().expect("images");
        rows.sort_by_key(|row| row["name"].as_str().map(str::to_owned));
        images
    };
    let pushed = |bundle: &str, version: &str| {
        let target = Faulty::start(Content::default());
        let words = format!(
            "push {bundle} {}/k8s -o json{}",
            target.host(),
            flag(version)
        );
        let report = airbuoy.run(&words).exits(0).json();
        let rows = report["images"].as_array().expect("rows").iter();
        rows.map(|row| row["source"].as_str().expect("a name").to_owned())
            .collect::<BTreeSet<_>>()
    };

    pull("set", &flag(VERSION));
    pull("set", &flag(OLDER));
    pull("both", &(flag(VERSION) + &flag(OLDER)));
    assert_eq!(record("set")["images"], record("both")["images"]);
    assert_eq!(listed("set"), listed("both"));
    airbuoy.run("verify set").exits(0);
    for version in [VERSION, OLDER] {
        assert_eq!(pushed("set", version), pushed("both", version));
    }

    pull("one", &flag(VERSION));
    airbuoy
        .run(&format!("bundle rm set{}", flag(OLDER)))
        .exits(0);
    let found = airbuoy.run("verify set").exits(0).stderr;
    assert!(!found.contains("no image needs it"), "{found}");
    assert_eq!(record("set")["images"], record("one")["images"]);
    assert_eq!(listed("set"), listed("one"));
    assert_eq!(pushed("set", VERSION), pushed("one", VERSION));
}

/// Begins to send a blob that says to be `length` bytes long. The first line of the answer: the
/// server asks for the bytes, or does not.
fn announce(host: &str, length: u64) -> (TcpStream, String) {
    let opened = Connection::new(host).send("POST", "/v2/a/blobs/uploads/", &[], 0, |_| Ok(()));
    let location = opened.head.get("location").expect("an upload");
    let mut stream = TcpStream::connect(host).expect("the server listens");
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\
         expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    let mut line = String::new();
    let mut answer = BufReader::new(&stream);
    answer.read_line(&mut line).expect("an answer");
    (stream, line.trim_end().to_owned())
}

#[test]
fn room_that_a_broken_upload_announced_is_others_again() {
    let root = temp_dir();
    let server = Writable::start(&root.path().join("set"), &["--max-blob-size", "1000T"]);
    let mut df = Command::new("df");
    df.args(["--output=avail", "-B1"]).arg(root.path());
    let free = String::from_utf8(df.output().expect("df starts").stdout).expect("UTF-8");
    let free = free.lines().last().expect("a line").trim().parse::<u64>();
    let most = free.expect("a number") / 10 * 6;

    let (first, asked) = announce(&server.host(), most);
    assert_eq!(asked, "HTTP/1.1 100 Continue");
    let (_, refused) = announce(&server.host(), most);
    assert_eq!(refused, "HTTP/1.1 507 Insufficient Storage");
    drop(first);
    // The server notices in its own time.
    let patience = Instant::now() + Duration::from_secs(20);
    while announce(&server.host(), most).1 != "HTTP/1.1 100 Continue" {
        assert!(Instant::now() < patience, "the room is still taken");
        std::thread::sleep(Duration::from_millis(50));
    }
}
