//! `airbuoy mirror` between real registries: everything arrives byte for byte, each digest is sent
//! once, and a second run asks and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::access_log::Access;
use crate::support::airbuoy::{Airbuoy, number, requests};
use crate::support::content::Content;
use crate::support::images::{self, VERSION};
use crate::support::peers::Peers;
use crate::support::push::push;
use crate::support::registry::{Kind, Options, PASSWORD, Reach, Registry, USER};
use crate::support::skip::require;

/// The digest that `content` holds for a reference below its host's name.
fn digest<'a>(content: &'a Content, reference: &str) -> &'a str {
    let (repository, tag) = reference.rsplit_once(':').expect("a tag");
    &content.repositories[repository].tags[tag]
}

#[test]
fn all_images_of_a_release_are_copied_once_and_a_second_run_changes_nothing() {
    let source = require!(Registry::distribution());
    let target = require!(Registry::distribution());
    let peers = require!(Peers::find());
    let references = images::pullable("");
    assert_eq!(references.len(), 44);
    let content = images::stand_ins(&references);
    push(&content, &source.host());
    let source_before = source.log().len();

    let airbuoy = Airbuoy::new();
    let to = format!("{}/k8s", target.host());
    let mirrors = images::mirrors(&references, "http://", &source.host());
    let command = format!("mirror {to} --kubernetes-version {VERSION} -o json{mirrors}");
    let report = airbuoy.run(&command).exits(0).json();

    let rows = report["images"].as_array().expect("rows");
    let copied: Vec<&Value> = rows.iter().filter(|r| r["status"] == "copied").collect();
    assert_eq!(copied.len(), 44, "{rows:#?}");
    for row in &copied {
        let reference = row["source"].as_str().expect("a source");
        let at_target = row["target"].as_str().expect("a target");
        let expected = digest(&content, reference);
        assert_eq!(peers.digest(at_target), expected, "{at_target}");
        assert_eq!(row["source_digest"], expected);
        assert_eq!(row["target_digest"], expected);
        let here = format!("{}/{reference}", source.host());
        assert_eq!(peers.raw(at_target), peers.raw(&here), "{at_target}");
    }
    assert_counts(&report, &content);
    assert_uploads_once(&target.log(), &content);
    for name in ["custom-repo-config.yaml", "sonobuoy-run.sh"] {
        assert!(airbuoy.home().join(name).is_file(), "{name}");
    }

    let (source_first, target_first) = (source.log().len(), target.log().len());
    assert!(source_first > source_before);
    let report = airbuoy.run(&command).exits(0).json();
    let rows = report["images"].as_array().expect("rows");
    let present = rows.iter().filter(|r| r["status"] == "present").count();
    assert_eq!(present, 44);
    assert_eq!(number(&report["blobs"]["transferred"]), 0);
    for (side, log) in [
        ("source", &source.log()[source_first..]),
        ("target", &target.log()[target_first..]),
    ] {
        let expected = BTreeMap::from([("HEAD".to_owned(), 44)]);
        assert_eq!(requests(&report, side), expected, "{side}");
        let heads = log.iter().filter(|a| a.method == "HEAD" && a.is_manifest());
        assert_eq!(heads.count(), 44, "{side}");
        assert_eq!(log.len(), 44, "{side}: {log:#?}");
    }
}

/// The report's sums against what the source holds, for a target that was empty.
fn assert_counts(report: &Value, content: &Content) {
    let repositories = content.repositories.values();
    let pairs: usize = repositories.map(|r| r.blobs.len()).sum();
    let unique = content.blobs.len();
    let count = |group: &str, name: &str| number(&report[group][name]);
    assert_eq!(count("blobs", "unique"), unique as u64);
    assert_eq!(count("blobs", "transferred"), unique as u64);
    assert_eq!(count("blobs", "present"), 0);
    assert_eq!(count("blobs", "mounted"), (pairs - unique) as u64);
    assert_eq!(count("bytes", "unique"), content.unique_bytes());
    assert_eq!(count("bytes", "transferred"), content.unique_bytes());
    assert_eq!(count("bytes", "wasted"), 0);
    assert!(count("bytes", "logical") > content.unique_bytes());
}

fn assert_uploads_once(log: &[Access], content: &Content) {
    let mut uploads: Vec<String> = log.iter().filter_map(Access::uploaded).collect();
    uploads.sort();
    let digests: Vec<String> = content.blobs.keys().cloned().collect();
    assert_eq!(uploads, digests);
}

#[test]
fn both_registry_programs_work_on_either_side() {
    matrix(Reach::Plain);
}

#[test]
fn both_registry_programs_work_on_either_side_with_a_login() {
    matrix(Reach::Login);
}

#[test]
fn both_registry_programs_work_on_either_side_with_a_login_and_a_private_authority() {
    matrix(Reach::LoginAndPrivateAuthority);
}

fn matrix(reach: Reach) {
    let references: Vec<String> = images::pullable("--conformance-only");
    let content = images::stand_ins(&references);
    for source_kind in [Kind::Distribution, Kind::Debian] {
        let seeded = require!(Registry::start(Options::new(source_kind)));
        push(&content, &seeded.host());
        for target_kind in [Kind::Distribution, Kind::Debian] {
            let options = |kind| Options {
                reach,
                ..Options::new(kind)
            };
            let source = Registry::on_storage(options(source_kind), &seeded.storage());
            let source = require!(source);
            let target = require!(Registry::start(options(target_kind)));
            copy(reach, &references, &source, &target);
            assert_uploads_once(&target.log(), &content);
            // Looked at without the login and the certificate.
            let open = Registry::on_storage(Options::new(target_kind), &target.storage());
            assert_holds(&require!(open), &require!(Peers::find()), &content);
        }
    }
}

fn copy(reach: Reach, references: &[String], source: &Registry, target: &Registry) {
    let airbuoy = Airbuoy::new();
    if reach != Reach::Plain {
        for registry in [source, target] {
            airbuoy.log_in(&registry.host(), USER, PASSWORD);
        }
    }
    let private = reach == Reach::LoginAndPrivateAuthority;
    let scheme = if private { "" } else { "http://" };
    let mut command = format!(
        "mirror {} --kubernetes-version {VERSION} --conformance-only{}",
        target.host(),
        images::mirrors(references, scheme, &source.host())
    );
    if private {
        for registry in [source, target] {
            command += " --ca-file ";
            command += registry.ca_file().to_str().expect("UTF-8");
        }
    }
    airbuoy.run(&command).exits(0);
}

/// `registry` has every image of `content` under its name at a target without a prefix.
fn assert_holds(registry: &Registry, peers: &Peers, content: &Content) {
    let list = format!("--conformance-only --to {}", registry.host());
    let rows = images::rows(&list);
    let mut checked = 0;
    for row in rows.iter().filter(|row| row["skipped"].is_null()) {
        let expected = digest(content, row["source"].as_str().expect("a source"));
        let target = row["target"].as_str().expect("a target");
        assert_eq!(peers.digest(target), expected, "{target}");
        checked += 1;
    }
    assert!(checked >= 13, "{checked}");
}
