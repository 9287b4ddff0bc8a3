//! The manifests of a run, each digest once, as a graph of what names what.

use std::collections::HashMap;
use std::sync::Arc;

use crate::oci::{Descriptor, Digest, ManifestError, RawManifest, Repository};

/// One manifest and its edges.
#[derive(Debug)]
pub(super) struct Node {
    /// The bytes to push.
    pub(super) manifest: RawManifest,
    /// Child manifests, each digest once, in order.
    pub(super) children: Vec<Descriptor>,
    /// Blobs that the registry must hold, each digest once, in order.
    pub(super) blobs: Vec<Descriptor>,
    /// Bytes of the blobs as written: a layer that stands twice counts twice.
    pub(super) logical: u64,
    /// Some layers live elsewhere (`urls`); their descriptors are kept, their bytes not fetched.
    pub(super) foreign: bool,
    /// The repository it was read from, and so where its blobs are.
    pub(super) repository: Repository,
}

impl Node {
    pub(super) fn new(
        manifest: RawManifest,
        repository: Repository,
    ) -> Result<Self, ManifestError> {
        let successors = manifest.successors()?;
        let foreign = successors.blobs.iter().any(Descriptor::is_foreign);
        let blobs = successors
            .blobs
            .into_iter()
            .filter(|blob| !blob.is_foreign());
        let mut logical = 0;
        let blobs = distinct(blobs.inspect(|blob| logical += blob.size));
        let children = distinct(successors.manifests.into_iter());
        Ok(Self {
            manifest,
            children,
            blobs,
            logical,
            foreign,
            repository,
        })
    }
}

/// Registries such as Harbor refuse a child or layer that is sent twice (harbor#4005's row
/// `child-twice`), so every digest is handled once; the manifest's bytes keep the repetition.
fn distinct(descriptors: impl Iterator<Item = Descriptor>) -> Vec<Descriptor> {
    let mut seen: Vec<Descriptor> = Vec::new();
    for descriptor in descriptors {
        if !seen.iter().any(|known| known.digest == descriptor.digest) {
            seen.push(descriptor);
        }
    }
    seen
}

/// Every manifest of the run by digest.
pub(super) type Content = HashMap<Digest, Arc<Node>>;

/// Bytes of all blobs below `root`, repetitions counted.
pub(super) fn logical_size(content: &Content, root: &Digest) -> u64 {
    content.get(root).map_or(0, |node| {
        let below = node
            .children
            .iter()
            .map(|child| logical_size(content, &child.digest));
        node.logical + below.sum::<u64>()
    })
}
