//! From one Kubernetes minor to the next: a delta carries the new blobs and nothing else, and what
//! it relies on is found at the registry, whether that mounts or not.

use std::collections::BTreeSet;

use crate::support::airbuoy::{Airbuoy, number};
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::images::{mirrors, stand_ins};
use crate::support::registry::Registry;
use crate::support::skip::require;

const OLD: &str = "v1.35.4";
const NEW: &str = "v1.36.3";

/// The sources of all images of both releases.
fn references() -> Vec<String> {
    let mut all = BTreeSet::new();
    for version in [OLD, NEW] {
        let command = format!("images --kubernetes-version {version} -o json");
        let rows = Airbuoy::new().run(&command).exits(0).json();
        for row in rows.as_array().expect("rows") {
            if row["skipped"].is_null() {
                all.insert(row["source"].as_str().expect("a source").to_owned());
            }
        }
    }
    all.into_iter().collect()
}

#[test]
fn the_next_minor_is_carried_as_its_new_blobs() {
    let registry = require!(Registry::distribution());
    let references = references();
    let source = Faulty::start(stand_ins(&references));
    let mirrors = mirrors(&references, "http://", &source.host());
    let airbuoy = Airbuoy::new();
    let pull = |bundle: &str, versions: &[&str]| {
        let versions = versions.iter().fold(String::new(), |flags, version| {
            format!("{flags} --kubernetes-version {version}")
        });
        let report = airbuoy
            .run(&format!("pull {bundle}{versions} -o json{mirrors}"))
            .exits(0)
            .json();
        report["bytes"].clone()
    };
    let old = number(&pull("old.tar", &[OLD])["transferred"]);
    let both = number(&pull("both.tar", &[OLD, NEW])["transferred"]);
    let before: u64 = fetched(&source);
    let delta = pull("new.tar --base old.tar", &[NEW]);
    assert_eq!(number(&delta["transferred"]), both - old, "{delta}");
    assert_eq!(fetched(&source) - before, both - old);
    assert!(both > old && number(&delta["external"]) > 0, "{delta}");

    // One that mounts, and one that does not.
    let stubborn = Faulty::empty();
    stubborn.rule(Rule::new("POST", "mount=", Fault::MountOpens));
    for host in [registry.host(), stubborn.host()] {
        let to = format!("{host}/k8s");
        airbuoy.run(&format!("push old.tar {to}")).exits(0);
        let report = airbuoy.run(&format!("push new.tar {to} -o json")).exits(0);
        let report = report.json();
        assert_eq!(number(&report["blobs"]["unique"]), {
            number(&report["blobs"]["transferred"]) + number(&report["blobs"]["present"])
        });
        airbuoy
            .run(&format!("verify {to} --deep --kubernetes-version {NEW}"))
            .exits(0);
    }
}

/// Bytes of blobs that the source has sent.
fn fetched(source: &Faulty) -> u64 {
    let blobs = source.requests("GET", "/blobs/");
    blobs.iter().map(|request| request.bytes).sum()
}
