//! A registry as a [`Source`].

use std::time::Instant;

use crate::content::{BlobStream, Failure, Source};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

use super::auth::Scopes;
use super::client::Registry;

impl Source for Registry {
    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        self.0.resolve(reference, Scopes::pull).await
    }

    async fn manifest(&self, reference: &Reference) -> Result<RawManifest, Failure> {
        self.0.manifest(reference, Scopes::pull).await
    }

    async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        self.0.blob(repository, descriptor, offset).await
    }

    fn paused_until(&self, repository: &Repository) -> Option<Instant> {
        self.0.place(repository).host.pause.until()
    }
}
