//! `airbuoy.json`: what a bundle was made for. A layout of another tool has none.

use serde::{Deserialize, Serialize};

use super::error::BundleError;
use crate::catalog::{Conformance, ImageSet, Role, SonobuoyImages};
use crate::kube_version::KubeVersion;
use crate::oci::{Digest, Reference};

/// The version of the format that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// The largest record that is read: the lists of a hundred releases.
pub(super) const RECORD_LIMIT: u64 = 64 << 20;

/// What a bundle holds and why, so that the far side needs no catalogue. It names no machine, no
/// time and nobody: two bundles of one set are the same bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The version of this format.
    pub format: u32,
    /// The program that wrote it: `airbuoy 0.1.0`.
    pub tool: String,
    /// The platforms that were taken, as `--platform` takes them.
    pub platforms: String,
    /// The images, sorted by their names in the bundle.
    pub images: Vec<ImageRecord>,
    /// The image lists of the Kubernetes versions, as the catalogue had them.
    pub releases: Vec<ImageSet>,
    /// The sonobuoy release that belongs to them.
    pub sonobuoy: SonobuoyImages,
    /// What a delta leaves out, sorted by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<External>,
}

/// One image of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Where upstream keeps it.
    pub source: Reference,
    /// Its repository in the bundle: the keep-path name.
    pub repository: String,
    /// Its tag in the bundle; none for an image that is named by digest.
    pub tag: Option<String>,
    /// Its manifest; none before it is known.
    pub digest: Option<Digest>,
    /// What it is for.
    pub role: Role,
    /// The registry key that renames it.
    pub key: Option<String>,
    /// Whether a conformance test needs it.
    pub conformance: Option<Conformance>,
    /// The Kubernetes versions that list it or that it was pulled for, ascending.
    pub versions: Vec<KubeVersion>,
}

/// A blob that a delta names and does not carry: the receiver has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// Which.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Upstream repositories that hold it, such as `registry.k8s.io/pause`, sorted.
    pub repositories: Vec<String>,
}

impl Record {
    /// A record of these images, written by this program.
    pub fn new(
        platforms: String,
        mut images: Vec<ImageRecord>,
        releases: Vec<ImageSet>,
        sonobuoy: SonobuoyImages,
    ) -> Self {
        images.sort_by(|a, b| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)));
        Self {
            format: FORMAT,
            tool: concat!("airbuoy ", env!("CARGO_PKG_VERSION")).to_owned(),
            platforms,
            images,
            releases,
            sonobuoy,
            external: Vec::new(),
        }
    }

    /// Reads the bytes of `airbuoy.json`; `bundle` is named in errors.
    pub fn parse(bytes: &[u8], bundle: &str) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let invalid = |reason: String| BundleError::Record {
            bundle: bundle.to_owned(),
            reason,
        };
        let read = |e: serde_json::Error| invalid(e.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(read)?;
        if format != FORMAT {
            return Err(invalid(format!(
                "it has format {format} and this version of airbuoy reads format {FORMAT}"
            )));
        }
        serde_json::from_slice(bytes).map_err(read)
    }

    /// The bytes of `airbuoy.json`: indented, with a line end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The Kubernetes versions, in the order in which they were asked for.
    pub fn versions(&self) -> impl Iterator<Item = &KubeVersion> {
        self.releases.iter().map(|set| &set.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn record(version: &str, digest: &[u8]) -> Record {
        let catalog = Catalog::embedded();
        let version: KubeVersion = version.parse().expect("a version");
        let set = catalog.resolve(&version).expect("known");
        Record {
            format: FORMAT,
            tool: "airbuoy 0.0.0".into(),
            platforms: "all".into(),
            images: vec![ImageRecord {
                source: "registry.k8s.io/pause:3.10".parse().expect("a reference"),
                repository: "pause".into(),
                tag: Some("3.10".into()),
                digest: Some(Digest::of(digest)),
                role: Role::Test,
                key: Some("gcRegistry".into()),
                conformance: Some(Conformance::Yes),
                versions: vec![set.version.clone()],
            }],
            releases: vec![set],
            sonobuoy: catalog.sonobuoy(None).expect("the default"),
            external: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = record("v1.36.3", b"a");
        let read = Record::parse(&written.to_bytes(), "set.tar").expect("a record");
        assert_eq!(read.to_bytes(), written.to_bytes());
        assert_eq!(read.images, written.images);
        assert_eq!(read.releases[0].images, written.releases[0].images);
        assert!(!written.to_bytes().is_empty());
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut newer = record("v1.36.3", b"a");
        newer.format = 2;
        let error = Record::parse(&newer.to_bytes(), "set.tar").expect_err("too new");
        let told = error.to_string();
        assert!(
            told.contains("set.tar") && told.contains("format 2"),
            "{told}"
        );
        assert!(Record::parse(b"{", "set.tar").is_err());
    }
}
