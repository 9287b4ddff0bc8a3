//! `airbuoy rehearse`: the whole path without a network, and in a registry without a trace.

use crate::support::airbuoy::Airbuoy;
use crate::support::images::VERSION;
use crate::support::registry::{Kind, Options, Registry};
use crate::support::skip::require;

const SUFFIX: &str = "-airbuoy-rehearsal";

#[test]
fn it_passes_without_a_registry() {
    let rehearse = format!("rehearse --kubernetes-version {VERSION}");
    let outcome = Airbuoy::new().run(&rehearse).exits(0);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains("44"), "{said}");
    assert!(said.contains("sonobuoy run"), "{said}");

    let report = Airbuoy::new()
        .run(&format!("{rehearse} -o json"))
        .exits(0)
        .json();
    let rows = report["images"].as_array().expect("rows");
    let copied = rows.iter().filter(|r| r["status"] == "copied").count();
    assert_eq!(copied, 44);
}

#[test]
fn in_a_registry_only_rehearsal_tags_are_written_and_they_are_removed() {
    let registry = require!(Registry::distribution());
    let rehearse = format!(
        "rehearse {}/k8s --kubernetes-version {VERSION}",
        registry.host()
    );
    Airbuoy::new().run(&rehearse).exits(0);
    assert_eq!(registry.tags(), [""; 0]);
    assert_only_rehearsal_tags_were_written(&registry);
}

#[test]
fn what_a_registry_does_not_let_go_is_named() {
    let registry = require!(Registry::start(Options {
        delete: false,
        ..Options::new(Kind::Distribution)
    }));
    let rehearse = format!(
        "rehearse {}/k8s --kubernetes-version {VERSION}",
        registry.host()
    );
    let outcome = Airbuoy::new().run(&rehearse).exits(0);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains(SUFFIX), "{said}");
    assert!(said.contains("remove"), "{said}");
    let tags = registry.tags();
    assert!(tags.iter().all(|tag| tag.ends_with(SUFFIX)), "{tags:#?}");
    assert_only_rehearsal_tags_were_written(&registry);
}

fn assert_only_rehearsal_tags_were_written(registry: &Registry) {
    let log = registry.log();
    let written: Vec<&str> = log
        .iter()
        .filter(|a| a.method == "PUT" && a.is_manifest())
        .filter_map(|a| a.path().rsplit('/').next())
        .filter(|reference| !reference.starts_with("sha256:"))
        .collect();
    assert!(written.len() >= 44, "{written:?}");
    assert!(written.iter().all(|t| t.ends_with(SUFFIX)), "{written:?}");
}

#[test]
fn over_a_bundle_every_step_is_told() {
    let rehearse = format!("rehearse --via-bundle --kubernetes-version {VERSION} --progress none");
    let outcome = Airbuoy::new().run(&rehearse).exits(0);
    for step in [
        "Pulled 44 images",
        "Verified rehearsal.tar",
        "Pushed 44 images",
        "verified",
    ] {
        assert!(outcome.stderr.contains(step), "{}", outcome.stderr);
    }
    let registry = require!(Registry::distribution());
    let rehearse = format!("{rehearse} {}/k8s --flat", registry.host()).replace("rehearse ", "");
    Airbuoy::new().run(&format!("rehearse {rehearse}")).exits(0);
    assert_eq!(registry.tags(), [""; 0]);
    assert_only_rehearsal_tags_were_written(&registry);
}
