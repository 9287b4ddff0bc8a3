//! A store below a path: its `pause` is `k8s/pause` for clients. Names are translated here alone,
//! so that handlers, answers and messages only know the names that clients use.

use std::sync::Arc;

use bytes::Bytes;

use crate::content::{Store, StoreError};
use crate::oci::{Algorithm, Digest, RawManifest, Referrer, TagOrDigest};

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

    async fn begin(
        &self,
        repository: &str,
        algorithm: Algorithm,
    ) -> Result<Self::Upload, StoreError> {
        self.store.begin(self.inside(repository)?, algorithm).await
    }

    async fn expect(&self, upload: &mut Self::Upload, length: u64) -> Result<(), StoreError> {
        self.store.expect(upload, length).await
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
        manifest: RawManifest,
        tags: &[Arc<str>],
    ) -> Result<(), StoreError> {
        let repository = self.inside(repository)?;
        self.store.put_manifest(repository, manifest, tags).await
    }

    async fn delete_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<bool, StoreError> {
        let repository = self.inside(repository)?;
        self.store.delete_manifest(repository, reference).await
    }

    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<bool, StoreError> {
        let repository = self.inside(repository)?;
        self.store.delete_blob(repository, digest).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::testing::{Answer, Lines, Peer, fill, refused};
    use super::*;

    #[tokio::test]
    async fn repositories_below_a_prefix() {
        let lines = Lines::default();
        let options = Options {
            prefix: Some("k8s/mirror".to_owned()),
            ..Options::default()
        };
        let peer = Peer::with(lines.listen(options)).await;
        let manifest = fill(&peer.store, "a/b", "t", "");
        fill(&peer.store, "c", "t", "");
        let path = format!("/v2/k8s/mirror/a/b/manifests/{}", manifest.digest());
        let put = peer.request("PUT", &path).body(manifest.bytes().clone());
        let put = Answer::to(put).await;
        assert_eq!((put.status, put.header("location")), (201, path.as_str()));
        let upload = peer.open("k8s/mirror/c").await;
        assert!(upload.starts_with("/v2/k8s/mirror/c/blobs/uploads/"));
        assert_eq!(peer.send("GET", &upload).await.status, 204);
        let catalog = peer.send("GET", "/v2/_catalog?n=1").await;
        assert_eq!(catalog.json()["repositories"][0], "k8s/mirror/a/b");
        let link = "</v2/_catalog?n=1&last=k8s%2Fmirror%2Fa%2Fb>; rel=\"next\"";
        assert_eq!(catalog.header("link"), link);
        let next = link.trim_start_matches('<').split('>').next();
        let next = peer.send("GET", next.expect("a path")).await;
        assert_eq!(next.json()["repositories"][0], "k8s/mirror/c");
        let tags = peer.send("GET", "/v2/k8s/mirror/a/b/tags/list").await;
        assert_eq!(tags.json()["name"], "k8s/mirror/a/b");

        let layer = Digest::of(b"l");
        let mount = async |from: &str| {
            let query = format!("?mount={layer}&from={from}");
            let path = format!("/v2/k8s/mirror/new/blobs/uploads/{query}");
            peer.send("POST", &path).await.status
        };
        assert_eq!(mount("a/b").await, 202);
        assert_eq!(mount("k8s/mirror/a/b").await, 201);
        for (method, path) in [
            ("GET", "/v2/a/b/tags/list"),
            ("GET", "/v2/k8s/mirror/manifests/t"),
            ("GET", "/v2/k8s/mirrora/b/manifests/t"),
            ("POST", "/v2/a/b/blobs/uploads/"),
            ("PUT", "/v2/k8s/other/manifests/t"),
            ("DELETE", "/v2/c/manifests/t"),
        ] {
            let answer = peer.send(method, path).await;
            assert_eq!(answer.refusal(), refused(404, "NAME_UNKNOWN"), "{path}");
        }
        let lines = lines.first(1).await;
        assert_eq!(lines[0].repository.as_deref(), Some("k8s/mirror/a/b"));
    }
}
