//! What the catalogue hands out: the images of one Kubernetes version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kube_version::KubeVersion;
use crate::oci::Reference;

/// The images of one Kubernetes version, as `e2e.test --list-images` prints them, and the keys by
/// which they can be renamed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageSet {
    /// What was asked for.
    pub requested: KubeVersion,
    /// The version of the conformance image: the requested patch, or the newest known one of a
    /// minor; no vendor suffix, a pre-release kept.
    pub version: KubeVersion,
    /// The patch release whose list this is.
    pub listed_as: KubeVersion,
    /// The image that holds e2e.test itself: `registry.k8s.io/conformance:v<version>`.
    pub conformance_image: Reference,
    /// The test images, sorted by what e2e.test prints.
    pub images: Vec<CatalogImage>,
    /// Every key of `KUBE_TEST_REPO_LIST` that this version reads, with its compiled-in prefix.
    pub registries: BTreeMap<String, String>,
    /// What the user should know about how the list was found, one sentence each.
    pub notices: Vec<String>,
}

/// One image that e2e.test knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogImage {
    /// Where upstream keeps it. k8s.gcr.io stays k8s.gcr.io.
    pub source: Reference,
    /// The text that e2e.test prints: `source`, but for a Docker Hub name that is printed without
    /// its host (`alpine/socat:1.0.3`).
    pub listed: String,
    /// [`Role::Test`].
    pub role: Role,
    /// The registry key that renames it; none when no key reaches it.
    pub key: Option<String>,
    /// The name under the key's prefix, which may hold a slash (`volume/nfs`); with no key the
    /// repository's path.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// Whether a conformance test needs it.
    pub conformance: Option<Conformance>,
    /// What is special about it.
    pub flags: Vec<Flag>,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Pods of tests run it.
    Test,
    /// It holds e2e.test.
    Conformance,
    /// Sonobuoy's aggregator and workers.
    Sonobuoy,
    /// Sonobuoy's plugin that reads the nodes' journals.
    SystemdLogs,
    /// The user asked for it.
    Extra,
}

impl Role {
    /// The stable word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Conformance => "conformance",
            Self::Sonobuoy => "sonobuoy",
            Self::SystemdLogs => "systemd-logs",
            Self::Extra => "extra",
        }
    }

    /// Whether a conformance run itself needs it, whatever its tests need.
    pub fn is_runner(self) -> bool {
        matches!(self, Self::Conformance | Self::Sonobuoy | Self::SystemdLogs)
    }
}

/// Whether a `[Conformance]` test, its set-up or a helper of either names an image. Ordered from
/// "not needed" to "needed". From Kubernetes 1.29 only [`Self::Yes`] and [`Self::No`] occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conformance {
    /// Nothing that a conformance test runs names it.
    No,
    /// Not looked into.
    Unknown,
    /// Looked for, nothing found.
    NoEvidence,
    /// By its name, or a helper's.
    Likely,
    /// Seen in a conformance test.
    Yes,
}

impl Conformance {
    /// The stable word, as in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::NoEvidence => "no_evidence",
            Self::Likely => "likely",
            Self::Yes => "yes",
        }
    }
}

/// What is special about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Its host does not exist: tests expect the pull to fail. Never pulled.
    Unpullable,
    /// Tests expect an anonymous pull to fail. Never pulled.
    NeedsCredentials,
    /// Comes from a manifest of the storage tests: printed under its upstream name even when a key
    /// is set, renamed when a test deploys it.
    StorageManifest,
    /// Used only by node tests.
    NodeE2e,
    /// Used only on nodes with a GPU.
    Gpu,
    /// Used only on Google Compute Engine.
    Gce,
    /// Used only on Windows nodes.
    Windows,
    /// Published for linux/amd64 only.
    #[serde(rename = "amd64_only")]
    Amd64Only,
}

impl Flag {
    /// The stable word, as in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpullable => "unpullable",
            Self::NeedsCredentials => "needs_credentials",
            Self::StorageManifest => "storage_manifest",
            Self::NodeE2e => "node_e2e",
            Self::Gpu => "gpu",
            Self::Gce => "gce",
            Self::Windows => "windows",
            Self::Amd64Only => "amd64_only",
        }
    }

    /// Whether tests expect the pull to fail, so that the image is never mirrored.
    pub fn forbids_pull(self) -> bool {
        matches!(self, Self::Unpullable | Self::NeedsCredentials)
    }
}
