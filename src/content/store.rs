//! Content that can be served: what the embedded registry stands on.

use std::future::Future;

use super::BlobStream;
use crate::oci::{Descriptor, Digest, RawManifest, TagOrDigest};

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
    fn read(&self, offset: u64, length: u64) -> BlobStream;
}

/// Holds repositories of manifests and blobs, apart from any protocol.
pub trait Store: Send + Sync + 'static {
    /// What reads one blob.
    type Blob: BlobReader;
    /// What takes in one blob; dropped without [`commit`](Self::commit) it leaves nothing.
    type Upload: Send + 'static;

    /// Whether the repository exists at all.
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
    /// All tags of the repository in ASCII order.
    fn tags(
        &self,
        repository: &str,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
    /// Descriptors of the manifests of the repository whose `subject` is `digest`.
    fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> impl Future<Output = Result<Vec<Descriptor>, StoreError>> + Send;

    /// Opens an upload.
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
    /// Makes a blob of another repository visible in `repository`; false when it is not there.
    fn mount(
        &self,
        repository: &str,
        digest: &Digest,
        from: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Stores a manifest under its digest and, when `reference` is one, a tag.
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
