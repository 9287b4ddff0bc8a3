//! The shape of one catalogue file, `registries/<minor>.yaml`, and its checks. What is not of this
//! shape is refused with the place and what was expected.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

use super::error::CatalogError;
use super::image::{CatalogImage, Conformance, Flag, Role};
use crate::kube_version::KubeVersion;
use crate::oci::Reference;

/// One minor release. The comment at the top of every file tells what the fields mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MinorFile {
    pub(super) kubernetes: String,
    #[serde(deserialize_with = "date")]
    pub(super) facts_date: jiff::civil::Date,
    pub(super) read_in_full: Vec<KubeVersion>,
    registries: BTreeMap<String, String>,
    images: Vec<Entry>,
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: Option<String>,
    name: Option<String>,
    tag: Option<String>,
    image: Option<String>,
    conformance: Conformance,
    #[serde(default)]
    flags: Vec<Flag>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    first_seen: KubeVersion,
    last_seen_before: KubeVersion,
    #[serde(default)]
    registries: BTreeMap<String, Option<String>>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    add: Vec<Entry>,
}

/// `2026-11-23`.
pub(super) fn date<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<jiff::civil::Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format_args!("`{text}` is not a date: expected YYYY-MM-DD"))
    })
}

/// The list of one patch release.
#[derive(Debug)]
pub(super) struct PatchList {
    pub(super) images: Vec<CatalogImage>,
    pub(super) registries: BTreeMap<String, String>,
}

impl MinorFile {
    /// Reads `text`, which came from `file`, the file of `minor` (`1.36`).
    pub(super) fn parse(file: &str, minor: &str, text: &str) -> Result<Self, CatalogError> {
        let malformed = |message: String| CatalogError::Malformed {
            file: file.to_owned(),
            message,
        };
        let parsed: Self = serde_yaml::from_str(text).map_err(|e| malformed(e.to_string()))?;
        parsed.check(minor).map_err(malformed)?;
        Ok(parsed)
    }

    fn check(&self, minor: &str) -> Result<(), String> {
        if self.kubernetes != minor {
            return Err(format!(
                "it says kubernetes: {}, but its name says {minor}",
                self.kubernetes
            ));
        }
        if self.read_in_full.is_empty() {
            return Err("read_in_full is empty: expected at least one patch release".to_owned());
        }
        for version in &self.read_in_full {
            if version.minor_name() != minor || version.patch().is_none() {
                return Err(format!(
                    "read_in_full names {version}: expected patch releases such as {minor}.1"
                ));
            }
        }
        if !self.read_in_full.is_sorted_by(|a, b| a < b) {
            return Err("read_in_full is not in ascending order".to_owned());
        }
        let known: BTreeSet<&KubeVersion> = self.read_in_full.iter().collect();
        for change in &self.changes {
            for version in [&change.first_seen, &change.last_seen_before] {
                if !known.contains(version) {
                    return Err(format!(
                        "a change names {version}, which is not in read_in_full"
                    ));
                }
            }
        }
        if !self
            .changes
            .is_sorted_by(|a, b| a.first_seen < b.first_seen)
        {
            return Err("changes are not in ascending order of first_seen".to_owned());
        }
        Ok(())
    }

    /// The list of `patch`, one of [`Self::read_in_full`]: that of the first one, with every change
    /// up to it applied. Sorted by what e2e.test prints, as e2e.test sorts.
    pub(super) fn list_of(&self, patch: &KubeVersion) -> Result<PatchList, String> {
        let mut registries = self.registries.clone();
        let mut images = BTreeMap::new();
        add(&mut images, &self.images, &registries)?;
        for change in self.changes.iter().take_while(|c| c.first_seen <= *patch) {
            for listed in &change.remove {
                if images.remove(listed).is_none() {
                    return Err(format!(
                        "the change of {} removes {listed}, which is not listed before",
                        change.first_seen
                    ));
                }
            }
            for (key, prefix) in &change.registries {
                match prefix {
                    Some(prefix) => registries.insert(key.clone(), prefix.clone()),
                    None => registries.remove(key),
                };
            }
            add(&mut images, &change.add, &registries)?;
        }
        for image in images.values() {
            if let Some(key) = &image.key
                && registries.get(key).is_none_or(|prefix| {
                    image.listed != format!("{prefix}/{}:{}", image.name, image.tag)
                })
            {
                return Err(format!(
                    "{} is listed under {key} at {patch}, but registries disagrees there",
                    image.listed
                ));
            }
        }
        Ok(PatchList {
            images: images.into_values().collect(),
            registries,
        })
    }
}

/// Adds `entries` to `images`, which are keyed by what e2e.test prints.
fn add(
    images: &mut BTreeMap<String, CatalogImage>,
    entries: &[Entry],
    registries: &BTreeMap<String, String>,
) -> Result<(), String> {
    for entry in entries {
        let image = entry.image(registries)?;
        if let Some(twice) = images.insert(image.listed.clone(), image) {
            return Err(format!("{} is listed twice", twice.listed));
        }
    }
    Ok(())
}

impl Entry {
    fn image(&self, registries: &BTreeMap<String, String>) -> Result<CatalogImage, String> {
        let listed = match (&self.image, &self.key, &self.name, &self.tag) {
            (Some(image), None, None, None) => image.clone(),
            (None, Some(key), Some(name), Some(tag)) => {
                let prefix = registries.get(key).ok_or_else(|| {
                    format!("{name}:{tag} has the key {key}, which is not in registries")
                })?;
                format!("{prefix}/{name}:{tag}")
            }
            _ => {
                return Err(format!(
                    "the entry {} needs either key, name and tag, or image alone",
                    self.image
                        .as_deref()
                        .or(self.name.as_deref())
                        .unwrap_or("without a name")
                ));
            }
        };
        let source: Reference = listed.parse().map_err(|e| format!("{e}"))?;
        let (name, tag) = match (&self.name, &self.tag) {
            (Some(name), Some(tag)) => (name.clone(), tag.clone()),
            _ => (
                source.repository().path().to_owned(),
                source.reference().to_string(),
            ),
        };
        Ok(CatalogImage {
            source,
            listed,
            role: Role::Test,
            key: self.key.clone(),
            name,
            tag,
            conformance: Some(self.conformance),
            flags: self.flags.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
kubernetes: '1.40'
facts_date: '2026-11-23'
read_in_full: [1.40.0, 1.40.2]
registries: {a: example.com/x, b: example.com}
images:
- {key: a, name: volume/nfs, tag: '1.0', conformance: 'yes'}
- {image: busybox:1.0, conformance: 'no', flags: [storage_manifest]}
changes:
- first_seen: 1.40.2
  last_seen_before: 1.40.0
  registries: {a: null, c: example.com/y}
  remove:
  - example.com/x/volume/nfs:1.0
  add:
  - {key: c, name: nfs, tag: '2.0', conformance: likely}
";

    fn listed(file: &MinorFile, patch: &str) -> Vec<String> {
        let list = file.list_of(&patch.parse().expect("a version"));
        list.expect("a list")
            .images
            .into_iter()
            .map(|i| i.listed)
            .collect()
    }

    #[test]
    fn changes_apply_up_to_the_patch() {
        let file = MinorFile::parse("1.40.yaml", "1.40", GOOD).expect("a file");
        assert_eq!(
            listed(&file, "1.40.0"),
            ["busybox:1.0", "example.com/x/volume/nfs:1.0"]
        );
        assert_eq!(
            listed(&file, "1.40.2"),
            ["busybox:1.0", "example.com/y/nfs:2.0"]
        );
        let list = file
            .list_of(&"1.40.2".parse().expect("a version"))
            .expect("a list");
        assert_eq!(list.registries.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(
            list.images[0].source.to_string(),
            "docker.io/library/busybox:1.0"
        );
        assert_eq!(list.images[0].key, None);
    }

    #[test]
    fn what_is_malformed_is_refused_with_place_and_expectation() {
        for (from, to, part) in [
            (
                "images:",
                "imagez:",
                "unknown field `imagez`, expected one of",
            ),
            ("images:", "imagez:", "line 5"),
            (
                "conformance: likely",
                "conformance: perhaps",
                "expected one of `no`, `unknown`",
            ),
            ("2026-11-23", "yesterday", "expected YYYY-MM-DD"),
            (
                "kubernetes: '1.40'",
                "kubernetes: '1.41'",
                "its name says 1.40",
            ),
            ("1.40.0, 1.40.2", "1.40.2, 1.40.0", "ascending"),
            (
                "first_seen: 1.40.2",
                "first_seen: 1.40.1",
                "not in read_in_full",
            ),
            (
                "key: a, name: volume/nfs, ",
                "key: a, ",
                "either key, name and tag",
            ),
            ("registries: {a", "registries: [a", "line"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let outcome = MinorFile::parse("x/1.40.yaml", "1.40", &text)
                .map_err(|e| e.to_string())
                .and_then(|file| {
                    let newest = file.read_in_full.last().expect("one").clone();
                    file.list_of(&newest).map(|_| ())
                });
            let error = outcome.expect_err(part);
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_change_must_fit_the_list() {
        for (from, to, part) in [
            (
                "- example.com/x/volume/nfs:1.0",
                "- example.com/x/nfs:1.0",
                "not listed before",
            ),
            ("key: c,", "key: d,", "not in registries"),
            (
                "  remove:\n  - example.com/x/volume/nfs:1.0\n",
                "",
                "registries disagrees",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let file = MinorFile::parse("1.40.yaml", "1.40", &text).expect("a shape");
            let newest = "1.40.2".parse().expect("a version");
            let error = file.list_of(&newest).expect_err(part);
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
