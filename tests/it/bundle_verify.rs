//! `airbuoy verify BUNDLE`: one damaged byte is found, named and mended.

use std::fs;

use crate::bundle_pull::{numbered, pull};
use crate::support::airbuoy::{Airbuoy, number};
use crate::support::faulty::Faulty;
use crate::support::images::mirror_only;
use crate::support::told::assert_told;

/// A pull's flags that say where upstream is, for a repair.
fn upstream(source: &Faulty) -> String {
    let words = mirror_only(&[], &source.host(), "x");
    let mut flags = String::new();
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        if word == "--source-mirror" {
            flags = format!("{flags} {word} {}", words.next().expect("a value"));
        }
    }
    flags
}

#[test]
fn a_flipped_byte_is_found_and_only_that_blob_is_fetched_again() {
    for (bundle, file) in [("set.tar", "set.tar"), ("cut.tar", "cut.tar.002")] {
        let content = numbered(&[1, 2]);
        let source = Faulty::start(content);
        let airbuoy = Airbuoy::new();
        let mut command = pull(&["image/1:v1", "image/2:v1"], &source.host(), bundle);
        if bundle != file {
            command += " --split-size 40KB";
        }
        airbuoy.run(&command).exits(0);
        let sound = airbuoy
            .run(&format!("verify {bundle} -o json"))
            .exits(0)
            .json();
        assert_eq!(sound["faults"], serde_json::json!([]));

        let path = airbuoy.home().join(file);
        let mut bytes = fs::read(&path).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).expect("written");
        let report = airbuoy
            .run(&format!("verify {bundle} -o json"))
            .exits(1)
            .json();
        let faults = report["faults"].as_array().expect("faults");
        assert_eq!(faults.len(), 1, "{report}");
        let digest = faults[0]["digest"].as_str().expect("a digest");
        assert!(!faults[0]["images"].as_array().expect("images").is_empty());
        if bundle != file {
            assert!(faults[0]["volumes"].to_string().contains(file), "{report}");
        }
        let said = airbuoy.run(&format!("verify {bundle}")).exits(1);
        assert!(said.stderr.contains("--repair"), "{}", said.stderr);

        let before = source.log().len();
        let repair = format!("verify {bundle} --repair -o json{}", upstream(&source));
        let report = airbuoy.run(&repair).exits(0).json();
        assert_eq!(number(&report["repaired"]["count"]), 1, "{report}");
        let log = source.log().split_off(before);
        let gets: Vec<_> = log.iter().filter(|r| r.method == "GET").collect();
        assert!(gets.iter().all(|r| r.target.contains(digest)), "{gets:#?}");
        bytes[middle] ^= 1;
        assert!(fs::read(&path).expect("a file") == bytes, "other bytes");
    }
}

#[test]
fn what_is_no_bundle_is_told_apart() {
    let airbuoy = Airbuoy::new();
    airbuoy.file("notes.tar", "my own notes");
    let outcome = airbuoy.run("verify notes.tar").exits(1);
    assert_told("verify_no_bundle", &airbuoy, &outcome);
    let outcome = airbuoy.run("verify missing.tar").exits(2);
    assert_told("verify_missing_bundle", &airbuoy, &outcome);
    let outcome = airbuoy.run("verify registry.example.com/k8s").exits(2);
    assert_told("verify_without_version", &airbuoy, &outcome);

    let source = Faulty::start(numbered(&[1]));
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "set.tar"))
        .exits(0);
    let whole = fs::read(airbuoy.home().join("set.tar")).expect("a tar");
    fs::write(airbuoy.home().join("set.tar"), &whole[..whole.len() / 2]).expect("written");
    let outcome = airbuoy.run("verify set.tar").exits(1);
    assert!(outcome.stderr.contains("set.tar"), "{}", outcome.stderr);
    // What cannot be read is not replaced either: it may be all that is left.
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    airbuoy.run(&command).exits(4);
}
