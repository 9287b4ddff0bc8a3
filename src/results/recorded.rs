//! What the real sonobuoy left behind, read: every number beside the one that it gave itself.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::{Results, RunMode, Summary, Verdict};

fn folder(name: &str) -> Utf8PathBuf {
    let root = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/sonobuoy-v0.57.5"
    );
    Utf8PathBuf::from(root).join(name)
}

fn opened(name: &str) -> Summary {
    let results = Results::open(&folder(name).join("results.tar.gz")).expect("a recorded tarball");
    results.summary()
}

/// The lines about e2e in what `sonobuoy results -m report` printed.
fn reported(name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder(name).join("results-report.stdout"));
    let text = text.expect("a recorded report");
    let (_, e2e) = text.split_once("Plugin: e2e\n").expect("the plugin");
    e2e.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn counts_are_those_of_sonobuoy() {
    for name in [
        "pass",
        "fail",
        "bad-conformance-image",
        "bad-systemd-logs-image",
        "crash",
        "timeout",
        "real-dry-run",
        "real-missing-image",
        "real-subset",
    ] {
        let (summary, report) = (opened(name), reported(name));
        let ours = &summary.sonobuoy;
        assert_eq!(ours.status.as_ref(), Some(&report["Status"]), "{name}");
        for (word, number) in [
            ("Total", ours.total),
            ("Passed", ours.passed),
            ("Failed", ours.failed),
            ("Skipped", ours.skipped),
        ] {
            assert_eq!(number.to_string(), report[word], "{name}: {word}");
        }
        // The JUnit file, read by itself, agrees: only suite nodes are counted apart.
        if !summary.ran.is_empty() {
            assert_eq!(summary.tests.failed, ours.failed, "{name}");
            assert_eq!(summary.tests.skipped, ours.skipped, "{name}");
            assert_eq!(summary.failed.len() as u64, ours.failed, "{name}");
        }
        assert_eq!(summary.versions.kubernetes.as_deref(), Some("v1.36.3"));
        assert_eq!(summary.versions.sonobuoy.as_deref(), Some("v0.57.5"));
        let nodes = summary.nodes.expect("cluster health");
        assert_eq!((nodes.healthy, nodes.total), (1, 1));
    }
}

#[test]
fn a_pass_is_a_pass() {
    let summary = opened("pass");
    assert_eq!(summary.verdict, Verdict::Passed);
    assert!(summary.complete);
    assert_eq!(summary.mode, Some(RunMode::CertifiedConformance));
    assert_eq!((summary.tests.passed, summary.tests.failed), (6, 0));
    assert_eq!(
        summary.images.conformance.as_deref(),
        Some("localhost:5000/conformance:v1.36.3")
    );
    assert_eq!(summary.warnings, Vec::<String>::new());
    assert_eq!(summary.credentials, Vec::<String>::new());
}

#[test]
fn a_failed_test_is_named_with_its_message() {
    let summary = opened("fail");
    assert_eq!((summary.verdict, summary.complete), (Verdict::Failed, true));
    let [failed] = &summary.failed[..] else {
        panic!("one failure: {:?}", summary.failed)
    };
    let name = "[sig-node] Pods should be submitted and removed [NodeConformance] [Conformance]";
    assert_eq!(failed.name, name);
    let message = failed.message.as_deref().expect("a message");
    assert!(
        message.starts_with("[FAILED] the stand-in was asked to fail\n"),
        "{message}"
    );

    let summary = opened("real-missing-image");
    assert_eq!(summary.verdict, Verdict::Failed);
    assert_eq!((summary.tests.passed, summary.tests.failed), (3, 1));
    assert!(summary.failed[0].seconds > 299.0);
    assert_eq!(summary.slowest[0].name, summary.failed[0].name);
}

#[test]
fn a_subset_passes_but_says_that_it_is_one() {
    let summary = opened("real-subset");
    assert_eq!(
        (summary.verdict, summary.tests.passed),
        (Verdict::Passed, 12)
    );
    assert_eq!(summary.mode, Some(RunMode::Custom));
    assert!(
        summary
            .warnings
            .iter()
            .any(|w| w.contains("cannot be submitted"))
    );
}

#[test]
fn a_dry_run_is_none() {
    let summary = opened("real-dry-run");
    assert_eq!(summary.verdict, Verdict::DryRun);
    assert_eq!((summary.tests.passed, summary.complete), (446, false));
}

#[test]
fn no_results_are_told_by_their_reason() {
    for (name, verdict, reason) in [
        (
            "bad-conformance-image",
            Verdict::Infrastructure,
            "Failed to pull image localhost:5000/conformance:v9.9.9",
        ),
        (
            "crash",
            Verdict::Infrastructure,
            "terminated state (exit code 1)",
        ),
        ("timeout", Verdict::Timeout, "--timeout of 45 s was reached"),
    ] {
        let summary = opened(name);
        assert_eq!(
            (summary.verdict, summary.complete),
            (verdict, false),
            "{name}"
        );
        let text = summary.reason.expect("a reason");
        assert!(text.contains(reason), "{name}: {text}");
        assert!(summary.hint.is_some());
    }
}

#[test]
fn another_plugin_does_not_count_for_the_verdict() {
    let summary = opened("bad-systemd-logs-image");
    assert_eq!(summary.verdict, Verdict::Passed);
    let said = summary
        .warnings
        .iter()
        .any(|w| w.contains("systemd-logs failed"));
    assert!(said, "{:?}", summary.warnings);
}

#[test]
fn the_document_has_its_version_first() {
    let json = serde_json::to_string(&opened("fail")).expect("JSON");
    assert!(
        json.starts_with(r#"{"format":1,"verdict":"failed","#),
        "{}",
        &json[..80]
    );
}
