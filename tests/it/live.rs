//! `--live`: the list of a release that nobody knew when the program was built, printed by the
//! program in its conformance image.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::airbuoy::Airbuoy;
use crate::support::content::{Body, Content, Descriptor, OCI_INDEX, OCI_LAYER};
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::images;
use crate::support::layer::{File, layer};
use crate::support::peers::Peers;
use crate::support::push::push;
use crate::support::registry::Registry;
use crate::support::skip::require;

const VERSION: &str = "v1.99.0";
const IMAGE: &str = "registry.k8s.io/conformance";
const PROGRAM: &str = "usr/local/bin/e2e.test";

/// What the release prints, and the keys that fit.
const LIST: &[(&str, Option<&str>)] = &[
    (
        "gcr.io/k8s-authenticated-test/agnhost:2.6",
        Some("privateRegistry"),
    ),
    (
        "invalid.registry.k8s.io/invalid/alpine:3.1",
        Some("invalidRegistry"),
    ),
    ("quay.io/novelty/thing:v1", None),
    (
        "registry.k8s.io/e2e-test-images/agnhost:9.9",
        Some("promoterE2eRegistry"),
    ),
    (
        "registry.k8s.io/e2e-test-images/volume/nfs:9.1",
        Some("promoterE2eRegistry"),
    ),
    ("registry.k8s.io/etcd:4.0.0-0", Some("gcEtcdRegistry")),
    ("registry.k8s.io/pause:3.99", Some("gcRegistry")),
];

/// A conformance image, in a folder where its program leaves a mark when it runs.
struct Release {
    folder: tempfile::TempDir,
}

impl Release {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join("ran")
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.mark()).map_or(0, |marks| marks.lines().count())
    }

    /// As strict as no real one is: it fails where it sees anything of the caller's.
    fn program(&self) -> Vec<u8> {
        let list: Vec<&str> = LIST.iter().map(|(image, _)| *image).collect();
        let mark = self.mark().display().to_string();
        format!(
            "#!/bin/sh\n\
             echo run >> '{mark}'\n\
             [ \"$*\" = --list-images ] || {{ echo \"usage: $*\" >&2; exit 2; }}\n\
             [ -z \"${{HOME+set}}${{KUBE_TEST_REPO_LIST+set}}\" ] || exit 3\n\
             [ -z \"$(echo *)\" ] || [ \"$(echo *)\" = '*' ] || exit 4\n\
             read line && exit 5\n\
             cat <<END\n{}\nEND\n",
            list.join("\n")
        )
        .into_bytes()
    }

    /// The usual image: the program between two other layers.
    fn usual(&self) -> Content {
        content(&[
            &[File::new("etc/os-release", b"base")],
            &[
                File::new("usr/local/bin/ginkgo", b"other"),
                File::new(PROGRAM, &self.program()),
            ],
            &[File::new("kubernetes/cluster/x", b"top")],
        ])
    }
}

/// The image of these layers, for this machine and for another one.
fn content(layers: &[&[File]]) -> Content {
    let mut content = Content::default();
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|files| content.blob(IMAGE, OCI_LAYER, Body::from(&layer(files)[..])))
        .collect();
    let here = platform();
    let image = content.image(IMAGE, "conformance", &here, &layers);
    let foreign = content.layer(IMAGE, 77, 500);
    let other = content.image(IMAGE, "conformance", "linux/sparc", &[foreign]);
    let entries = [other.on("linux/sparc"), image.on(&here)];
    let index = content.index(IMAGE, OCI_INDEX, &entries);
    content.tag(IMAGE, VERSION, &index);
    content
}

fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        same => same,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}

fn command(verb: &str, host: &str) -> String {
    let mirror = format!("--source-mirror registry.k8s.io=http://{host}/registry.k8s.io");
    format!("{verb} --kubernetes-version {VERSION} --live {mirror}")
}

/// The rows of test images, as source and key.
fn tests(rows: &Value) -> Vec<(&str, Option<&str>)> {
    let rows = rows.as_array().expect("rows").iter();
    rows.filter(|row| row["role"] == "test")
        .map(|row| {
            (
                row["source"].as_str().expect("a source"),
                row["key"].as_str(),
            )
        })
        .collect()
}

#[test]
fn a_new_release_lists_what_its_own_program_prints() {
    let release = Release::new();
    let source = require!(Registry::distribution());
    push(&release.usual(), &source.host());
    let airbuoy = Airbuoy::new();
    let images = command("images -o json --to reg.example.com/k8s", &source.host());
    let before = source.log().len();
    let mut first = airbuoy.command(&images);
    first.env("KUBE_TEST_REPO_LIST", "/nonexistent");
    let output = first.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let rows: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(tests(&rows), LIST);
    let row = |source: &str| {
        let mut rows = rows.as_array().expect("rows").iter();
        rows.find(|row| row["source"] == source).expect(source)
    };
    let nfs = row("registry.k8s.io/e2e-test-images/volume/nfs:9.1");
    assert_eq!(
        nfs["target"],
        "reg.example.com/k8s/e2e-test-images/volume/nfs:9.1"
    );
    assert_eq!(nfs["conformance"], "unknown");
    assert_eq!(row(LIST[0].0)["skipped"], "needs_credentials");
    assert_eq!(row(LIST[1].0)["skipped"], "unpullable");
    let conformance = row("registry.k8s.io/conformance:v1.99.0");
    assert_eq!(
        conformance["target"],
        "reg.example.com/k8s/conformance:v1.99.0"
    );
    for part in [
        "warning: --live runs a program from a registry: e2e.test of registry.k8s.io/conformance:v1.99.0 (sha256:",
        "keys of 1.37 are assumed",
        "--conformance-only keeps them all",
    ] {
        assert!(said.replace("\n  ", " ").contains(part), "{said}");
    }
    let blobs = |log: &[crate::support::access_log::Access]| {
        let gets = log.iter().filter(|a| a.path().contains("/blobs/"));
        gets.count()
    };
    let log = source.log();
    assert_eq!(
        blobs(&log[before..]),
        2,
        "the lowest layer stays where it is"
    );

    let again = airbuoy.run(&images).exits(0);
    assert_eq!(tests(&again.json()), LIST);
    let log = source.log()[log.len()..].to_vec();
    assert!(log.iter().all(|a| a.method == "HEAD"), "{log:?}");
    assert_eq!(release.runs(), 1, "the cache knows the list");
}

#[test]
fn without_the_flag_nothing_is_asked_and_the_flag_is_named() {
    let airbuoy = Airbuoy::new();
    let images = format!("images --kubernetes-version {VERSION}");
    let outcome = airbuoy.run(&images).exits(2);
    assert!(outcome.stderr.contains("--live"), "{}", outcome.stderr);
    // What is known needs no image: there is no registry to ask.
    let known = airbuoy.run("images --kubernetes-version v1.36.1 --live -o name");
    assert_eq!(known.exits(0).stdout.lines().count(), 44);
    let nowhere = "images --kubernetes-version v1.99.0 --live --conformance-image 127.0.0.1:1/c:1";
    airbuoy.run(nowhere).exits(3);
}

#[test]
fn nothing_runs_out_of_a_layer_that_cannot_be_trusted() {
    let release = Release::new();
    let program = File::new(PROGRAM, &release.program());
    for (layers, part) in [
        (
            vec![vec![program.clone()], vec![File::link(PROGRAM, "/bin/sh")]],
            "no regular file",
        ),
        (
            vec![vec![File::new(
                "../usr/local/bin/e2e.test",
                &release.program(),
            )]],
            "no layer holds usr/local/bin/e2e.test",
        ),
        (
            vec![vec![program.clone().claiming(1 << 40)]],
            "1099511627776 bytes, more than",
        ),
    ] {
        let layers: Vec<&[File]> = layers.iter().map(Vec::as_slice).collect();
        let source = Faulty::start(content(&layers));
        let airbuoy = Airbuoy::new();
        let outcome = airbuoy.run(&command("images", &source.host())).exits(3);
        let said = outcome.stderr.replace("\n  ", " ");
        assert!(said.contains(part), "{said}");
        assert!(!said.contains("warning"), "{said}");
        assert_eq!(outcome.stdout, "");
    }

    // The last byte: what comes before it, the whole program, is sound.
    let files = [program];
    let last = layer(&files).len() as u64 - 1;
    let source = Faulty::start(content(&[&files]));
    source.rule(Rule::new("GET", "/blobs/", Fault::Flip(last)));
    let airbuoy = Airbuoy::new();
    let outcome = airbuoy.run(&command("images", &source.host())).exits(3);
    assert!(outcome.stderr.contains("hash to"), "{}", outcome.stderr);
    assert_eq!(release.runs(), 0);
    source.heal();
    airbuoy.run(&command("images", &source.host())).exits(0);
    assert_eq!(release.runs(), 1);
}

#[test]
fn an_interrupted_reading_leaves_nothing() {
    let release = Release::new();
    let source = Faulty::start(release.usual());
    source.rule(Rule::new("GET", "/blobs/", Fault::Stall(100)));
    let airbuoy = Airbuoy::new();
    let mut run = airbuoy.start(&command("images", &source.host()));
    let folder = airbuoy.home().join(".cache/airbuoy/live");
    let entries = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    let deadline = Instant::now() + Duration::from_mins(1);
    while source.requests("GET", "/blobs/").is_empty() || entries() == 0 {
        assert!(Instant::now() < deadline, "nothing is asked for");
    }
    let signal = format!("kill -INT {}", run.id());
    let sent = std::process::Command::new("sh")
        .args(["-c", &signal])
        .status();
    assert!(sent.expect("a shell").success());
    let status = run.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!((entries(), release.runs()), (0, 0));
}

#[test]
fn a_new_release_is_mirrored_like_any_other() {
    let release = Release::new();
    let (source, target) = (
        require!(Registry::distribution()),
        require!(Registry::distribution()),
    );
    let peers = require!(Peers::find());
    push(&release.usual(), &source.host());
    let mut references: Vec<String> = LIST[2..]
        .iter()
        .map(|(image, _)| (*image).to_owned())
        .collect();
    let runners = images::rows("").into_iter();
    let runners = runners.filter(|row| row["role"] == "sonobuoy" || row["role"] == "systemd-logs");
    references.extend(runners.map(|row| row["source"].as_str().expect("a source").to_owned()));
    push(&images::stand_ins(&references), &source.host());

    let airbuoy = Airbuoy::new();
    let to = format!("{}/k8s", target.host());
    let mirrors = images::mirrors(&references, "http://", &source.host());
    let flags = format!("--kubernetes-version {VERSION} --live{mirrors} -o json");
    let report = airbuoy.run(&format!("mirror {to} {flags}")).exits(0).json();
    let rows = report["images"].as_array().expect("rows");
    let copied = rows.iter().filter(|row| row["status"] == "copied").count();
    assert_eq!(copied, references.len() + 1, "{rows:#?}");
    let at_source = format!("{}/{IMAGE}:{VERSION}", source.host());
    assert_eq!(
        peers.digest(&format!("{to}/conformance:{VERSION}")),
        peers.digest(&at_source)
    );
    let config = std::fs::read_to_string(airbuoy.home().join("custom-repo-config.yaml"));
    let line = format!("promoterE2eRegistry: {to}/e2e-test-images\n");
    assert!(config.expect("written").contains(&line));
    let script = std::fs::read_to_string(airbuoy.home().join("sonobuoy-run.sh"));
    assert!(
        script
            .expect("written")
            .contains(&format!("{to}/conformance:{VERSION}"))
    );

    airbuoy.run(&format!("verify {to} {flags}")).exits(0);
    airbuoy
        .run(&format!("rehearse {}", flags.replace("-o json", "")))
        .exits(0);
    assert_eq!(release.runs(), 1, "one run of the program serves them all");

    // Inside, where only the mirror is: the list comes out of the mirrored conformance image.
    let inside = Airbuoy::new();
    let image = format!("--conformance-image {to}/conformance:{VERSION}");
    let list = format!("images --kubernetes-version {VERSION} --live {image} -o json");
    let rows = inside.run(&list).exits(0).json();
    assert_eq!(tests(&rows), LIST);
    let pinned = peers.digest(&format!("{to}/conformance:{VERSION}"));
    let image = format!("--conformance-image {to}/conformance@{pinned}");
    let config = format!("config {to} --kubernetes-version {VERSION} --live {image}");
    inside.run(&config).exits(0);
    let script = std::fs::read_to_string(inside.home().join("sonobuoy-run.sh"));
    assert!(
        script
            .expect("written")
            .contains(&format!("{to}/conformance:{VERSION}"))
    );
}
