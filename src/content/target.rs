//! Where content is written.

use std::fmt;
use std::future::Future;
use std::time::Instant;

use super::{BlobStream, Failure};
use crate::oci::{Descriptor, Digest, Hasher, RawManifest, Reference, Repository};

/// Everything a copy is about to bring, known before its first byte moves.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The names that will be written last, and the manifest of each.
    pub roots: Vec<(Reference, Digest)>,
    /// The roots' manifests and everything below them, each digest once, sorted by digest.
    pub manifests: Vec<RawManifest>,
    /// What the manifests name and the target must hold, each digest once, sorted by digest.
    pub blobs: Vec<Descriptor>,
}

/// What an upload holds of its blob from an earlier run.
pub struct Held {
    /// So many of the blob's first bytes.
    pub bytes: u64,
    /// The state of the digest after them: they were read again, not believed.
    pub hasher: Hasher,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// How a blob's way into a repository began.
#[derive(Debug)]
pub enum Begun<U> {
    /// It was already on the host and is now in the repository; nothing is to be sent.
    Mounted,
    /// The bytes are to be sent to this upload, or the upload cancelled.
    Upload(U),
    /// As [`Upload`](Self::Upload), for the bytes after those it holds already.
    Partial(U, Held),
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

    /// Sends the whole blob, or what follows the bytes that a [`Partial`](Begun::Partial) upload
    /// holds, and commits it. When the body ends without an error, the whole is `blob.size` bytes
    /// that hash to the digest. After an error nothing must be committed, and when its code is
    /// [`DigestMismatch`](super::Code::DigestMismatch) what was held must be forgotten as well.
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

    /// Hears what is going to be written, once, before anything is. A target that must know all
    /// sizes first lays its map now; one that cannot take it fails here.
    fn prepare(&self, _plan: &Plan) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Whether [`prepare`](Self::prepare) would take the plan, asked instead of it when nothing may
    /// be written.
    fn consider(&self, _plan: &Plan) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Whether [`begin`](Self::begin) answers without a round trip, so that opening the source at
    /// the same time gains nothing.
    fn is_local(&self) -> bool {
        false
    }

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
