//! Archives that can be read, of runs that did not go as they should.

use super::Verdict;
use super::hostile::{JUNIT, LOG, open, whole};
use super::testing::Tarball;

#[test]
fn runs_that_broke_off_are_incomplete() {
    let log = "plugins/e2e/results/global/e2e.log";
    let junit = "plugins/e2e/results/global/junit_01.xml";
    let cut = &JUNIT.as_bytes()[..JUNIT.len() - 40];
    let unsuccessful = JUNIT.replace(
        "<testcase name=\"[It] a",
        "<properties><property name=\"SuiteSucceeded\" value=\"false\"/></properties><testcase name=\"[It] a",
    );
    let none = "<testsuites><testsuite><testcase name='[ReportBeforeSuite]' time='1'/></testsuite></testsuites>";
    for (tarball, word) in [
        (Tarball::new().file(log, LOG.as_bytes()), "no JUnit file"),
        (
            Tarball::new().file("plugins/e2e/x", b""),
            "neither a JUnit file nor e2e.log",
        ),
        (
            Tarball::new().file(junit, JUNIT.as_bytes()),
            "e2e.log is missing",
        ),
        (
            Tarball::new()
                .file(junit, JUNIT.as_bytes())
                .file(log, b"Will run 1 of 2 specs\nS"),
            "no closing line",
        ),
        (
            Tarball::new().file(junit, cut).file(log, LOG.as_bytes()),
            "cut in the middle",
        ),
        (
            Tarball::new()
                .file(junit, unsuccessful.as_bytes())
                .file(log, LOG.as_bytes()),
            "did not succeed",
        ),
        (
            Tarball::new()
                .file(junit, none.as_bytes())
                .file(log, LOG.as_bytes()),
            "no test was run",
        ),
        (
            whole().file(
                "plugins/e2e/sonobuoy_results.yaml",
                b"name: e2e\nstatus: unknown\n",
            ),
            "`unknown`",
        ),
        (
            Tarball::new()
                .file(junit, JUNIT.as_bytes())
                .file(log, LOG.replace("SUCCESS!", "FAIL!").as_bytes()),
            "FAIL",
        ),
    ] {
        let ruling = open(&tarball.gzip()).expect(word).ruling();
        assert_eq!(ruling.verdict, Verdict::Incomplete, "{word}");
        let reason = ruling.reason.expect("a reason");
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn a_dry_run_of_an_old_release_is_told_by_its_times() {
    let junit = JUNIT.replace("time=\"1\"", "time=\"0\"");
    let bytes = Tarball::new()
        .file("plugins/e2e/results/e2e.log", LOG.as_bytes())
        .file("plugins/e2e/results/junit_01.xml", junit.as_bytes())
        .gzip();
    assert_eq!(
        open(&bytes).expect("well-formed").ruling().verdict,
        Verdict::DryRun
    );
}

#[test]
fn logins_are_told_by_place_and_never_by_value() {
    let login = r#"{"auths":{"registry.example.com":{"auth":"aHVzaDpodXNo"}}}"#;
    let definition =
        serde_json::json!({"Definition": {"config-map": {"docker-config.json": login}}});
    let maps = serde_json::json!({"items": [{"data": {"docker-config.json": login}}]});
    let bytes = whole()
        .file(
            "plugins/e2e/definition.json",
            definition.to_string().as_bytes(),
        )
        .file(
            "resources/ns/sonobuoy/core_v1_configmaps.json",
            maps.to_string().as_bytes(),
        )
        .file(
            "resources/ns/kube-system/core_v1_configmaps.json",
            br#"{"items":[]}"#,
        )
        .file("resources/ns/sonobuoy/core_v1_secrets.json", b"{}")
        .gzip();
    let summary = open(&bytes).expect("well-formed").summary();
    assert_eq!(
        summary.credentials,
        [
            "plugins/e2e/definition.json (docker-config.json)",
            "resources/ns/sonobuoy/core_v1_configmaps.json",
            "resources/ns/sonobuoy/core_v1_secrets.json",
        ]
    );
    assert_eq!(
        summary
            .warnings
            .iter()
            .filter(|w| w.contains("in clear"))
            .count(),
        3
    );
    assert!(
        !serde_json::to_string(&summary)
            .expect("JSON")
            .contains("aHVzaDpodXNo")
    );
}

#[test]
fn documents_that_are_none_are_warned_of() {
    let bytes = whole()
        .file("serverversion.json", b"not JSON")
        .file("plugins/e2e/definition.json", b"[]")
        .file("plugins/e2e/sonobuoy_results.yaml", b"a: [")
        .gzip();
    let results = open(&bytes).expect("the results are there");
    assert_eq!(results.warnings.len(), 3, "{:?}", results.warnings);
    assert_eq!(results.ruling().verdict, Verdict::Passed);
}
