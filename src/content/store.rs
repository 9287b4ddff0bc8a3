//! Content that can be served: what the embedded registry stands on.

use std::future::Future;

use super::BlobStream;
use crate::oci::{Digest, ManifestError, RawManifest, Referrer, TagOrDigest};

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
    /// A manifest whose references cannot be read.
    #[error("the manifest is refused: {0}")]
    Manifest(#[from] ManifestError),
    /// Larger than the store takes, in bytes.
    #[error("larger than the {limit} bytes this registry takes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
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
pub trait Store: Send + Sync + 'static {
    /// What reads one blob.
    type Blob: BlobReader;
    /// What takes in one blob; dropped without [`commit`](Self::commit) it leaves nothing.
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
    /// A blob of the repository.
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

    /// Opens an upload. The repository begins to exist when something is committed.
    fn begin(
        &self,
        repository: &str,
    ) -> impl Future<Output = Result<Self::Upload, StoreError>> + Send;
    /// Appends to an upload.
    fn append(
        &self,
        upload: &mut Self::Upload,
        chunk: bytes::Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Verifies the upload against `digest` and makes the blob visible in its repository.
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
    /// Stores a manifest under its digest and, when `reference` is one, a tag. Refused when a
    /// blob or child is [`Missing`](StoreError::Missing) in the repository; the bytes of foreign
    /// layers live elsewhere, and a missing subject is allowed (distribution-spec, "Pushing
    /// Manifests with Subject").
    fn put_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
        manifest: RawManifest,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Removes a tag, or a manifest with all its tags; false when it was not there.
    fn delete_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
