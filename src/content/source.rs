//! Where content is read.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use futures_util::Stream;

use super::Failure;
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// Chunks of one blob, in order. After an error nothing follows.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// Reads manifests and blobs: a set of registries, a bundle, memory.
pub trait Source: Send + Sync + 'static {
    /// The digest of the manifest that `reference` names, as cheaply as can be told (a HEAD);
    /// `None` when there is no such manifest.
    fn resolve(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Option<Digest>, Failure>> + Send;

    /// The manifest itself. Its bytes hash to the reference's digest, when it has one; a missing
    /// manifest is a failure with [`Code::NotFound`](super::Code::NotFound).
    fn manifest(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<RawManifest, Failure>> + Send;

    /// The bytes of a blob from `offset` on (at most the descriptor's size). Nothing is verified
    /// here: [`Verified`](super::Verified) does it over the whole. Does not wait for a host that
    /// asked for quiet: it fails with [`Retry::After`](super::Retry::After).
    fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> impl Future<Output = Result<BlobStream, Failure>> + Send;

    /// Tells where the bytes of a blob that could not be read, or were not its own, come from. A
    /// registry's failure says that already; a bundle adds the place in its files.
    fn explain(&self, _blob: &Descriptor, failure: Failure) -> Failure {
        failure
    }

    /// Until when this repository's host asked not to be bothered (429, 503).
    fn paused_until(&self, _repository: &Repository) -> Option<Instant> {
        None
    }
}
