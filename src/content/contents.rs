//! What one repository in memory holds.

use std::collections::{BTreeMap, HashSet};

use super::StoreError;
use crate::oci::{Digest, ManifestError, RawManifest, Referrer, Successors, TagOrDigest};

/// Tags, manifests, and which blobs are visible here.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) blobs: HashSet<Digest>,
    manifests: BTreeMap<Digest, Held>,
}

/// A manifest beside what it refers to, read once.
#[derive(Debug)]
pub(super) struct Held {
    manifest: RawManifest,
    referrer: Option<Referrer>,
}

impl Held {
    pub(super) fn new(manifest: RawManifest) -> Result<Self, ManifestError> {
        let referrer = manifest.referrer()?;
        Ok(Self { manifest, referrer })
    }
}

impl Contents {
    pub(super) fn manifest(&self, reference: &TagOrDigest) -> Option<&RawManifest> {
        let digest = match reference {
            TagOrDigest::Tag(tag) => self.tags.get(&**tag)?,
            TagOrDigest::Digest(digest) => digest,
        };
        Some(&self.manifests.get(digest)?.manifest)
    }

    pub(super) fn referrers(&self, subject: &Digest) -> Vec<Referrer> {
        let referrers = self.manifests.values().filter_map(|h| h.referrer.as_ref());
        referrers
            .filter(|referrer| referrer.subject == *subject)
            .cloned()
            .collect()
    }

    /// The first thing that a manifest names and that is not here. The bytes of foreign layers
    /// are expected elsewhere.
    pub(super) fn first_missing<'a>(&self, named: &'a Successors) -> Option<&'a Digest> {
        let blobs = named
            .blobs
            .iter()
            .filter(|d| !d.is_foreign() && !self.blobs.contains(&d.digest));
        let children = named
            .manifests
            .iter()
            .filter(|d| !self.manifests.contains_key(&d.digest));
        blobs.chain(children).map(|d| &d.digest).next()
    }

    pub(super) fn put(&mut self, reference: &TagOrDigest, held: Held) -> Result<(), StoreError> {
        let digest = held.manifest.digest().clone();
        match reference {
            TagOrDigest::Digest(wanted) if *wanted != digest => {
                return Err(StoreError::DigestMismatch(wanted.clone()));
            }
            TagOrDigest::Digest(_) => {}
            TagOrDigest::Tag(tag) => {
                self.tags.insert(tag.to_string(), digest.clone());
            }
        }
        self.manifests.insert(digest, held);
        Ok(())
    }

    /// Removes a tag, or a manifest with all its tags; false when it was not there.
    pub(super) fn delete(&mut self, reference: &TagOrDigest) -> bool {
        match reference {
            TagOrDigest::Tag(tag) => self.tags.remove(&**tag).is_some(),
            TagOrDigest::Digest(digest) => {
                self.tags.retain(|_, tagged| tagged != digest);
                self.manifests.remove(digest).is_some()
            }
        }
    }
}
