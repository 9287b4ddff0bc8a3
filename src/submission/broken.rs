//! One thing broken at a time, each refused for its own reason.

use super::report::{CheckOutcome, CheckReport};
use super::testing::{PRODUCT, Submission, junit, log, options, required};
use super::{CheckOptions, check_dir};

/// The failed checks: numbers of the bot's, names of ours.
pub(super) fn failed(report: &CheckReport) -> Vec<String> {
    let name = |check: &super::Check| {
        check
            .number
            .map_or(check.name.to_owned(), |n| n.to_string())
    };
    report.failed().map(name).collect()
}

pub(super) fn reasons(report: &CheckReport) -> String {
    let reasons: Vec<&str> = report
        .failed()
        .flat_map(|c| &c.details)
        .map(String::as_str)
        .collect();
    reasons.join("\n")
}

fn refused(submission: &Submission, checks: &[&str], reason: &str) {
    let report = submission.check();
    assert!(!report.accepted, "{reason}");
    assert_eq!(failed(&report), checks, "{reason}: {report:#?}");
    assert!(
        reasons(&report).contains(reason),
        "{reason}: {}",
        reasons(&report)
    );
}

#[test]
fn a_whole_submission_is_accepted() {
    let report = Submission::whole().check();
    assert!(report.accepted, "{report:#?}");
    assert_eq!(report.folder.as_deref(), Some("v1.36/turbo"));
    assert_eq!(
        report.title.as_deref(),
        Some("Conformance results for v1.36/turbo")
    );
    let numbers: Vec<u8> = report.checks.iter().filter_map(|c| c.number).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<u8>>());
    let passed = report
        .checks
        .iter()
        .filter(|c| c.outcome == CheckOutcome::Pass && c.number.is_some());
    assert_eq!(passed.count(), 10);
    for check in &report.checks {
        let about_elsewhere = matches!(check.number, Some(1 | 6 | 9 | 11 | 15));
        assert_eq!(
            check.outcome == CheckOutcome::NotCheckable,
            about_elsewhere || check.name.starts_with("the cluster's minor"),
            "{check:?}"
        );
    }
}

#[test]
fn a_file_missing() {
    for name in super::FILES {
        let submission = Submission::whole();
        submission.remove(name);
        refused(&submission, &["2"], &format!("{name} is missing"));
        submission.write(name, "");
        let report = submission.check();
        assert!(
            failed(&report).contains(&"2".to_owned()),
            "{name}: {report:#?}"
        );
        assert!(reasons(&report).contains(&format!("{name} is empty")));
    }
}

#[test]
fn a_file_too_many() {
    let submission = Submission::whole();
    submission.write("sonobuoy.tar.gz", "x");
    refused(&submission, &["3"], "sonobuoy.tar.gz does not belong");
    let submission = Submission::whole();
    submission.remove("README.md");
    submission.write("readme.md", "# How\n");
    refused(&submission, &["3"], "readme.md must be written README.md");
    let submission = Submission::whole();
    submission.write("old/README.md", "# How\n");
    refused(
        &submission,
        &["5"],
        "old/README.md lies in a folder of its own",
    );
    #[cfg(unix)]
    {
        let submission = Submission::whole();
        submission.remove("README.md");
        let to = submission.path.join("README.md");
        std::os::unix::fs::symlink("PRODUCT.yaml", to).expect("a link");
        refused(&submission, &["2", "3"], "README.md is a link");
    }
}

#[test]
fn a_folder_at_the_wrong_depth() {
    let tests = required("v1.36");
    for (place, reason) in [
        ("v1.36", "without the product's folder"),
        ("v1.36/turbo/results", "one folder too deep"),
        ("v1.36.3/turbo", "not a release such as v1.36"),
    ] {
        refused(&Submission::at(place, &tests), &["4"], reason);
    }
}

#[test]
fn a_required_field_missing() {
    let submission = Submission::whole();
    submission.write(
        "PRODUCT.yaml",
        &PRODUCT.replace("vendor: \"Example, Inc.\"\n", ""),
    );
    refused(&submission, &["7"], "vendor is missing");
}

#[test]
fn an_empty_field() {
    let submission = Submission::whole();
    submission.write("PRODUCT.yaml", &PRODUCT.replace("Example, Inc.", " "));
    refused(&submission, &["7"], "vendor is empty");
}

#[test]
fn a_bad_url_or_mail_address() {
    let submission = Submission::whole();
    let product = PRODUCT.replace("\"https://example.com\"", "example.com");
    submission.write("PRODUCT.yaml", &product);
    refused(
        &submission,
        &["8"],
        "website_url is not a URL: it has no scheme",
    );
    submission.write("PRODUCT.yaml", &PRODUCT.replace("sales@", "sales at "));
    refused(
        &submission,
        &["8"],
        "contact_email_address is not a mail address",
    );
}

#[test]
fn a_wrong_type() {
    let submission = Submission::whole();
    submission.write(
        "PRODUCT.yaml",
        &PRODUCT.replace("\"distribution\"", "platform"),
    );
    refused(&submission, &["10"], "type is `platform`");
}

#[test]
fn a_version_outside_the_window() {
    let submission = Submission::at("v1.33/turbo", &required("v1.33"));
    refused(
        &submission,
        &["12"],
        "v1.33 is not in v1.34 to v1.36, as of this catalogue",
    );
    let newer = Submission::at("v1.37/turbo", &required("v1.37")).check();
    assert!(newer.accepted, "{newer:#?}");
}

#[test]
fn a_required_test_missing() {
    let mut tests = required("v1.36");
    let missing = tests.remove(100);
    let submission = Submission::at("v1.36/turbo", &tests);
    refused(
        &submission,
        &["13"],
        &format!(
            "1 of 446 required tests of v1.36 are missing, by the compiled-in list: {missing}"
        ),
    );
}

#[test]
fn a_failed_test() {
    let mut tests = required("v1.36");
    let broken = vec![tests.remove(7)];
    let submission = Submission::whole();
    submission.write("e2e.log", &log(tests.len(), 1));
    submission.write("junit_01.xml", &junit(&tests, &broken));
    // The bot counts a failed test as a missing one as well.
    let expected = ["13", "14", "e2e.log ends with success"];
    refused(&submission, &expected, &format!("1 failed: {}", broken[0]));
}

#[test]
fn a_number_for_a_version() {
    let submission = Submission::whole();
    submission.write("PRODUCT.yaml", &PRODUCT.replace("\"1.30\"", "1.30"));
    refused(&submission, &["7"], "version is read as the number 1.3");
    submission.write("PRODUCT.yaml", "vendor: [");
    refused(&submission, &["2"], "is not a product file");
}

#[test]
fn files_that_break_off_or_disagree() {
    let tests = required("v1.36");
    let submission = Submission::whole();
    let whole = junit(&tests, &[]);
    submission.write("junit_01.xml", &whole[..whole.len() / 2]);
    refused(&submission, &["13"], "cut in the middle");
    let submission = Submission::whole();
    submission.write("e2e.log", "Will run 446 of 7579 specs\n");
    refused(&submission, &["e2e.log ends with success"], "it breaks off");
    submission.write("e2e.log", &log(445, 0));
    refused(
        &submission,
        &["e2e.log and junit_01.xml agree"],
        "passed: 445 in e2e.log, 446 in junit_01.xml",
    );
    let other = format!("kube-apiserver version: v1.35.2\n{}", log(446, 0));
    submission.write("e2e.log", &other);
    refused(
        &submission,
        &["the cluster's minor release is that of the folder"],
        "the cluster ran v1.35.2, the folder says v1.36",
    );
}

#[test]
fn a_release_without_a_list_says_so() {
    let tests = vec![
        "[sig-x] a [Conformance]".to_owned(),
        "[sig-x] b [Conformance]".to_owned(),
    ];
    let submission = Submission::at("v1.28/turbo", &tests);
    let mut options = options();
    options.window.newest = "1.28".parse().expect("a version");
    let check_13 = |options: &CheckOptions<'_>| {
        let report = check_dir(&submission.path, options).expect("a folder");
        let check = report.checks.iter().find(|c| c.number == Some(13)).cloned();
        (report.accepted, check.expect("the check"))
    };
    let (accepted, check) = check_13(&options);
    assert_eq!(
        (accepted, check.outcome),
        (true, CheckOutcome::NotCheckable)
    );
    assert!(
        check.details[0]
            .contains("no list of the tests that v1.28 requires: 2 conformance tests passed")
    );
    options.tests_file = Some((
        "conformance.yaml",
        "- codename: '[sig-x] c [Conformance]'\n  release: v1.9\n",
    ));
    let (accepted, check) = check_13(&options);
    assert!(!accepted);
    assert!(
        check.details[0].contains("[sig-x] c [Conformance]"),
        "{check:?}"
    );
    options.tests_file = None;
    let skipped = junit(&tests, &[]).replace(
        "</testsuite>",
        "<testcase name=\"[It] d [Conformance]\"><skipped/></testcase></testsuite>",
    );
    submission.write("junit_01.xml", &skipped);
    let (accepted, check) = check_13(&options);
    assert!(!accepted);
    assert!(
        check.details[0].contains("1 conformance tests were left out: d [Conformance]"),
        "{check:?}"
    );
}
