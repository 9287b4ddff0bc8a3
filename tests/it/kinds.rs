//! Every kind of image that a registry may hold is copied as it is; what cannot be copied is
//! refused by name and stops nothing else.

use serde_json::Value;

use crate::support::airbuoy::{Airbuoy, number};
use crate::support::content::Content;
use crate::support::faulty::Faulty;
use crate::support::images::{self, HOST, mirror_only};
use crate::support::peers::Peers;
use crate::support::registry::{Kind, Options, Registry};
use crate::support::skip::require;

/// The row of the image `name` (`repository:tag`).
fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["images"].as_array().expect("rows");
    let source = format!("{HOST}/{name}");
    let found = rows.iter().find(|row| row["source"] == source.as_str());
    found.unwrap_or_else(|| panic!("no row of {source}: {rows:#?}"))
}

fn digest<'a>(content: &'a Content, name: &str) -> &'a String {
    let (repository, tag) = name.split_once(':').expect("a tag");
    &content.repositories[repository].tags[tag]
}

#[test]
fn every_kind_is_copied_and_schema_1_is_refused_by_name() {
    for kind in [Kind::Distribution, Kind::Debian] {
        let target = require!(Registry::start(Options::new(kind)));
        let peers = require!(Peers::find());
        let (content, names) = images::kinds();
        let source = Faulty::start(content.clone());
        let command = mirror_only(&names, &source.host(), &target.host());
        let airbuoy = Airbuoy::new();
        let outcome = airbuoy.run(&command).exits(3);
        let report = outcome.json();

        for name in names.iter().filter(|n| !n.starts_with("kinds/old")) {
            let row = row(&report, name);
            assert_eq!(row["status"], "copied", "{row:#}");
            let at_target = row["target"].as_str().expect("a target");
            let digest = digest(&content, name);
            assert_eq!(&peers.digest(at_target), digest, "{at_target}");
            assert_eq!(peers.raw(at_target), content.manifests[digest].bytes);
        }
        let refused = row(&report, "kinds/old:schema1");
        assert_eq!(refused["status"], "failed");
        assert_eq!(refused["error"]["code"], "schema1", "{refused:#}");
        assert!(refused["error"]["hint"].is_string(), "{refused:#}");
        assert!(outcome.stderr.contains("kinds/old"), "{}", outcome.stderr);
        assert!(
            !images::without_runners(target.tags())
                .iter()
                .any(|tag| tag.contains("kinds/old"))
        );
        assert!(
            !airbuoy.home().join("custom-repo-config.yaml").exists(),
            "the config files are written only when everything is in place"
        );

        let report = airbuoy.run(&command).exits(3).json();
        for name in names.iter().filter(|n| !n.starts_with("kinds/old")) {
            assert_eq!(row(&report, name)["status"], "present", "{name}");
        }
        assert_eq!(number(&report["blobs"]["transferred"]), 0);
    }
}

#[test]
fn a_platform_keeps_its_attestation_and_the_subset_is_known_again() {
    let (content, _) = images::kinds();
    let source = Faulty::start(content.clone());
    let target = Faulty::empty();
    let name = "kinds/index:attested";
    let command = mirror_only(&[name], &source.host(), &target.host());
    let command = format!("{command} --platform linux/amd64");
    let report = Airbuoy::new().run(&command).exits(0).json();
    let row_of_first = row(&report, name);
    assert_eq!(row_of_first["status"], "copied");
    assert_ne!(row_of_first["target_digest"], row_of_first["source_digest"]);

    let held = target.content();
    let digest = &held.repositories["kinds/index"].tags["attested"];
    let index: Value = serde_json::from_slice(&held.manifests[digest].bytes).expect("JSON");
    let original = &content.manifests[&content.repositories["kinds/index"].tags["attested"]];
    let original: Value = serde_json::from_slice(&original.bytes).expect("JSON");
    let children = index["manifests"].as_array().expect("children");
    let all = original["manifests"].as_array().expect("children");
    // linux/amd64 comes first there, its attestation second.
    assert_eq!(children[..], all[..2]);

    let report = Airbuoy::new().run(&command).exits(0).json();
    assert_eq!(row(&report, name)["status"], "present");
}
