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
        if let Some(missing) = contents.first_missing(&held) {
            return Err(StoreError::Missing(missing.clone()));
        }
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
    use futures_util::TryStreamExt;

    use super::super::BlobReader;
    use super::*;
    use crate::oci::media_type;

    fn tag(tag: &str) -> TagOrDigest {
        TagOrDigest::Tag(tag.into())
    }

    fn image(config: &Digest, layer: &Digest, more: &str) -> RawManifest {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{config}","size":1}},"layers":[{{"mediaType":"{}","digest":"{layer}","size":1{more}}}]}}"#,
            media_type::OCI_MANIFEST,
            media_type::OCI_CONFIG,
            media_type::OCI_LAYER_GZIP,
        );
        RawManifest::new(text.into(), None).expect("a manifest")
    }

    async fn upload(store: &MemoryStore, bytes: &[u8], digest: &Digest) -> Result<(), StoreError> {
        let mut upload = store.begin("a", Algorithm::Sha256).await?;
        for chunk in bytes.chunks(3) {
            let chunk = Bytes::copy_from_slice(chunk);
            store.append(&mut upload, chunk).await?;
        }
        store.commit(upload, digest).await
    }

    #[tokio::test]
    async fn only_bytes_that_match_become_visible() {
        let store = MemoryStore::new();
        let digest = Digest::of(b"content");
        let refused = upload(&store, b"something", &digest).await;
        assert!(matches!(refused, Err(StoreError::DigestMismatch(d)) if d == digest));
        assert!(!store.has_repository("a").await.expect("memory"));

        upload(&store, b"content", &digest).await.expect("sound");
        let blob = store.blob("a", &digest).await.expect("memory");
        let blob = blob.expect("the blob");
        let read: Vec<Bytes> = blob.read(1, 4).try_collect().await.expect("memory");
        assert_eq!(read.concat(), b"onte");

        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"content");
        let sha512 = hasher.finish();
        upload(&store, b"content", &sha512).await.expect("sound");
        assert!(upload(&store, b"c0ntent", &sha512).await.is_err());
    }

    #[tokio::test]
    async fn a_blob_is_shown_only_where_it_was_mounted() {
        let store = MemoryStore::new();
        let digest = store.insert_blob("a", b"layer");
        let shown = async |repository: &str| {
            let blob = store.blob(repository, &digest).await.expect("memory");
            blob.is_some()
        };
        assert!(!shown("b").await);
        for (from, mounted) in [(Some("c"), false), (Some("b"), false), (Some("a"), true)] {
            let answer = store.mount("b", &digest, from).await.expect("memory");
            assert_eq!(answer, mounted, "{from:?}");
        }
        assert!(shown("b").await);
        assert!(store.mount("d", &digest, None).await.expect("memory"));
        assert!(shown("d").await);
        let unknown = Digest::of(b"unknown");
        assert!(!store.mount("d", &unknown, None).await.expect("memory"));
    }

    #[tokio::test]
    async fn a_manifest_waits_for_everything_it_names() {
        let store = MemoryStore::new();
        let (config, layer) = (Digest::of(b"c"), Digest::of(b"l"));
        let whole = image(&config, &layer, "");
        let missing = |digest: &Digest| {
            let refused = store.insert_manifest("a", &tag("t"), whole.clone());
            assert!(matches!(&refused, Err(StoreError::Missing(d)) if d == digest));
        };
        missing(&config);
        store.insert_blob("elsewhere", b"c");
        missing(&config);
        store.insert_blob("a", b"c");
        missing(&layer);
        store.insert_blob("a", b"l");
        store
            .insert_manifest("a", &tag("t"), whole.clone())
            .expect("complete");
        assert_eq!(store.tags("a").await.expect("memory"), ["t"]);

        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST,
            whole.digest(),
            whole.bytes().len()
        );
        let index = RawManifest::new(index.into(), None).expect("an index");
        let refused = store.insert_manifest("elsewhere", &tag("i"), index.clone());
        assert!(matches!(refused, Err(StoreError::Missing(d)) if d == *whole.digest()));
        store
            .insert_manifest("a", &tag("i"), index)
            .expect("complete");
    }

    #[test]
    fn a_foreign_layer_may_be_elsewhere() {
        let store = MemoryStore::new();
        let config = store.insert_blob("a", b"c");
        let layer = Digest::of(b"windows");
        let urls = r#","urls":["https://example.com/layer"]"#;
        let with_urls = image(&config, &layer, urls);
        let text = String::from_utf8(with_urls.bytes().to_vec()).expect("text");
        let foreign = text.replace(
            media_type::OCI_LAYER_GZIP,
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        );
        let foreign = RawManifest::new(foreign.into(), None).expect("a manifest");
        store
            .insert_manifest("a", &tag("t"), foreign)
            .expect("complete");
        let refused = store.insert_manifest("a", &tag("t"), with_urls);
        assert!(matches!(refused, Err(StoreError::Missing(_))));
    }

    #[tokio::test]
    async fn deleting_a_manifest_takes_its_tags_along() {
        let store = MemoryStore::new();
        let (config, layer) = (store.insert_blob("a", b"c"), store.insert_blob("a", b"l"));
        let manifest = image(&config, &layer, "");
        for name in ["t", "u"] {
            let put = store.insert_manifest("a", &tag(name), manifest.clone());
            put.expect("complete");
        }
        let delete = async |reference: &TagOrDigest| {
            let deleted = store.delete_manifest("a", reference).await;
            deleted.expect("memory")
        };
        assert!(delete(&tag("t")).await);
        assert!(!delete(&tag("t")).await);
        assert_eq!(store.tags("a").await.expect("memory"), ["u"]);
        let digest = manifest.digest().into();
        assert!(delete(&digest).await);
        assert!(store.tags("a").await.expect("memory").is_empty());
        let gone = store.manifest("a", &digest).await.expect("memory");
        assert!(gone.is_none());
    }

    #[tokio::test]
    async fn a_blob_goes_with_the_last_repository_that_shows_it() {
        let store = MemoryStore::new();
        let digest = store.insert_blob("a", b"layer");
        assert!(store.mount("b", &digest, Some("a")).await.expect("memory"));
        let open = store.blob("a", &digest).await.expect("memory");
        for (repository, deleted) in [("c", false), ("a", true), ("a", false), ("b", true)] {
            let answer = store.delete_blob(repository, &digest).await;
            assert_eq!(answer.expect("unneeded"), deleted, "{repository}");
        }
        assert!(!store.mount("a", &digest, None).await.expect("memory"));
        let read = open.expect("opened before").read(0, 5);
        let read: Vec<Bytes> = read.try_collect().await.expect("memory");
        assert_eq!(read.concat(), b"layer");
    }

    #[tokio::test]
    async fn what_a_manifest_needs_stays() {
        let store = MemoryStore::new();
        let (config, layer) = (store.insert_blob("a", b"c"), store.insert_blob("a", b"l"));
        let child = image(&config, &layer, "");
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":1}}]}}"#,
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST,
            child.digest(),
        );
        let index = RawManifest::new(index.into(), None).expect("an index");
        for manifest in [&child, &index] {
            let put = store.insert_manifest("a", &tag("t"), manifest.clone());
            put.expect("complete");
        }
        let needed = |refused: Result<bool, StoreError>, of: &Digest| {
            assert!(matches!(refused, Err(StoreError::Needed { by, .. }) if by == *of));
        };
        let child_digest = TagOrDigest::from(child.digest());
        needed(store.delete_blob("a", &layer).await, child.digest());
        needed(store.delete_blob("a", &config).await, child.digest());
        let refused = store.delete_manifest("a", &child_digest).await;
        needed(refused, index.digest());
        for reference in [index.digest().into(), child_digest] {
            let deleted = store.delete_manifest("a", &reference).await;
            assert!(deleted.expect("unneeded"));
        }
        assert!(store.delete_blob("a", &layer).await.expect("unneeded"));
    }
}
