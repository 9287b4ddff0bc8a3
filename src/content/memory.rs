//! A [`Store`] in memory: the embedded target of a rehearsal, and stand-in upstreams.
//!
//! Each blob is held once, however many repositories show it, and goes when it is deleted from the
//! last of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::contents::{Contents, Held};
use super::segments::{Builder, MemoryBlob};

use super::{Store, StoreError};
use crate::oci::{Algorithm, Digest, Hasher, RawManifest, Referrer, TagOrDigest};

/// Repositories of manifests and blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<String, Contents>,
    blobs: HashMap<Digest, MemoryBlob>,
}

/// A blob on its way into a [`MemoryStore`].
pub struct MemoryUpload {
    repository: String,
    algorithm: Algorithm,
    hasher: Hasher,
    builder: Builder,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a whole blob into the repository and gives its digest.
    pub fn insert_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut builder = Builder::default();
        builder.append(bytes);
        self.show(repository, &digest, builder.finish());
        digest
    }

    /// [`Store::put_manifest`] without a runtime; refused as well when `reference` is a digest
    /// and not the manifest's.
    pub fn insert_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
        manifest: RawManifest,
    ) -> Result<(), StoreError> {
        match reference {
            TagOrDigest::Digest(digest) if digest != manifest.digest() => {
                Err(StoreError::DigestMismatch(digest.clone()))
            }
            TagOrDigest::Digest(_) => self.put(repository, manifest, &[]),
            TagOrDigest::Tag(tag) => self.put(repository, manifest, &[Arc::clone(tag)]),
        }
    }

    fn put(
        &self,
        repository: &str,
        manifest: RawManifest,
        tags: &[Arc<str>],
    ) -> Result<(), StoreError> {
        let held = Held::new(manifest)?;
        let mut state = self.write();
        let nothing = Contents::default();
        let contents = state.repositories.get(repository).unwrap_or(&nothing);
        contents.check(&held)?;
        let contents = state.repositories.entry(repository.to_owned()).or_default();
        contents.put(held, tags);
        Ok(())
    }

    /// Makes a blob visible in a repository; the bytes are kept when the digest is new.
    fn show(&self, repository: &str, digest: &Digest, blob: MemoryBlob) {
        let mut state = self.write();
        state.blobs.entry(digest.clone()).or_insert(blob);
        let contents = state.repositories.entry(repository.to_owned()).or_default();
        contents.blobs.insert(digest.clone());
    }

    // No code that can panic runs under the lock half-way through a change, so a poisoned lock
    // still guards sound data.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    type Blob = MemoryBlob;
    type Upload = MemoryUpload;

    async fn repositories(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.read().repositories.keys().cloned().collect())
    }

    async fn has_repository(&self, repository: &str) -> Result<bool, StoreError> {
        Ok(self.read().repositories.contains_key(repository))
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<Option<RawManifest>, StoreError> {
        let state = self.read();
        let contents = state.repositories.get(repository);
        Ok(contents.and_then(|c| c.manifest(reference)).cloned())
    }

    async fn blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<MemoryBlob>, StoreError> {
        let state = self.read();
        let shown = state
            .repositories
            .get(repository)
            .is_some_and(|contents| contents.blobs.contains(digest));
        Ok(shown.then(|| state.blobs.get(digest).cloned()).flatten())
    }

    async fn tags(&self, repository: &str) -> Result<Vec<String>, StoreError> {
        let state = self.read();
        let contents = state.repositories.get(repository);
        Ok(contents.map_or_else(Vec::new, |c| c.tags.keys().cloned().collect()))
    }

    async fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, StoreError> {
        let state = self.read();
        let contents = state.repositories.get(repository);
        Ok(contents.map_or_else(Vec::new, |c| c.referrers(digest)))
    }

    async fn begin(
        &self,
        repository: &str,
        algorithm: Algorithm,
    ) -> Result<MemoryUpload, StoreError> {
        Ok(MemoryUpload {
            repository: repository.to_owned(),
            algorithm,
            hasher: Hasher::new(algorithm),
            builder: Builder::default(),
        })
    }

    async fn append(&self, upload: &mut MemoryUpload, chunk: Bytes) -> Result<(), StoreError> {
        upload.hasher.update(&chunk);
        upload.builder.append(&chunk);
        Ok(())
    }

    async fn commit(&self, upload: MemoryUpload, digest: &Digest) -> Result<(), StoreError> {
        let blob = upload.builder.finish();
        let found = if digest.algorithm() == upload.algorithm {
            upload.hasher.finish()
        } else {
            let mut hasher = Hasher::new(digest.algorithm());
            blob.segments().iter().for_each(|s| hasher.update(s));
            hasher.finish()
        };
        if found != *digest {
            return Err(StoreError::DigestMismatch(digest.clone()));
        }
        self.show(&upload.repository, digest, blob);
        Ok(())
    }

    async fn mount(
        &self,
        repository: &str,
        digest: &Digest,
        from: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut state = self.write();
        let there = match from {
            Some(from) => state
                .repositories
                .get(from)
                .is_some_and(|contents| contents.blobs.contains(digest)),
            None => state.blobs.contains_key(digest),
        };
        if there {
            let contents = state.repositories.entry(repository.to_owned()).or_default();
            contents.blobs.insert(digest.clone());
        }
        Ok(there)
    }

    async fn put_manifest(
        &self,
        repository: &str,
        manifest: RawManifest,
        tags: &[Arc<str>],
    ) -> Result<(), StoreError> {
        self.put(repository, manifest, tags)
    }

    async fn delete_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<bool, StoreError> {
        let mut state = self.write();
        let contents = state.repositories.get_mut(repository);
        contents.map_or(Ok(false), |contents| contents.delete(reference))
    }

    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<bool, StoreError> {
        let mut state = self.write();
        let contents = state.repositories.get_mut(repository);
        let there = contents.map_or(Ok(false), |contents| contents.delete_blob(digest))?;
        let mut others = state.repositories.values();
        if there && !others.any(|contents| contents.blobs.contains(digest)) {
            state.blobs.remove(digest);
        }
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_store() {
        contract::holds(async || MemoryStore::new()).await;
    }

    #[test]
    fn a_manifest_goes_only_under_its_own_digest() {
        let store = MemoryStore::new();
        let text = r#"{"schemaVersion":2,"manifests":[]}"#;
        let manifest = RawManifest::new(text.into(), None).expect("an index");
        let other = TagOrDigest::from(Digest::of(b"other"));
        let refused = store.insert_manifest("a", &other, manifest.clone());
        assert!(matches!(refused, Err(StoreError::DigestMismatch(_))));
        let own = manifest.digest().into();
        store.insert_manifest("a", &own, manifest).expect("its own");
    }
}
