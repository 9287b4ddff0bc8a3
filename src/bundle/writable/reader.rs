//! A blob of the directory, open.

use std::io;
use std::sync::Arc;

use crate::bundle::ahead::{self, Positioned};
use crate::bundle::disk::{DiskFile, read_full};
use crate::content::{BlobReader, BlobStream, Failure};

/// An open blob. It can be read to its end also when it is deleted meanwhile.
#[derive(Clone)]
pub struct FileBlob {
    file: Arc<dyn DiskFile>,
    size: u64,
    /// The bundle, as errors name it.
    bundle: Arc<str>,
}

impl FileBlob {
    pub(super) fn new(file: Arc<dyn DiskFile>, size: u64, bundle: Arc<str>) -> Self {
        Self { file, size, bundle }
    }
}

impl Positioned for FileBlob {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        if read_full(&*self.file, offset, into)? < into.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn read_cached_at(&self, into: &mut [u8], offset: u64) -> usize {
        self.file.read_cached_at(offset, into)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        ahead::unreadable(&self.bundle, error)
    }
}

impl BlobReader for FileBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: u64) -> BlobStream {
        let end = offset.saturating_add(length).min(self.size);
        ahead::stream(self.clone(), offset.min(end), end)
    }
}
