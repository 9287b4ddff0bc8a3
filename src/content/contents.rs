//! What one repository in memory holds.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::StoreError;
use crate::oci::{Descriptor, Digest, ManifestError, RawManifest, Referrer, TagOrDigest};

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
    children: Vec<Descriptor>,
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
            children: named.manifests,
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

    /// Refuses a manifest that needs what is not here, or takes it for something else.
    pub(super) fn check(&self, held: &Held) -> Result<(), StoreError> {
        if let Some(missing) = held.blobs.iter().find(|blob| !self.blobs.contains(*blob)) {
            return Err(StoreError::Missing(missing.clone()));
        }
        for child in &held.children {
            let here = self.manifests.get(&child.digest);
            let here = here.ok_or_else(|| StoreError::Missing(child.digest.clone()))?;
            RawManifest::check_child(child, here.manifest.media_type())?;
        }
        Ok(())
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
                let named = |held: &Held| held.children.iter().any(|child| child.digest == *digest);
                self.refuse_needed(digest, named)?;
                self.tags.retain(|_, tagged| tagged != digest);
                Ok(self.manifests.remove(digest).is_some())
            }
        }
    }

    /// Hides a blob; false when it was not here.
    pub(super) fn delete_blob(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        self.refuse_needed(digest, |held| held.blobs.contains(digest))?;
        Ok(self.blobs.remove(digest))
    }

    fn refuse_needed(
        &self,
        digest: &Digest,
        needs: impl Fn(&Held) -> bool,
    ) -> Result<(), StoreError> {
        let mut manifests = self.manifests.iter();
        match manifests.find(|(_, held)| needs(held)) {
            Some((by, _)) => Err(StoreError::Needed {
                digest: digest.clone(),
                by: by.clone(),
            }),
            None => Ok(()),
        }
    }
}
