//! Content that can be served: what the embedded registry stands on.

use std::future::Future;
use std::sync::Arc;

use super::BlobStream;
use crate::oci::{Algorithm, Digest, ManifestError, RawManifest, Referrer, TagOrDigest};

/// Why a store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store only reads.
    #[error("this registry is read-only")]
    ReadOnly,
    /// A manifest names something that the repository does not hold.
    #[error("{0} is not in the repository")]
    Missing(Digest),
    /// Bytes that do not hash to the digest they were sent for.
    #[error("the bytes do not hash to {0}")]
    DigestMismatch(Digest),
    /// A manifest of the repository cannot be without it.
    #[error("{digest} is needed by {by}, which has to be deleted first")]
    Needed {
        /// The blob or manifest that was to be deleted.
        digest: Digest,
        /// The manifest that names it.
        by: Digest,
    },
    /// A manifest whose references cannot be read.
    #[error("the manifest is refused: {0}")]
    Manifest(#[from] ManifestError),
    /// Larger than the store takes, in bytes.
    #[error("larger than the {limit} bytes this registry takes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The storage has no room left.
    #[error("the registry's storage is full")]
    NoSpace,
    /// Disk and the like.
    #[error("{0}")]
    Io(String),
}

/// An open blob: its size, and the bytes of any range of it.
pub trait BlobReader: Send + Sync + 'static {
    /// Length in bytes.
    fn size(&self) -> u64;
    /// `length` bytes from `offset` on; the caller has checked both against [`size`](Self::size).
    /// Chunks of 256 KiB to 1 MiB serve best.
    fn read(&self, offset: u64, length: u64) -> BlobStream;
}

/// Holds repositories of manifests and blobs, apart from any protocol. Names of repositories and
/// tags were checked by the caller.
///
/// What a store keeps beyond the process counts as done only once it is durable: `commit`,
/// `mount`, `put_manifest` and both deletes answer after everything that they changed would
/// survive a loss of power, never before. Each of them happens whole or not at all, and two of
/// them at once happen one after the other: a manifest never ends up without something that it
/// names.
///
/// The embedded registry carries every call of a writing method to its end, also when its client
/// goes away; only the end of the runtime drops such a future half-way.
pub trait Store: Send + Sync + 'static {
    /// What reads one blob.
    type Blob: BlobReader;
    /// What takes in one blob. Its bytes are visible to nobody. Dropped without
    /// [`commit`](Self::commit) it leaves nothing; what a killed process left of it is removed
    /// when the store is opened again.
    type Upload: Send + 'static;

    /// All repositories in ASCII order.
    fn repositories(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
    /// Whether the repository exists at all: it holds, or once held, a blob or manifest.
    fn has_repository(
        &self,
        repository: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// A manifest by tag or digest.
    fn manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> impl Future<Output = Result<Option<RawManifest>, StoreError>> + Send;
    /// A blob of the repository. Once opened it can be read to its end, also when it is deleted
    /// meanwhile.
    fn blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> impl Future<Output = Result<Option<Self::Blob>, StoreError>> + Send;
    /// All tags of the repository in ASCII order; none when there is no such repository.
    fn tags(
        &self,
        repository: &str,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
    /// The manifests of the repository whose `subject` is `digest`, in order of their digests.
    fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> impl Future<Output = Result<Vec<Referrer>, StoreError>> + Send;

    /// Opens an upload. The repository begins to exist when something is committed. `algorithm`
    /// is the one that the digest will probably have, so that the bytes can be hashed as they
    /// come; [`commit`](Self::commit) decides.
    fn begin(
        &self,
        repository: &str,
        algorithm: Algorithm,
    ) -> impl Future<Output = Result<Self::Upload, StoreError>> + Send;
    /// Tells that `length` more bytes are announced, before the first of them: a store without
    /// room for them refuses with [`NoSpace`](StoreError::NoSpace) now. Nothing is promised by a
    /// yes, and not every client announces. It takes the place of what is left of the last
    /// announcement; 0 says that the body ended early.
    fn expect(
        &self,
        _upload: &mut Self::Upload,
        _length: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }
    /// Appends to an upload. Chunks are as the network gave them, from a few bytes to some
    /// hundred KiB: a store that pays by the call gathers them. After an error the upload is of
    /// no more use.
    fn append(
        &self,
        upload: &mut Self::Upload,
        chunk: bytes::Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Verifies the upload against `digest` and makes the blob visible in its repository. Where
    /// the digest is held already, by this repository or another, both are one blob.
    fn commit(
        &self,
        upload: Self::Upload,
        digest: &Digest,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Makes a blob of another repository, or with `None` of any, visible in `repository`; false
    /// when it is not there. `from` may be the repository itself.
    fn mount(
        &self,
        repository: &str,
        digest: &Digest,
        from: Option<&str>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Stores a manifest under its digest, and points all of `tags` at it, in one step. Refused
    /// when a blob or child is [`Missing`](StoreError::Missing) in the repository; the bytes of
    /// foreign layers live elsewhere, and a missing subject is allowed (distribution-spec,
    /// "Pushing Manifests with Subject").
    fn put_manifest(
        &self,
        repository: &str,
        manifest: RawManifest,
        tags: &[Arc<str>],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Removes a tag, or a manifest with all its tags; false when it was not there. Refused for a
    /// manifest that is [`Needed`](StoreError::Needed) by an index of the repository.
    fn delete_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Removes a blob from the repository; false when it was not there. Other repositories keep
    /// it; the bytes go with the last one. Refused while a manifest of the repository
    /// [needs](StoreError::Needed) it.
    fn delete_blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
