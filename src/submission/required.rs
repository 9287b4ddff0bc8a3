//! The tests that a release requires: compiled in for the minors that are known, from Kubernetes'
//! own conformance.yaml for others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::error::SubmissionError;
use super::junit_rule::comparable;
use crate::kube_version::KubeVersion;

/// The compiled-in lists.
static EMBEDDED: LazyLock<File> = LazyLock::new(|| {
    serde_yaml::from_str(include_str!("../../registries/conformance-tests.yaml"))
        .expect("a compiled-in file is well-formed")
});

#[derive(Deserialize)]
struct File {
    required: BTreeMap<String, usize>,
    tests: BTreeMap<String, Vec<String>>,
}

/// The required tests of one minor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredTests {
    /// Codenames, in the form in which names are compared.
    pub(super) names: BTreeSet<String>,
    /// Where the list comes from, for the report.
    pub(super) source: String,
}

/// An entry of conformance.yaml; its other members do not matter.
#[derive(Deserialize)]
struct Entry {
    codename: String,
    release: String,
}

impl RequiredTests {
    /// The compiled-in list of a minor; none for minors that it does not cover.
    pub fn embedded(release: &KubeVersion) -> Option<Self> {
        EMBEDDED.required.get(&release.minor_name())?;
        let requires = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let bound = |text: &str| text.parse::<KubeVersion>().ok().map(|v| minor(&v));
            bound(first).is_some_and(|first| first <= minor(release))
                && bound(last).is_none_or(|last| minor(release) <= last)
        };
        let lists = EMBEDDED.tests.iter().filter(|(range, _)| requires(range));
        Some(Self {
            names: lists
                .flat_map(|(_, names)| names)
                .map(|n| comparable(n))
                .collect(),
            source: "the compiled-in list".into(),
        })
    }

    /// Kubernetes' test/conformance/testdata/conformance.yaml: entries one of whose releases is not
    /// above `release`. `file` is named in errors and in the report.
    pub fn from_yaml(
        file: &str,
        text: &str,
        release: &KubeVersion,
    ) -> Result<Self, SubmissionError> {
        let malformed = |message: String| SubmissionError::TestsFile {
            file: file.to_owned(),
            message,
        };
        let entries: Vec<Entry> =
            serde_yaml::from_str(text).map_err(|e| malformed(e.to_string()))?;
        let mut names = BTreeSet::new();
        for entry in entries {
            for since in entry.release.split(',') {
                let since: KubeVersion =
                    since
                        .trim()
                        .parse()
                        .map_err(|source| SubmissionError::TestsFileRelease {
                            file: file.to_owned(),
                            test: entry.codename.clone(),
                            source,
                        })?;
                if minor(&since) <= minor(release) {
                    names.insert(comparable(&entry.codename));
                    break;
                }
            }
        }
        if names.is_empty() {
            return Err(malformed(format!(
                "it requires no test of v{}",
                release.minor_name()
            )));
        }
        Ok(Self {
            names,
            source: file.to_owned(),
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none, which no constructor lets happen.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn minor(version: &KubeVersion) -> (u64, u64) {
    (version.major(), version.minor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> KubeVersion {
        text.parse().expect("a version")
    }

    #[test]
    fn every_covered_minor_has_its_number() {
        for (minor, count) in &EMBEDDED.required {
            let required = RequiredTests::embedded(&release(minor)).expect("covered");
            assert_eq!(required.len(), *count, "{minor}");
        }
        // Counted in the sources of the releases.
        for (minor, count) in [
            ("v1.29", 388),
            ("v1.34", 424),
            ("v1.36.3", 446),
            ("v1.37", 462),
        ] {
            let required = RequiredTests::embedded(&release(minor)).expect("covered");
            assert_eq!(required.len(), count, "{minor}");
        }
        assert_eq!(RequiredTests::embedded(&release("v1.28")), None);
        assert_eq!(RequiredTests::embedded(&release("v1.38")), None);
    }

    #[test]
    fn a_tests_file_counts_up_to_the_release() {
        let text = "- testname: a\n  codename: '[sig-x] a [Conformance]'\n  description: |\n    long\n  release: v1.9\n  file: x.go\n\
                    - codename: b [Conformance]\n  release: v1.30, v1.12\n- codename: c [Conformance]\n  release: v1.29\n";
        let of = |version| RequiredTests::from_yaml("conformance.yaml", text, &release(version));
        assert_eq!(of("v1.28").expect("well-formed").len(), 2);
        assert_eq!(of("v1.29").expect("well-formed").len(), 3);
        assert!(matches!(of("v1.5"), Err(SubmissionError::TestsFile { .. })));
        let bad = "- codename: a\n  release: soon\n";
        let error = RequiredTests::from_yaml("f", bad, &release("v1.28"));
        assert!(matches!(
            error,
            Err(SubmissionError::TestsFileRelease { .. })
        ));
        assert!(RequiredTests::from_yaml("f", "a: b", &release("v1.28")).is_err());
    }
}
