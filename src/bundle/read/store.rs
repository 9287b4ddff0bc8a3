//! A bundle to serve from: read-only, by the names inside the bundle.

use std::convert::Infallible;

use bytes::Bytes;

use super::bundle::Bundle;
use super::graph::Shown;
use super::region::Region;
use crate::content::{Store, StoreError};
use crate::oci::{Digest, RawManifest, Referrer, TagOrDigest};

impl Bundle {
    async fn shown(&self, repository: &str) -> Option<&Shown> {
        self.graph_there().await.repositories().get(repository)
    }
}

impl Store for Bundle {
    type Blob = Region;
    type Upload = Infallible;

    async fn repositories(&self) -> Result<Vec<String>, StoreError> {
        let graph = self.graph_there().await;
        Ok(graph.repositories().keys().cloned().collect())
    }

    async fn has_repository(&self, repository: &str) -> Result<bool, StoreError> {
        Ok(self.shown(repository).await.is_some())
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<Option<RawManifest>, StoreError> {
        let Some(shown) = self.shown(repository).await else {
            return Ok(None);
        };
        let digest = match reference {
            TagOrDigest::Tag(tag) => shown.tags.get(&**tag),
            TagOrDigest::Digest(digest) => shown.manifests.get(digest),
        };
        let graph = self.graph_there().await;
        let Some(digest) = digest else {
            return Ok(None);
        };
        match (graph.node(digest), graph.damage_of(digest)) {
            (Some(node), _) => Ok(Some(node.manifest.clone())),
            (None, Some(why)) => Err(StoreError::Io(format!("{digest}: {why}"))),
            (None, None) => Ok(None),
        }
    }

    async fn blob(&self, repository: &str, digest: &Digest) -> Result<Option<Region>, StoreError> {
        let shown = self.shown(repository).await;
        if !shown.is_some_and(|shown| shown.blobs.contains(digest)) {
            return Ok(None);
        }
        let (bundle, digest) = (self.clone(), digest.clone());
        let opened = tokio::task::spawn_blocking(move || bundle.region(&digest)).await;
        match opened {
            Ok(region) => region.map_err(|error| StoreError::Io(error.to_string())),
            Err(error) => Err(StoreError::Io(error.to_string())),
        }
    }

    async fn tags(&self, repository: &str) -> Result<Vec<String>, StoreError> {
        let shown = self.shown(repository).await;
        Ok(shown.map_or_else(Vec::new, |shown| shown.tags.keys().cloned().collect()))
    }

    async fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, StoreError> {
        let graph = self.graph_there().await;
        let shown = graph.repositories().get(repository);
        Ok(shown.map_or_else(Vec::new, |shown| graph.referrers(shown, digest)))
    }

    async fn begin(&self, _repository: &str) -> Result<Infallible, StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn append(&self, upload: &mut Infallible, _chunk: Bytes) -> Result<(), StoreError> {
        match *upload {}
    }

    async fn commit(&self, upload: Infallible, _digest: &Digest) -> Result<(), StoreError> {
        match upload {}
    }

    async fn mount(
        &self,
        _repository: &str,
        _digest: &Digest,
        _from: Option<&str>,
    ) -> Result<bool, StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn put_manifest(
        &self,
        _repository: &str,
        _reference: &TagOrDigest,
        _manifest: RawManifest,
    ) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn delete_manifest(
        &self,
        _repository: &str,
        _reference: &TagOrDigest,
    ) -> Result<bool, StoreError> {
        Err(StoreError::ReadOnly)
    }
}
