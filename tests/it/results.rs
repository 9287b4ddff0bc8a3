//! `airbuoy results`: what recorded runs say, and what damaged tarballs do.

use std::path::Path;

use serde_json::Value;
use tar::EntryType;

use crate::support::airbuoy::{Airbuoy, Outcome, number};
use crate::support::run::{self, JUNIT, LOG, RECORDED, Run, STATUS, tarball};
use crate::support::told::assert_told;

/// The lines about e2e in what `sonobuoy results -m report` printed, recorded beside the tarball.
fn reported(name: &str, key: &str) -> String {
    let text = std::fs::read_to_string(run::folder(name).join("results-report.stdout"));
    let text = text.expect("a recorded report");
    let (_, e2e) = text.split_once("Plugin: e2e\n").expect("the plugin");
    let prefix = format!("{key}: ");
    let line = e2e.lines().find_map(|line| line.strip_prefix(&prefix));
    line.expect("a line of this key").to_owned()
}

#[test]
fn counts_are_those_that_sonobuoy_gave() {
    for name in RECORDED {
        let airbuoy = Airbuoy::new();
        let outcome = airbuoy.run(&format!("results {} -o json", tarball(name)));
        let summary = outcome.json();
        let ours = &summary["sonobuoy"];
        for key in ["Total", "Passed", "Failed", "Skipped"] {
            let count = number(&ours[key.to_lowercase()]).to_string();
            assert_eq!(count, reported(name, key), "{name}: {key}");
        }
        assert_eq!(ours["status"], reported(name, "Status"), "{name}");
        assert_eq!(summary["versions"]["kubernetes"], "v1.36.3", "{name}");
        let table = airbuoy.run(&format!("results {}", tarball(name)));
        let counts = format!(
            "{} in all, {} passed, {} failed, {} skipped",
            ours["total"], ours["passed"], ours["failed"], ours["skipped"]
        );
        assert!(table.stdout.contains(&counts), "{name}: {}", table.stdout);
        assert_eq!(table.code, outcome.code, "{name}");
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    for (name, verdict, code) in [
        ("pass", "passed", 0),
        ("bad-systemd-logs-image", "passed", 0),
        ("real-subset", "passed", 0),
        ("fail", "failed", 1),
        ("real-missing-image", "failed", 1),
        ("real-dry-run", "dry-run", 1),
        ("timeout", "timeout", 1),
        ("crash", "infrastructure", 1),
        ("bad-conformance-image", "infrastructure", 1),
    ] {
        let airbuoy = Airbuoy::new();
        let outcome = airbuoy.run(&format!("results {}", tarball(name)));
        let outcome = outcome.exits(code);
        let first = outcome.stdout.lines().next().expect("a verdict");
        assert_eq!(
            first.split_whitespace().collect::<Vec<_>>(),
            ["Verdict", verdict]
        );
    }
}

#[test]
fn failed_tests_come_with_message_and_duration() {
    let airbuoy = Airbuoy::new();
    let outcome = airbuoy.run(&format!("results {}", tarball("real-missing-image")));
    let table = outcome.exits(1).stdout;
    let (_, failed) = table.split_once("Failed tests\n").expect("failed tests");
    let (failed, slowest) = failed.split_once("Slowest tests\n").expect("slowest");
    let name = "should report termination message from log output";
    assert!(
        failed.contains(name) && failed.contains("(5 min 0 s)"),
        "{failed}"
    );
    assert!(
        failed.contains("[FAILED] Timed out after 300.001s."),
        "{failed}"
    );
    assert!(slowest.trim_start().starts_with("5 min 0 s  "), "{slowest}");
    assert!(
        table.contains("localhost:5000/conformance:v1.36.3-real"),
        "{table}"
    );
}

#[test]
fn a_subset_says_that_it_cannot_be_submitted() {
    let airbuoy = Airbuoy::new();
    let outcome = airbuoy
        .run(&format!("results {}", tarball("real-subset")))
        .exits(0);
    assert!(
        outcome.stderr.contains("cannot be submitted"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_login_in_the_tarball_is_warned_of_and_not_shown() {
    let login = r#"{"auths":{"registry.example.com":{"auth":"dXNlcjpodW50ZXIy"}}}"#;
    let maps = serde_json::json!({"items": [{"data": {"docker-config.json": login}}]});
    let path = "resources/ns/sonobuoy/core_v1_configmaps.json";
    let run = Run::recorded("pass").with(path, maps.to_string().as_bytes());
    let airbuoy = Airbuoy::new();
    std::fs::write(airbuoy.home().join("r.tar.gz"), run.gzip()).expect("written");
    let outcome = airbuoy.run("results r.tar.gz --html page.html").exits(0);
    assert!(outcome.stderr.contains(path), "{}", outcome.stderr);
    let page = std::fs::read_to_string(airbuoy.home().join("page.html")).expect("a page");
    for text in [&outcome.stdout, &outcome.stderr, &page] {
        assert!(!text.contains("dXNlcjpodW50ZXIy"), "{text}");
    }
    let json = airbuoy.run("results r.tar.gz -o json").exits(0).json();
    assert_eq!(json["credentials"], serde_json::json!([path]));
}

#[test]
fn the_page_is_written_whole_or_not_at_all() {
    let airbuoy = Airbuoy::new();
    let pass = tarball("pass");
    let command = format!("results {pass} --html out/report.html -o json");
    let outcome = airbuoy.run(&command).exits(0);
    assert_eq!(outcome.json()["verdict"], "passed");
    let page = std::fs::read_to_string(airbuoy.home().join("out/report.html")).expect("a page");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    let names = std::fs::read_dir(airbuoy.home().join("out")).expect("a folder");
    assert_eq!(names.count(), 1);
    airbuoy.run(&format!("results {pass} --html out")).exits(2);
    airbuoy
        .run(&format!("results {pass} --html out/report.html/x"))
        .exits(4);
}

/// Runs `results` on `bytes`.
fn results_of(bytes: &[u8]) -> (Airbuoy, Outcome) {
    let airbuoy = Airbuoy::new();
    std::fs::write(airbuoy.home().join("results.tar.gz"), bytes).expect("written");
    let outcome = airbuoy.run("results results.tar.gz");
    (airbuoy, outcome)
}

#[test]
fn tarballs_that_cannot_be_read() {
    let whole = std::fs::read(tarball("pass")).expect("recorded");
    // The log is kept in memory, so its bound is a low one.
    let zeros = Run::default().gzip_and(|tar| run::zeros(tar, LOG, (256 << 20) + 1));
    let other = Run::default().with("Cargo.toml", b"[package]").gzip();
    for (name, bytes) in [
        ("tarball_truncated", &whole[..whole.len() / 2]),
        ("tarball_empty", b""),
        ("tarball_web_page", b"<!doctype html><html>sign in</html>"),
        ("tarball_gzip_of_text", &run::gzip(b"only a log\n")),
        ("tarball_of_something_else", &other),
        ("tarball_of_zeros", &zeros),
    ] {
        let (airbuoy, outcome) = results_of(bytes);
        assert_told(name, &airbuoy, &outcome.exits(4));
    }
}

#[test]
fn a_tarball_that_is_not_there() {
    let airbuoy = Airbuoy::new();
    let outcome = airbuoy.run("results nowhere.tar.gz").exits(2);
    assert_told("tarball_missing", &airbuoy, &outcome);
}

#[test]
fn members_that_would_leave_the_tarball() {
    let hostile = Run::recorded("pass").gzip_and(|tar| {
        run::add(tar, "../../outside.txt", EntryType::Regular, b"x");
        run::add(tar, "/absolute.txt", EntryType::Regular, b"x");
        run::add(
            tar,
            "plugins/e2e/results/global/junit_02.xml",
            EntryType::Symlink,
            b"",
        );
        run::add(
            tar,
            "plugins/e2e/results/global/junit_03.xml",
            EntryType::Link,
            b"",
        );
    });
    let (airbuoy, outcome) = results_of(&hostile);
    assert_told("tarball_hostile", &airbuoy, &outcome.exits(0));
    let names = std::fs::read_dir(airbuoy.home()).expect("a home").count();
    assert_eq!(names, 1, "nothing is unpacked");
    assert!(!Path::new("/absolute.txt").exists());
}

#[test]
fn runs_that_break_off() {
    let whole = Run::certified(0);
    let junit = String::from_utf8(whole.member(JUNIT).to_vec()).expect("text");
    let cut = &junit[..junit.len() / 2];
    let entities = junit.replace(
        "<testsuites",
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\n<testsuites",
    );
    for (name, run) in [
        (
            "log_without_closing_line",
            Run::certified(0).with(LOG, b"Will run 446 of 7586 specs\n"),
        ),
        ("junit_cut", Run::certified(0).with(JUNIT, cut.as_bytes())),
        (
            "junit_with_entities",
            Run::certified(0).with(JUNIT, entities.as_bytes()),
        ),
        (
            "status_unreadable",
            Run::certified(0).with(STATUS, b"status: [\n"),
        ),
    ] {
        let (airbuoy, outcome) = results_of(&run.gzip());
        let code = i32::from(name != "status_unreadable");
        let mut outcome = outcome.exits(code);
        // Four hundred names say nothing more here.
        let slowest = outcome
            .stdout
            .find("\nSlowest tests")
            .unwrap_or(outcome.stdout.len());
        outcome.stdout.truncate(slowest);
        assert_told(name, &airbuoy, &outcome);
    }
}

#[test]
fn the_document_lists_every_test_that_ran() {
    let airbuoy = Airbuoy::new();
    let run = Run::certified(1);
    std::fs::write(airbuoy.home().join("r.tar.gz"), run.gzip()).expect("written");
    let summary = airbuoy.run("results r.tar.gz -o json").exits(1).json();
    let length = |key: &str| summary[key].as_array().map(Vec::len);
    assert_eq!(summary["format"], 1);
    assert_eq!(
        (length("ran"), length("failed"), length("slowest")),
        (Some(446), Some(1), Some(10))
    );
    assert_eq!(number(&summary["tests"]["passed"]), 445);
    assert_ne!(summary["failed"][0]["message"], Value::Null);
}
