//! What the store keeps in mind of a manifest.

use crate::oci::{Descriptor, Digest, ManifestError, RawManifest, Referrer};

/// A manifest's descriptor and all that it refers to, read once.
#[derive(Debug)]
pub(in crate::bundle) struct Held {
    pub(super) descriptor: Descriptor,
    pub(super) referrer: Option<Referrer>,
    /// Blobs that have to be in the repository with it.
    pub(super) blobs: Vec<Descriptor>,
    /// Foreign layers: their bytes are expected elsewhere, and may be here as well.
    pub(super) foreign: Vec<Digest>,
    /// Manifests that have to be in the repository with it.
    pub(super) children: Vec<Descriptor>,
}

impl Held {
    pub(super) fn new(manifest: &RawManifest) -> Result<Self, ManifestError> {
        let named = manifest.successors()?;
        let (foreign, blobs): (Vec<_>, Vec<_>) =
            named.blobs.into_iter().partition(Descriptor::is_foreign);
        Ok(Self {
            descriptor: manifest.descriptor(),
            referrer: manifest.referrer()?,
            blobs,
            foreign: foreign.into_iter().map(|blob| blob.digest).collect(),
            children: named.manifests,
        })
    }

    pub(in crate::bundle) fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// Whether it needs this blob or manifest beside it.
    pub(super) fn needs(&self, digest: &Digest) -> bool {
        let mut all = self.blobs.iter().chain(&self.children);
        all.any(|named| named.digest == *digest)
    }
}
