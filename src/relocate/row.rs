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

    /// Whether both stand for the same image and are mirrored, or not, for the same reason.
    pub(super) fn is_same_but_for_versions(&self, other: &Self) -> bool {
        self.listed == other.listed && self.target == other.target && self.skipped == other.skipped
    }

    /// Takes in the same image of other versions.
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
        self.versions.sort();
    }

    /// Leaves the image out.
    pub(super) fn skip(&mut self) {
        self.target = None;
        self.skipped = Some(Skipped::Filter);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalog::ImageSet;
    use crate::relocate::bench::{Bench, row};
    use crate::relocate::{Filters, Layout};

    #[test]
    fn a_row_serialises_to_its_contract() {
        let bench = Bench::new(&["v1.36.3"]);
        let relocation = bench.relocate("reg.io/k8s", &Layout::Flat, &Filters::default());
        let json = |source: &str| serde_json::to_string(row(&relocation, source)).expect("JSON");
        assert_eq!(
            json("registry.k8s.io/e2e-test-images/agnhost:2.63.0"),
            r#"{"source":"registry.k8s.io/e2e-test-images/agnhost:2.63.0","target":"reg.io/k8s/agnhost:2.63.0","role":"test","key":"promoterE2eRegistry","conformance":"yes","flags":[],"skipped":null,"versions":["v1.36.3"]}"#
        );
        assert_eq!(
            json("gcr.io/k8s-authenticated-test/agnhost:2.6"),
            r#"{"source":"gcr.io/k8s-authenticated-test/agnhost:2.6","target":null,"role":"test","key":"privateRegistry","conformance":"no","flags":["needs_credentials"],"skipped":"needs_credentials","versions":["v1.36.3"]}"#
        );
        assert_eq!(
            json("docker.io/sonobuoy/systemd-logs:v0.4"),
            r#"{"source":"docker.io/sonobuoy/systemd-logs:v0.4","target":"reg.io/k8s/sonobuoy/systemd-logs:v0.4","role":"systemd-logs","key":null,"conformance":null,"flags":[],"skipped":null,"versions":["v1.36.3"]}"#
        );
    }

    #[test]
    fn several_versions_share_rows() {
        let bench = Bench::new(&["1.36", "1.35", "v1.36.3", "v1.36.3+k3s1"]);
        let relocation = bench.relocate("reg.io/k8s", &Layout::KeepPath, &Filters::default());
        let versions = |source: &str| {
            let versions = &row(&relocation, source).versions;
            versions
                .iter()
                .map(KubeVersion::to_string)
                .collect::<Vec<_>>()
        };
        let both = ["v1.35.7", "v1.36.3"];
        assert_eq!(
            versions("registry.k8s.io/e2e-test-images/volume/nfs:1.6.0").len(),
            1
        );
        assert_eq!(
            versions("registry.k8s.io/e2e-test-images/nginx:1.15-4"),
            both
        );
        assert_eq!(versions("invalid.registry.k8s.io/invalid/alpine:3.1"), both);
        assert_eq!(versions("docker.io/sonobuoy/sonobuoy:v0.57.5"), both);
        assert_eq!(versions("registry.k8s.io/conformance:v1.35.7"), both[..1]);
        assert_eq!(versions("registry.k8s.io/conformance:v1.36.3"), both[1..]);
        let roles: Vec<Role> = relocation.rows().iter().map(|row| row.role).collect();
        assert!(roles.is_sorted(), "{roles:?}");
        let tests = relocation
            .rows()
            .iter()
            .filter(|row| row.role == Role::Test);
        assert!(tests.is_sorted_by_key(|row| &row.listed));
    }

    #[test]
    fn merging_keeps_the_strongest_need_and_the_common_flags() {
        let bench = Bench::new(&["v1.36.3", "v1.35.7"]);
        let shared = |set: &ImageSet| -> BTreeMap<String, Option<Conformance>> {
            let images = set.images.iter();
            images.map(|i| (i.listed.clone(), i.conformance)).collect()
        };
        let (new, old) = (shared(&bench.sets[0]), shared(&bench.sets[1]));
        let relocation = bench.relocate("reg.io/k8s", &Layout::KeepPath, &Filters::default());
        let mut merged = 0;
        for (listed, conformance) in &new {
            if let Some(other) = old.get(listed) {
                assert_eq!(
                    row(&relocation, listed).conformance,
                    *conformance.max(other)
                );
                merged += 1;
            }
        }
        assert!(merged > 10, "{merged}");
    }
}
