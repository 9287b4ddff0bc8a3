//! A submission that every check takes, to be broken in one place at a time.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::required::RequiredTests;
use super::window::Window;
use super::{CheckOptions, CheckReport, check_dir};

pub(super) const PRODUCT: &str = r#"vendor: "Example, Inc."
name: "Turbo Encabulator"
version: "1.30"
type: "distribution"
description: "A distribution: pre-famulated."
website_url: "https://example.com"
documentation_url: "https://example.com/docs"
contact_email_address: "sales@example.com"
"#;

/// A folder `vX.Y/turbo` in a place of its own.
pub(super) struct Submission {
    root: TempDir,
    pub(super) path: Utf8PathBuf,
}

pub(super) fn options() -> CheckOptions<'static> {
    CheckOptions {
        window: Window {
            newest: "1.36".parse().expect("a version"),
            as_of: jiff::civil::date(2026, 11, 23),
        },
        tests_file: None,
        results: None,
    }
}

impl Submission {
    /// Every required test of v1.36 passed.
    pub(super) fn whole() -> Self {
        Self::at("v1.36/turbo", &required("v1.36"))
    }

    pub(super) fn at(place: &str, tests: &[String]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(root.path()).expect("UTF-8").join(place);
        std::fs::create_dir_all(&path).expect("a folder");
        let submission = Self { root, path };
        submission.write("README.md", "# How\n");
        submission.write("PRODUCT.yaml", PRODUCT);
        submission.write("e2e.log", &log(tests.len(), 0));
        submission.write("junit_01.xml", &junit(tests, &[]));
        submission
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path.join(name)).expect("removed");
    }

    pub(super) fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.root.path()).expect("UTF-8")
    }

    pub(super) fn check(&self) -> CheckReport {
        check_dir(&self.path, &options()).expect("a folder")
    }
}

/// The names of the required tests, as ginkgo writes them.
pub(super) fn required(release: &str) -> Vec<String> {
    let release = release.parse().expect("a version");
    let required = RequiredTests::embedded(&release).expect("covered");
    required.names.into_iter().collect()
}

pub(super) fn log(passed: usize, failed: usize) -> String {
    let ran = passed + failed;
    let (word, end) = if failed == 0 {
        ("SUCCESS", "Passed")
    } else {
        ("FAIL", "Failed")
    };
    format!(
        "Will run {ran} of 7579 specs\n\nRan {ran} of 7579 Specs in 6720.5 seconds\n\
         {word}! -- {passed} Passed | {failed} Failed | 0 Pending | 7133 Skipped\nTest Suite {end}\n"
    )
}

pub(super) fn junit(passed: &[String], failed: &[String]) -> String {
    let mut text = String::from(
        "<testsuites time=\"6720.5\"><testsuite name=\"Kubernetes e2e suite\">\n<properties>\
         <property name=\"FocusStrings\" value=\"\\[Conformance\\]\"/><property name=\"SkipStrings\" value=\"\"/>\
         <property name=\"DryRun\" value=\"false\"/></properties>\n\
         <testcase name=\"[SynchronizedBeforeSuite]\" time=\"0.1\"/>\n",
    );
    let escaped = |name: &str| quick_xml::escape::escape(name).into_owned();
    for name in passed {
        let _ = writeln!(
            text,
            "<testcase name=\"[It] {}\" time=\"15\"/>",
            escaped(name)
        );
    }
    for name in failed {
        let name = escaped(name);
        let _ = writeln!(
            text,
            "<testcase name=\"[It] {name}\" time=\"9\"><failure>it broke</failure></testcase>"
        );
    }
    text.push_str("</testsuite></testsuites>\n");
    text
}
