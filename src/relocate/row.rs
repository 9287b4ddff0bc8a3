//! One image and where it goes: a row of `images -o json`.

use serde::Serialize;

use crate::catalog::{CatalogImage, Conformance, Flag, Role};
use crate::kube_version::KubeVersion;
use crate::oci::Reference;

/// One image at one target. Serialises to `{source, target, role, key, conformance, flags,
/// skipped, versions}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The source as e2e.test prints it; see [`CatalogImage::listed`].
    #[serde(rename = "source")]
    pub listed: String,
    /// Where it is pulled from.
    #[serde(skip)]
    pub source: Reference,
    /// Where it goes; none without a TARGET or when it is skipped.
    pub target: Option<Reference>,
    /// What it is for.
    pub role: Role,
    /// The registry key that renames it.
    pub key: Option<String>,
    /// Whether a conformance test needs it; the strongest word of all versions. None for what is
    /// no test image.
    pub conformance: Option<Conformance>,
    /// What is special about it, in every one of the versions.
    pub flags: Vec<Flag>,
    /// Why it is not mirrored.
    pub skipped: Option<Skipped>,
    /// The Kubernetes versions that list it, ascending; for sonobuoy's images and extra ones all
    /// that were asked for.
    pub versions: Vec<KubeVersion>,
}

/// Why an image is not mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// Its host does not exist; tests expect that.
    Unpullable,
    /// It needs credentials that nobody has; tests expect that.
    NeedsCredentials,
    /// The user's choice leaves it out, or a custom repo config leaves its key out.
    Filter,
}

impl Skipped {
    /// The stable word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpullable => "unpullable",
            Self::NeedsCredentials => "needs_credentials",
            Self::Filter => "filter",
        }
    }

    /// Why tests expect the pull of `image` to fail, when they do.
    pub(super) fn forbidden(image: &CatalogImage) -> Option<Self> {
        if image.flags.contains(&Flag::Unpullable) {
            Some(Self::Unpullable)
        } else if image.flags.contains(&Flag::NeedsCredentials) {
            Some(Self::NeedsCredentials)
        } else {
            None
        }
    }
}

impl Row {
    /// A row of a test image.
    pub(super) fn of_test(
        image: &CatalogImage,
        target: Option<Reference>,
        skipped: Option<Skipped>,
        version: &KubeVersion,
    ) -> Self {
        Self {
            listed: image.listed.clone(),
            source: image.source.clone(),
            target,
            role: image.role,
            key: image.key.clone(),
            conformance: image.conformance,
            flags: image.flags.clone(),
            skipped,
            versions: vec![version.clone()],
        }
    }

    /// A row of an image that no test list holds.
    pub(super) fn of_other(
        role: Role,
        source: &Reference,
        target: Option<Reference>,
        versions: Vec<KubeVersion>,
    ) -> Self {
        Self {
            listed: source.to_string(),
            source: source.clone(),
            target,
            role,
            key: None,
            conformance: None,
            flags: Vec::new(),
            skipped: None,
            versions,
        }
    }

    /// The same image at the same target, in another version.
    pub(super) fn merge(&mut self, other: Self) {
        self.conformance = self.conformance.max(other.conformance);
        // "Used only there" must hold for every version; that a pull is expected to fail, for one.
        self.flags
            .retain(|flag| flag.forbids_pull() || other.flags.contains(flag));
        for version in other.versions {
            if !self.versions.contains(&version) {
                self.versions.push(version);
            }
        }
    }

    /// Leaves the image out.
    pub(super) fn skip(&mut self) {
        self.target = None;
        self.skipped = Some(Skipped::Filter);
    }
}
