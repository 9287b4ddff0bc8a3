//! Where content is written.

use std::future::Future;
use std::time::Instant;

use super::{BlobStream, Failure};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// How a blob's way into a repository began.
#[derive(Debug)]
pub enum Begun<U> {
    /// It was already on the host and is now in the repository; nothing is to be sent.
    Mounted,
    /// The bytes are to be sent to this upload, or the upload cancelled.
    Upload(U),
}

/// Takes in manifests and blobs: a registry, a bundle, memory.
pub trait Target: Send + Sync + 'static {
    /// An upload that was opened and takes one blob.
    type Upload: Send + 'static;

    /// The digest of the manifest that `reference` names; `None` when there is none, or when
    /// nobody may tell: registries that hide what is absent answer 401 or 403, which the upload
    /// will then say better.
    fn resolve(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Option<Digest>, Failure>> + Send;

    /// Whether the blob is in the repository with the right size (a HEAD). "Cannot tell" is no.
    fn has_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Opens an upload, or mounts the blob from `from` when it is there. `from` may be the
    /// repository itself: then "mounted" means that the blob had already arrived, which costs no
    /// request more than opening the upload.
    fn begin(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        from: Option<&Repository>,
    ) -> impl Future<Output = Result<Begun<Self::Upload>, Failure>> + Send;

    /// Sends the whole blob and commits it. `body` yields exactly `blob.size` bytes that hash to
    /// its digest, or ends with an error, and then nothing must be committed.
    fn upload(
        &self,
        upload: Self::Upload,
        blob: &Descriptor,
        body: BlobStream,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Gives an unused upload back; failures are of no interest.
    fn cancel(&self, upload: Self::Upload) -> impl Future<Output = ()> + Send;

    /// Writes the manifest's exact bytes under a tag or its digest.
    fn put_manifest(
        &self,
        reference: &Reference,
        manifest: &RawManifest,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the repository would take anything: an upload is opened and given back. Asked once
    /// a project before the first byte.
    fn try_repository(
        &self,
        _repository: &Repository,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Until when this repository's host asked not to be bothered (429, 503).
    fn paused_until(&self, _repository: &Repository) -> Option<Instant> {
        None
    }
}
