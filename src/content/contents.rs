//! What one repository in memory holds.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::StoreError;
use crate::oci::{Digest, ManifestError, RawManifest, Referrer, TagOrDigest};

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
    /// What has to be in the repository with it. The bytes of foreign layers are expected
    /// elsewhere.
    blobs: Vec<Digest>,
    children: Vec<Digest>,
}

impl Held {
    pub(super) fn new(manifest: RawManifest) -> Result<Self, ManifestError> {
        let referrer = manifest.referrer()?;
        let named = manifest.successors()?;
        let blobs = named.blobs.into_iter().filter(|blob| !blob.is_foreign());
        Ok(Self {
            manifest,
            referrer,
            blobs: blobs.map(|blob| blob.digest).collect(),
            children: named.manifests.into_iter().map(|m| m.digest).collect(),
        })
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

    /// The first thing that a manifest needs and that is not here.
    pub(super) fn first_missing<'a>(&self, held: &'a Held) -> Option<&'a Digest> {
        let blobs = held.blobs.iter().filter(|d| !self.blobs.contains(*d));
        let is_child = |d: &&Digest| self.manifests.contains_key(*d);
        blobs
            .chain(held.children.iter().filter(|d| !is_child(d)))
            .next()
    }

    pub(super) fn put(&mut self, held: Held, tags: &[Arc<str>]) {
        let digest = held.manifest.digest().clone();
        for tag in tags {
            self.tags.insert(tag.to_string(), digest.clone());
        }
        self.manifests.insert(digest, held);
    }

    /// Removes a tag, or a manifest with all its tags; false when it was not there.
    pub(super) fn delete(&mut self, reference: &TagOrDigest) -> Result<bool, StoreError> {
        match reference {
            TagOrDigest::Tag(tag) => Ok(self.tags.remove(&**tag).is_some()),
            TagOrDigest::Digest(digest) => {
                self.refuse_needed(digest, |held| &held.children)?;
                self.tags.retain(|_, tagged| tagged != digest);
                Ok(self.manifests.remove(digest).is_some())
            }
        }
    }

    /// Hides a blob; false when it was not here.
    pub(super) fn delete_blob(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        self.refuse_needed(digest, |held| &held.blobs)?;
        Ok(self.blobs.remove(digest))
    }

    fn refuse_needed(
        &self,
        digest: &Digest,
        needs: impl Fn(&Held) -> &[Digest],
    ) -> Result<(), StoreError> {
        let mut manifests = self.manifests.iter();
        match manifests.find(|(_, held)| needs(held).contains(digest)) {
            Some((by, _)) => Err(StoreError::Needed {
                digest: digest.clone(),
                by: by.clone(),
            }),
            None => Ok(()),
        }
    }
}
