//! What a writer is told, and what it tells at the end.

use camino::Utf8PathBuf;

use crate::bundle::record::{External, Record};

/// How a bundle is written.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Cuts a tar into volumes of so many bytes.
    pub split: Option<u64>,
    /// Blobs that the receiver has: they are named and left out.
    pub external: Vec<External>,
    /// What the bundle is made for. The digests of its images, and which of the external blobs
    /// it names, are filled in here.
    pub record: Record,
}

/// A bundle that is complete on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its files, or its directory.
    pub files: Vec<Utf8PathBuf>,
    /// Their bytes; of a directory, those of what it names.
    pub bytes: u64,
}
