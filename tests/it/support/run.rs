//! Tarballs of runs: the recorded ones, and such that differ from one in a few members.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// Members of a tarball, where sonobuoy v0.57.5 puts them.
pub(crate) const LOG: &str = "plugins/e2e/results/global/e2e.log";
pub(crate) const JUNIT: &str = "plugins/e2e/results/global/junit_01.xml";
pub(crate) const STATUS: &str = "plugins/e2e/sonobuoy_results.yaml";

/// The recorded runs.
pub(crate) const RECORDED: [&str; 9] = [
    "bad-conformance-image",
    "bad-systemd-logs-image",
    "crash",
    "fail",
    "pass",
    "real-dry-run",
    "real-missing-image",
    "real-subset",
    "timeout",
];

/// A product that the bot takes.
pub(crate) const PRODUCT: &str = r#"vendor: "Example, Inc."
name: "Turbo Encabulator"
version: "1.30"
type: "distribution"
description: "A distribution: pre-famulated."
website_url: "https://example.com"
documentation_url: "https://example.com/docs"
contact_email_address: "sales@example.com"
"#;

/// The folder of a recorded run.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/sonobuoy-v0.57.5")
        .join(name)
}

/// The tarball of a recorded run.
pub(crate) fn tarball(name: &str) -> String {
    let path = folder(name).join("results.tar.gz");
    path.to_str().expect("UTF-8").to_owned()
}

/// A tarball under construction.
#[derive(Default)]
pub(crate) struct Run {
    members: Vec<(String, Vec<u8>)>,
}

impl Run {
    /// The members of a recorded tarball.
    pub(crate) fn recorded(name: &str) -> Self {
        let file = std::fs::File::open(tarball(name)).expect("a recorded tarball");
        let mut tar = tar::Archive::new(GzDecoder::new(file));
        let mut members = Vec::new();
        for entry in tar.entries().expect("a tarball") {
            let mut entry = entry.expect("a member");
            let path = entry.path().expect("a path").display().to_string();
            if entry.header().entry_type() == EntryType::Regular {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("a whole member");
                members.push((path, bytes));
            }
        }
        Self { members }
    }

    /// A run of v1.36.3 in which every required test ran and all but `failed` of them passed.
    pub(crate) fn certified(failed: usize) -> Self {
        Self::certified_of("1.36", failed)
    }

    /// The same of another release: the members name `version` instead of v1.36.3.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_version(mut self, version: &str) -> Self {
        for (_, bytes) in &mut self.members {
            if let Ok(text) = std::str::from_utf8(bytes) {
                *bytes = text.replace("v1.36.3", version).into_bytes();
            }
        }
        self
    }

    /// A run in which every test that `minor` requires ran and all but `failed` of them passed.
    pub(crate) fn certified_of(minor: &str, failed: usize) -> Self {
        let tests = required(minor);
        let (failed, passed) = tests.split_at(failed);
        let outcomes = (passed.iter().map(|name| (name, "passed")))
            .chain(failed.iter().map(|name| (name, "failed")));
        let mut status = format!(
            "name: e2e\nstatus: {}\nitems:\n",
            if failed.is_empty() {
                "passed"
            } else {
                "failed"
            }
        );
        for (name, outcome) in outcomes {
            let name = serde_json::Value::from(name.as_str());
            let _ = writeln!(status, "- name: {name}\n  status: {outcome}");
        }
        Self::recorded("pass")
            .with(LOG, log(passed.len(), failed.len()).as_bytes())
            .with(JUNIT, junit(passed, failed).as_bytes())
            .with(STATUS, status.as_bytes())
    }

    /// With this member, in the place of an older one of its name.
    pub(crate) fn with(mut self, path: &str, bytes: &[u8]) -> Self {
        self.members.retain(|(name, _)| name != path);
        self.members.push((path.to_owned(), bytes.to_vec()));
        self
    }

    /// A member's bytes.
    pub(crate) fn member(&self, path: &str) -> &[u8] {
        let found = self.members.iter().find(|(name, _)| name == path);
        &found.expect("a member of this name").1
    }

    /// The `.tar.gz`.
    pub(crate) fn gzip(&self) -> Vec<u8> {
        self.gzip_and(|_| {})
    }

    /// The `.tar.gz`, with what `more` adds at its end.
    pub(crate) fn gzip_and(&self, more: impl FnOnce(&mut Tar)) -> Vec<u8> {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, bytes) in &self.members {
            add(&mut tar, path, EntryType::Regular, bytes);
        }
        more(&mut tar);
        let gzip = tar.into_inner().expect("memory");
        gzip.finish().expect("memory")
    }
}

/// A tarball that is being written.
pub(crate) type Tar = Builder<GzEncoder<Vec<u8>>>;

/// Adds a member whose name is taken as it is, `..` and all; links lead to `/etc/passwd`.
pub(crate) fn add(tar: &mut Tar, path: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = header(path, kind);
    header.set_size(bytes.len() as u64);
    if kind != EntryType::Regular {
        header.set_link_name("/etc/passwd").expect("a short name");
    }
    header.set_cksum();
    tar.append(&header, bytes).expect("memory");
}

/// Adds a file that claims `size` zeros; a mebibyte of them is there.
pub(crate) fn zeros(tar: &mut Tar, path: &str, size: u64) {
    let mut header = header(path, EntryType::Regular);
    header.set_size(size);
    header.set_cksum();
    tar.append(&header, std::io::repeat(0).take(1 << 20))
        .expect("memory");
}

fn header(path: &str, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    let name = &mut header.as_ustar_mut().expect("ustar").name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header
}

/// `bytes`, compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

/// The tests that a minor such as `1.36` requires.
pub(crate) fn required(minor: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct File {
        tests: BTreeMap<String, Vec<String>>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("registries/conformance-tests.yaml");
    let text = std::fs::read_to_string(path).expect("the list");
    let file: File = serde_yaml::from_str(&text).expect("YAML");
    let number = |text: &str| text.trim_start_matches("1.").parse::<u32>().ok();
    let minor = number(minor).expect("a minor");
    let holds = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        number(first) <= Some(minor) && number(last).is_none_or(|last| minor <= last)
    };
    let ranges = file.tests.iter().filter(|(range, _)| holds(range));
    ranges.flat_map(|(_, names)| names.clone()).collect()
}

/// A log that ends with these counts.
pub(crate) fn log(passed: usize, failed: usize) -> String {
    let ran = passed + failed;
    let (word, end) = match failed {
        0 => ("SUCCESS", "Passed"),
        _ => ("FAIL", "Failed"),
    };
    format!(
        "Will run {ran} of 7586 specs\n\nRan {ran} of 7586 Specs in 6720.500 seconds\n\
         {word}! -- {passed} Passed | {failed} Failed | 0 Pending | 7140 Skipped\n\
         Test Suite {end}\n"
    )
}

/// A `JUnit` file as ginkgo v2 writes it.
pub(crate) fn junit(passed: &[String], failed: &[String]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites time=\"6720.5\">\n\
         <testsuite name=\"Kubernetes e2e suite\" time=\"6720.5\" timestamp=\"2026-11-23T08:57:00\">\n\
         <properties><property name=\"SuiteSucceeded\" value=\"true\"/>\
         <property name=\"FocusStrings\" value=\"\\[Conformance\\]\"/>\
         <property name=\"SkipStrings\" value=\"\"/><property name=\"DryRun\" value=\"false\"/></properties>\n\
         <testcase name=\"[SynchronizedBeforeSuite]\" time=\"0.1\"/>\n",
    );
    if !failed.is_empty() {
        text = text.replace(
            "SuiteSucceeded\" value=\"true\"",
            "SuiteSucceeded\" value=\"false\"",
        );
    }
    let outcomes = passed
        .iter()
        .map(|name| (name, "/>"))
        .chain(failed.iter().map(|name| {
            (
                name,
                "><failure>[FAILED] Expected\n    &lt;int&gt;: 1\nto equal 2</failure></testcase>",
            )
        }));
    for (name, end) in outcomes {
        let name = name
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;");
        let _ = writeln!(text, "<testcase name=\"[It] {name}\" time=\"15.25\"{end}");
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}
