//! A store below a path: its `pause` is `k8s/pause` for clients. Names are translated here alone,
//! so that handlers, answers and messages only know the names that clients use.

use std::sync::Arc;

use bytes::Bytes;

use crate::content::{Store, StoreError};
use crate::oci::{Digest, RawManifest, Referrer, TagOrDigest};

/// A store whose repositories appear below a prefix; without one it is the store itself.
pub(super) struct Prefixed<S> {
    store: Arc<S>,
    prefix: Option<String>,
}

impl<S> Prefixed<S> {
    pub(super) fn new(store: Arc<S>, prefix: Option<String>) -> Self {
        Self { store, prefix }
    }

    /// Whether a repository of that name can be here at all.
    pub(super) fn holds(&self, repository: &str) -> bool {
        self.within(repository).is_some()
    }

    /// The store's own name of a repository.
    fn within<'a>(&self, repository: &'a str) -> Option<&'a str> {
        match &self.prefix {
            None => Some(repository),
            Some(prefix) => repository.strip_prefix(prefix.as_str())?.strip_prefix('/'),
        }
    }

    /// Requests for names outside were refused before: this is a fault of this room.
    fn inside<'a>(&self, repository: &'a str) -> Result<&'a str, StoreError> {
        self.within(repository)
            .ok_or_else(|| StoreError::Io(format!("{repository} is outside the prefix")))
    }
}

impl<S: Store> Store for Prefixed<S> {
    type Blob = S::Blob;
    type Upload = S::Upload;

    async fn repositories(&self) -> Result<Vec<String>, StoreError> {
        let mut names = self.store.repositories().await?;
        if let Some(prefix) = &self.prefix {
            for name in &mut names {
                name.insert(0, '/');
                name.insert_str(0, prefix);
            }
        }
        Ok(names)
    }

    async fn has_repository(&self, repository: &str) -> Result<bool, StoreError> {
        self.store.has_repository(self.inside(repository)?).await
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<Option<RawManifest>, StoreError> {
        let repository = self.inside(repository)?;
        self.store.manifest(repository, reference).await
    }

    async fn blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<Self::Blob>, StoreError> {
        self.store.blob(self.inside(repository)?, digest).await
    }

    async fn tags(&self, repository: &str) -> Result<Vec<String>, StoreError> {
        self.store.tags(self.inside(repository)?).await
    }

    async fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, StoreError> {
        self.store.referrers(self.inside(repository)?, digest).await
    }

    async fn begin(&self, repository: &str) -> Result<Self::Upload, StoreError> {
        self.store.begin(self.inside(repository)?).await
    }

    async fn append(&self, upload: &mut Self::Upload, chunk: Bytes) -> Result<(), StoreError> {
        self.store.append(upload, chunk).await
    }

    async fn commit(&self, upload: Self::Upload, digest: &Digest) -> Result<(), StoreError> {
        self.store.commit(upload, digest).await
    }

    async fn mount(
        &self,
        repository: &str,
        digest: &Digest,
        from: Option<&str>,
    ) -> Result<bool, StoreError> {
        let repository = self.inside(repository)?;
        // Nothing outside can be mounted; `None` would mean anything.
        match from.map(|from| self.within(from)) {
            Some(None) => Ok(false),
            from => self.store.mount(repository, digest, from.flatten()).await,
        }
    }

    async fn put_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
        manifest: RawManifest,
    ) -> Result<(), StoreError> {
        let repository = self.inside(repository)?;
        self.store
            .put_manifest(repository, reference, manifest)
            .await
    }

    async fn delete_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<bool, StoreError> {
        let repository = self.inside(repository)?;
        self.store.delete_manifest(repository, reference).await
    }
}
