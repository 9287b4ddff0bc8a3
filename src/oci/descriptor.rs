//! Content descriptors (OCI image-spec, descriptor.md).

use super::digest::{Digest, InvalidDigest};
use super::media_type;
use super::platform::Platform;

/// Names a piece of content: its type, digest and size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// What it hashes to.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// For children of an index: what they run on.
    pub platform: Option<Platform>,
    /// For attestations: the manifest they speak of (annotation `vnd.docker.reference.digest`).
    pub attests: Option<Digest>,
    /// The bytes live at these addresses and not in the registry: a non-distributable layer.
    pub urls: Vec<String>,
}

impl Descriptor {
    /// A descriptor with nothing but type, digest and size.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            platform: None,
            attests: None,
            urls: Vec::new(),
        }
    }

    /// Whether the registry is not expected to hold these bytes.
    pub fn is_foreign(&self) -> bool {
        media_type::is_foreign_layer(&self.media_type) && !self.urls.is_empty()
    }
}

/// Why a descriptor inside a manifest cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvalidDescriptor {
    /// Its digest is none.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// Its size is negative.
    #[error("{digest} has the size {size}")]
    Size {
        /// Whose size it is.
        digest: Digest,
        /// The size as written.
        size: i64,
    },
}

pub(super) fn convert(
    media_type: String,
    digest: &str,
    size: i64,
    urls: Option<Vec<String>>,
) -> Result<Descriptor, InvalidDescriptor> {
    let digest: Digest = digest.parse()?;
    let size = u64::try_from(size).map_err(|_| InvalidDescriptor::Size {
        digest: digest.clone(),
        size,
    })?;
    Ok(Descriptor {
        urls: urls.unwrap_or_default(),
        ..Descriptor::new(media_type, digest, size)
    })
}
