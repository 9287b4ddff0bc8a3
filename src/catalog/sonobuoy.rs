//! Sonobuoy's own images by release: `registries/sonobuoy.yaml`.

use serde::{Deserialize, Serialize};

use super::error::CatalogError;
use crate::oci::{InvalidReference, Reference};

/// The images that one sonobuoy release runs by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SonobuoyImages {
    /// The release, with its `v`.
    pub version: String,
    /// Aggregator and workers.
    pub sonobuoy: Reference,
    /// The systemd-logs plugin.
    pub systemd_logs: Reference,
    /// What the user should know about this release, one sentence each.
    pub notices: Vec<String>,
}

/// A sonobuoy release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Release(semver::Version);

impl Release {
    fn parse(text: &str) -> Option<Self> {
        semver::Version::parse(text.strip_prefix('v').unwrap_or(text))
            .ok()
            // A tag cannot hold the `+` of build metadata, so no image has it.
            .filter(|version| version.build.is_empty())
            .map(Self)
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl<'de> Deserialize<'de> for Release {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!("`{text}` is no release such as v0.57.5"))
        })
    }
}

/// The file; its comment tells what the fields mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SonobuoyFile {
    #[serde(rename = "facts_date", deserialize_with = "super::file::date")]
    _facts_date: jiff::civil::Date,
    default: Release,
    lowest: Release,
    newest: Release,
    sonobuoy: String,
    systemd_logs: String,
    systemd_logs_tags: Vec<TagFrom>,
    refused: Vec<Remark>,
    cautions: Vec<Remark>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TagFrom {
    from: Release,
    tag: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remark {
    release: Release,
    reason: String,
}

impl SonobuoyFile {
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, CatalogError> {
        let malformed = |message: String| CatalogError::Malformed {
            file: file.to_owned(),
            message,
        };
        let parsed: Self = serde_yaml::from_str(text).map_err(|e| malformed(e.to_string()))?;
        for release in [&parsed.default, &parsed.lowest] {
            parsed.references(release).map_err(malformed)?;
        }
        Ok(parsed)
    }

    /// See [`super::Catalog::sonobuoy`].
    pub(super) fn images(&self, release: Option<&str>) -> Result<SonobuoyImages, CatalogError> {
        let invalid = |text: &str| CatalogError::InvalidSonobuoyRelease {
            text: text.to_owned(),
        };
        let release = match release {
            Some(text) => Release::parse(text).ok_or_else(|| invalid(text))?,
            None => self.default.clone(),
        };
        let refuse = |reason: String| CatalogError::RefusedSonobuoyRelease {
            release: release.to_string(),
            reason,
            instead: self.default.to_string(),
        };
        if let Some(refused) = self.refused.iter().find(|r| r.release == release) {
            return Err(refuse(refused.reason.clone()));
        }
        if release < self.lowest {
            return Err(refuse(format!(
                "the oldest that can certify is {}",
                self.lowest
            )));
        }
        let mut notices: Vec<String> = self
            .cautions
            .iter()
            .filter(|caution| caution.release == release)
            .map(|caution| format!("sonobuoy {release}: {}", caution.reason))
            .collect();
        if release > self.newest {
            notices.push(format!(
                "sonobuoy {release} is newer than the catalogue: using the images that {} runs",
                self.newest
            ));
        }
        let (sonobuoy, systemd_logs) = self
            .references(&release)
            .map_err(|_| invalid(&release.to_string()))?;
        Ok(SonobuoyImages {
            version: release.to_string(),
            sonobuoy,
            systemd_logs,
            notices,
        })
    }

    fn references(&self, release: &Release) -> Result<(Reference, Reference), String> {
        let newest_first = self.systemd_logs_tags.iter().rev();
        let tag = newest_first
            .map(|entry| (&entry.from, &entry.tag))
            .find(|(from, _)| *from <= release)
            .map(|(_, tag)| tag)
            .ok_or_else(|| format!("systemd_logs_tags has no tag for {release}"))?;
        let reference = |text: String| text.parse().map_err(|e: InvalidReference| e.to_string());
        Ok((
            reference(format!("{}:{release}", self.sonobuoy))?,
            reference(format!("{}:{tag}", self.systemd_logs))?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;

    #[test]
    fn a_release_has_its_images() {
        let catalog = Catalog::embedded();
        for (asked, version, systemd_logs, notices) in [
            (None, "v0.57.5", "v0.4", 0),
            (Some("0.57.4"), "v0.57.4", "v0.4", 0),
            (Some("v0.55.0"), "v0.55.0", "v0.4", 0),
            (Some("v0.54.0"), "v0.54.0", "v0.3", 0),
            (Some("v0.53.2"), "v0.53.2", "v0.3", 0),
            (Some("v0.56.16"), "v0.56.16", "v0.4", 1),
            (Some("v0.58.0"), "v0.58.0", "v0.4", 1),
        ] {
            let images = catalog.sonobuoy(asked).expect(version);
            assert_eq!(images.version, version);
            assert_eq!(
                images.sonobuoy.to_string(),
                format!("docker.io/sonobuoy/sonobuoy:{version}")
            );
            assert_eq!(
                images.systemd_logs.to_string(),
                format!("docker.io/sonobuoy/systemd-logs:{systemd_logs}")
            );
            assert_eq!(images.notices.len(), notices, "{:?}", images.notices);
        }
    }

    #[test]
    fn a_release_that_cannot_certify_is_refused() {
        let catalog = Catalog::embedded();
        for (asked, part) in [
            ("v0.53.0", "wrong path of the repo config"),
            ("v0.53.1", "leaves tests out"),
            (
                "0.52.0",
                "the oldest that can certify is v0.53.2; use v0.57.5",
            ),
            ("newest", "like v0.57.5"),
            ("0.57", "like v0.57.5"),
            ("v0.57.5+x", "like v0.57.5"),
        ] {
            let error = catalog.sonobuoy(Some(asked)).expect_err(asked).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
