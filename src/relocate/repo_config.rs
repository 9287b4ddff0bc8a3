//! The file behind `KUBE_TEST_REPO_LIST`: registry key ▶ prefix, a flat YAML map.

use std::collections::{BTreeMap, BTreeSet};

use super::error::RelocateError;
use super::target::TargetPrefix;
use crate::catalog::ImageSet;

/// Keys whose images tests fail to pull on purpose. Renamed, those pulls might succeed and the
/// tests fail, so no file ever holds them.
pub(super) const NEVER_RENAMED: [&str; 3] = [
    "gcAuthenticatedRegistry",
    "invalidRegistry",
    "privateRegistry",
];

/// Prefixes by registry key, sorted by key. No value is empty: e2e.test would take it as an empty
/// prefix and ask for `/pause:3.10`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepoConfig {
    prefixes: BTreeMap<String, TargetPrefix>,
}

impl RepoConfig {
    /// The user's own file, `--e2e-repo-config`. `file` names it in errors; `sets` say which keys
    /// there are: one that none of them reads is refused, because e2e.test would ignore it in
    /// silence.
    pub fn parse(file: &str, text: &str, sets: &[ImageSet]) -> Result<Self, RelocateError> {
        let malformed = |message: String| RelocateError::MalformedRepoConfig {
            file: file.to_owned(),
            message,
        };
        let map: serde_yaml::Mapping =
            serde_yaml::from_str(text).map_err(|e| malformed(e.to_string()))?;
        let known: BTreeSet<&String> = sets.iter().flat_map(|set| set.registries.keys()).collect();
        let mut prefixes = BTreeMap::new();
        for (key, value) in &map {
            let Some(key) = key.as_str() else {
                return Err(malformed("a key is not text".to_owned()));
            };
            let line = line_of(text, key);
            if !known.contains(&key.to_owned()) {
                return Err(RelocateError::UnknownKey {
                    file: file.to_owned(),
                    line,
                    key: key.to_owned(),
                    versions: versions(sets),
                    known: known.into_iter().cloned().collect(),
                });
            }
            let prefix = prefix(value).map_err(|reason| RelocateError::InvalidValue {
                file: file.to_owned(),
                line,
                key: key.to_owned(),
                reason,
            })?;
            prefixes.insert(key.to_owned(), prefix);
        }
        Ok(Self { prefixes })
    }

    /// The prefix of `key`.
    pub fn get(&self, key: &str) -> Option<&TargetPrefix> {
        self.prefixes.get(key)
    }

    /// Keys and prefixes, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TargetPrefix)> {
        self.prefixes
            .iter()
            .map(|(key, prefix)| (key.as_str(), prefix))
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The file: `header` as comment lines, then one key a line.
    pub fn to_yaml(&self, header: &str) -> String {
        let mut text = String::new();
        for line in header.lines() {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        }
        for (key, prefix) in &self.prefixes {
            for part in [key, ": ", &scalar(&prefix.to_string()), "\n"] {
                text.push_str(part);
            }
        }
        if self.prefixes.is_empty() {
            text.push_str("{}\n");
        }
        text
    }
}

impl FromIterator<(String, TargetPrefix)> for RepoConfig {
    fn from_iter<I: IntoIterator<Item = (String, TargetPrefix)>>(prefixes: I) -> Self {
        Self {
            prefixes: prefixes.into_iter().collect(),
        }
    }
}

fn prefix(value: &serde_yaml::Value) -> Result<TargetPrefix, String> {
    let text = match value {
        serde_yaml::Value::String(text) => text.as_str(),
        serde_yaml::Value::Null => "",
        _ => return Err("it is not text".to_owned()),
    };
    if text.is_empty() {
        return Err(
            "it is empty, which e2e.test takes as an empty prefix; leave the key out to keep its default"
                .to_owned(),
        );
    }
    text.parse()
        .map_err(|e: super::target::InvalidTarget| e.to_string())
}

/// The line on which `key` is set, when exactly one looks like it.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let sets_key = |line: &str| {
        let line = line.trim_start().trim_start_matches(['\'', '"']);
        line.strip_prefix(key).is_some_and(|rest| {
            rest.trim_start_matches(['\'', '"'])
                .trim_start()
                .starts_with(':')
        })
    };
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| sets_key(line));
    match (lines.next(), lines.next()) {
        (Some((number, _)), None) => Some(number),
        _ => None,
    }
}

fn versions(sets: &[ImageSet]) -> String {
    let names: Vec<String> = sets.iter().map(|set| set.requested.to_string()).collect();
    format!("Kubernetes {}", names.join(", "))
}

/// `text` as a YAML scalar, quoted where YAML 1.1 or 1.2 could take it for a number: `1:20` is a
/// number in base 60 to some parsers, and `1.5:20` too.
fn scalar(text: &str) -> String {
    let is_text = text.contains(|c: char| c.is_ascii_lowercase() && !c.is_ascii_hexdigit())
        || text.contains('/')
        || text.matches('.').count() > 2;
    if is_text && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        text.to_owned()
    } else {
        format!("'{text}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn sets() -> Vec<ImageSet> {
        let catalog = Catalog::embedded();
        let set = |v: &str| catalog.resolve(&v.parse().expect(v)).expect(v);
        vec![set("1.17"), set("1.36")]
    }

    #[test]
    fn a_file_is_read_and_written_again() {
        let text = "# mine\npromoterE2eRegistry: reg.io/e2e\n\"gcRegistry\": 'reg.io:5000'\n";
        let config = RepoConfig::parse("f.yaml", text, &sets()).expect("a config");
        assert_eq!(config.len(), 2);
        let written = config.to_yaml("one\n\ntwo");
        assert_eq!(
            written,
            "# one\n#\n# two\ngcRegistry: reg.io:5000\npromoterE2eRegistry: reg.io/e2e\n"
        );
        let again = RepoConfig::parse("f.yaml", &written, &sets()).expect("a config");
        assert_eq!(again, config);
        let empty = RepoConfig::parse("f.yaml", "{}", &sets()).expect("a config");
        assert_eq!(empty.to_yaml(""), "{}\n");
    }

    #[test]
    fn what_might_be_a_number_is_quoted() {
        for (text, shown) in [
            ("127.0.0.1:5000", "127.0.0.1:5000"),
            ("10.5:5000", "'10.5:5000'"),
            ("1:20", "'1:20'"),
            ("1.5", "'1.5'"),
            ("1e.5", "'1e.5'"),
            ("1:20/k8s", "1:20/k8s"),
            ("reg.io", "reg.io"),
        ] {
            assert_eq!(scalar(text), shown);
        }
    }

    #[test]
    fn what_e2e_test_would_misread_is_refused() {
        for (text, parts) in [
            ("a: b\n- c", &["f.yaml", "line 2"][..]),
            ("- a", &["f.yaml", "expected lines such as"]),
            ("gcRegistry: a.io\ngcRegistry: b.io", &["duplicate"]),
            (
                "gcRegistry: a.io\n gcrRegistry: b.io",
                &["f.yaml", "expected lines such as"],
            ),
            (
                "gcRegistry: a.io\ngcrRegistry: b.io",
                &[
                    "line 2",
                    "`gcrRegistry`",
                    "v1.17, v1.36",
                    "promoterE2eRegistry",
                ],
            ),
            ("gcRegistry:", &["line 1", "`gcRegistry`", "is empty"]),
            ("gcRegistry: ''", &["line 1", "is empty"]),
            (
                "gcRegistry: https://a.io/",
                &["a scheme", "write it like a.io"],
            ),
            ("gcRegistry: [a.io]", &["is not text"]),
            ("1: a.io", &["a key is not text"]),
        ] {
            let error = RepoConfig::parse("f.yaml", text, &sets())
                .expect_err(text)
                .to_string();
            for part in parts {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
    }
}
