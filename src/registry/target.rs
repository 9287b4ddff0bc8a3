//! A registry as a [`Target`].

use std::time::Instant;

use crate::content::{Begun, BlobStream, Code, Failure, Target};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

use super::auth::Scopes;
use super::client::Registry;
use super::uploads::Upload;

impl Target for Registry {
    type Upload = Upload;

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        unless_hidden(self.0.resolve(reference, Scopes::push).await, None)
    }

    async fn has_blob(&self, repository: &Repository, blob: &Descriptor) -> Result<bool, Failure> {
        let size = self.0.blob_size(repository, &blob.digest, Scopes::push);
        unless_hidden(size.await.map(|size| size == Some(blob.size)), false)
    }

    async fn begin(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        from: Option<&Repository>,
    ) -> Result<Begun<Upload>, Failure> {
        self.0.begin(repository, blob, from).await
    }

    async fn upload(
        &self,
        upload: Upload,
        blob: &Descriptor,
        body: BlobStream,
    ) -> Result<(), Failure> {
        self.0.upload(upload, blob, body).await
    }

    async fn cancel(&self, upload: Upload) {
        self.0.cancel(upload).await;
    }

    async fn put_manifest(
        &self,
        reference: &Reference,
        manifest: &RawManifest,
    ) -> Result<(), Failure> {
        self.0.put_manifest(reference, manifest).await
    }

    async fn try_repository(&self, repository: &Repository) -> Result<(), Failure> {
        Registry::try_repository(self, repository).await
    }

    fn paused_until(&self, repository: &Repository) -> Option<Instant> {
        self.0.place(repository).host.pause.until()
    }
}

/// Registries that hide what is absent answer 401 or 403 (Artifactory, RTFACT-13797): then nobody can
/// tell, and the upload will say what is wrong.
fn unless_hidden<T>(result: Result<T, Failure>, hidden: T) -> Result<T, Failure> {
    match result {
        Err(failure)
            if matches!(
                failure.code(),
                Code::Unauthorized | Code::Denied | Code::Unsupported
            ) =>
        {
            tracing::debug!("cannot tell: {failure}");
            Ok(hidden)
        }
        other => other,
    }
}
