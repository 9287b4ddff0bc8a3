//! The flags of `mirror` that change what goes where, each against a real registry.

use serde_json::Value;

use crate::support::airbuoy::Airbuoy;
use crate::support::images::{self, VERSION};
use crate::support::peers::Peers;
use crate::support::push::push;
use crate::support::registry::{Kind, Options, PASSWORD, Reach, Registry, USER};
use crate::support::skip::require;

/// A source that holds what `--conformance-only` copies, and the flags that read it.
fn upstream() -> Result<(Registry, String), String> {
    let source = Registry::distribution()?;
    let references = images::pullable("--conformance-only");
    push(&images::stand_ins(&references), &source.host());
    let mirrors = images::mirrors(&references, "http://", &source.host());
    Ok((
        source,
        format!("--kubernetes-version {VERSION} --conformance-only -o json{mirrors}"),
    ))
}

fn targets(report: &Value) -> Vec<&str> {
    let rows = report["images"].as_array().expect("rows");
    let copied = rows.iter().filter(|row| row["status"] == "copied");
    copied
        .map(|row| row["target"].as_str().expect("a target"))
        .collect()
}

#[test]
fn two_targets_get_everything_from_one_read() {
    let (source, flags) = require!(upstream());
    let (first, second) = (
        require!(Registry::distribution()),
        require!(Registry::start(Options::new(Kind::Debian))),
    );
    let peers = require!(Peers::find());
    let before = source.log().len();
    let airbuoy = Airbuoy::new();
    let command = format!(
        "mirror {}/a {flags} --also {}/b",
        first.host(),
        second.host()
    );
    let ran = airbuoy.run(&command).exits(0);
    let other = format!("airbuoy config {}/b", second.host());
    assert!(ran.stderr.contains(&other), "{}", ran.stderr);
    let report = ran.json();

    let targets = targets(&report);
    assert_eq!(targets.len(), 2 * 14);
    for pair in targets.chunks(2) {
        assert_eq!(peers.digest(pair[0]), peers.digest(pair[1]), "{pair:?}");
    }
    let log = source.log();
    let mut reads: Vec<&str> = log[before..]
        .iter()
        .filter(|access| access.method == "GET" && access.path().contains("/blobs/"))
        .map(|access| access.path().rsplit('/').next().expect("a digest"))
        .collect();
    let all = reads.len();
    reads.sort_unstable();
    reads.dedup();
    assert_eq!(reads.len(), all, "no digest is read twice");
    assert!(airbuoy.home().join("custom-repo-config.yaml").is_file());
}

#[test]
fn a_flat_mirror_holds_every_name_right_under_target() {
    let (_source, flags) = require!(upstream());
    let target = require!(Registry::distribution());
    let airbuoy = Airbuoy::new();
    let to = format!("{}/flat", target.host());
    let report = airbuoy
        .run(&format!("mirror {to} {flags} --flat"))
        .exits(0)
        .json();
    let targets = targets(&report);
    assert_eq!(targets.len(), 14);
    let agnhost = format!("{to}/agnhost:2.63.0");
    assert!(targets.contains(&agnhost.as_str()), "{targets:?}");
    let config = airbuoy.home().join("custom-repo-config.yaml");
    let config = std::fs::read_to_string(config).expect("the file");
    for line in config.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.ends_with(&format!(": {to}")), "{line}");
    }
}

#[test]
fn ones_own_prefixes_are_kept_and_what_they_leave_out_is_not_mirrored() {
    let (_source, flags) = require!(upstream());
    let target = require!(Registry::distribution());
    let airbuoy = Airbuoy::new();
    let (to, own) = (
        format!("{}/runner", target.host()),
        format!("{}/own/e2e", target.host()),
    );
    airbuoy.file("mine.yaml", &format!("promoterE2eRegistry: {own}\n"));
    let ran = airbuoy.run(&format!("mirror {to} {flags} --e2e-repo-config mine.yaml"));
    let ran = ran.exits(0);
    assert!(ran.stderr.contains("gcEtcdRegistry"), "{}", ran.stderr);
    let report = ran.json();
    let targets = targets(&report);
    assert_eq!(
        targets
            .iter()
            .filter(|target| target.starts_with(&own))
            .count(),
        9
    );
    assert_eq!(
        targets
            .iter()
            .filter(|target| target.starts_with(&to))
            .count(),
        3
    );
    assert_eq!(targets.len(), 12);
}

#[test]
fn more_images_come_from_a_file_and_logins_from_the_named_file_alone() {
    let (source, flags) = require!(upstream());
    let options = Options {
        reach: Reach::Login,
        ..Options::new(Kind::Distribution)
    };
    let target = require!(Registry::start(options));
    let airbuoy = Airbuoy::new();
    let extra = images::pullable("")
        .into_iter()
        .find(|r| r.contains("/perl:"))
        .expect("perl");
    push(
        &images::stand_ins(std::slice::from_ref(&extra)),
        &source.host(),
    );
    airbuoy.file("more.txt", &format!("# one more\n{extra}\n"));
    airbuoy.log_in(&target.host(), USER, PASSWORD);
    let login = airbuoy.home().join(".docker/config.json");
    std::fs::rename(login, airbuoy.home().join("login.json")).expect("a file");

    let to = format!("{}/k8s", target.host());
    let command = format!("mirror {to} {flags} --images-file more.txt");
    airbuoy.run(&command).exits(3);
    let report = airbuoy
        .run(&format!("{command} --authfile login.json"))
        .exits(0)
        .json();
    let targets = targets(&report);
    assert_eq!(targets.len(), 15);
    assert!(
        targets.iter().any(|target| target.contains("/perl:")),
        "{targets:?}"
    );
}

#[test]
fn a_platform_subset_is_recognised_by_the_next_run() {
    let (_source, flags) = require!(upstream());
    let target = require!(Registry::distribution());
    let airbuoy = Airbuoy::new();
    let command = format!(
        "mirror {}/k8s {flags} --platform linux/arm64",
        target.host()
    );
    let first = airbuoy.run(&command).exits(0).json();
    assert_eq!(targets(&first).len(), 14);
    let rows = first["images"].as_array().expect("rows");
    assert!(
        rows.iter()
            .all(|row| row["source_digest"] != row["target_digest"])
    );

    let before = target.log().len();
    let second = airbuoy.run(&command).exits(0).json();
    let rows = second["images"].as_array().expect("rows");
    assert!(
        rows.iter().all(|row| row["status"] == "present"),
        "{rows:#?}"
    );
    let log = target.log();
    assert!(
        log[before..].iter().all(|access| access.method == "HEAD"),
        "{:?}",
        &log[before..]
    );
}
