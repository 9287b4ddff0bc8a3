//! The bytes of one blob: a file, or a stretch of a tar and its volumes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::super::ahead::{self, Positioned};
use super::super::slices::Slices;
use crate::content::{BlobReader, BlobStream, Failure};

/// Where the bytes of a blob lie, opened.
#[derive(Debug, Clone)]
pub struct Region {
    bytes: Arc<Slices>,
    offset: u64,
    size: u64,
}

impl Region {
    pub(super) fn new(bytes: Arc<Slices>, offset: u64, size: u64) -> Self {
        Self {
            bytes,
            offset,
            size,
        }
    }

    /// Fills `into` from `offset` of the blob on. Blocks on the disk.
    pub(super) fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.read_exact_at(into, self.offset + offset)
    }

    /// The whole blob; the caller has looked at its size. Blocks on the disk.
    pub(super) fn read_all(&self) -> io::Result<Bytes> {
        let size = usize::try_from(self.size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = vec![0; size];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes.into())
    }
}

impl Positioned for Region {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        Self::read_exact_at(self, into, offset)
    }

    fn read_cached_at(&self, into: &mut [u8], offset: u64) -> usize {
        self.bytes.read_cached_at(into, self.offset + offset)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let path = self.bytes.path_at(self.offset);
        ahead::unreadable(path.map_or("bundle", |path| path.as_str()), error)
    }
}

impl BlobReader for Region {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: u64) -> BlobStream {
        let end = offset.saturating_add(length).min(self.size);
        ahead::stream(self.clone(), offset.min(end), end)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use camino::Utf8PathBuf;
    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::content::Code;

    fn region(name: &str, content: &[u8], skip: usize) -> (tempfile::TempDir, Region) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(dir.path().join(name)).expect("UTF-8");
        std::fs::write(&path, content).expect("written");
        let file = File::open(&path).expect("open");
        let slices = Slices::new([(path, file, content.len() as u64)]);
        let size = (content.len() - skip) as u64;
        (dir, Region::new(Arc::new(slices), skip as u64, size))
    }

    async fn read(region: &Region, offset: u64, length: u64) -> Result<Vec<u8>, Failure> {
        let chunks: Vec<Bytes> = region.read(offset, length).try_collect().await?;
        Ok(chunks.concat())
    }

    #[tokio::test]
    async fn a_range_counts_from_the_blobs_own_beginning_and_ends_at_its_end() {
        let (_dir, region) = region("blob", b"before blob", 7);
        for (offset, length, bytes) in [
            (0, 4, &b"blob"[..]),
            (1, 2, b"lo"),
            (2, u64::MAX, b"ob"),
            (4, 1, b""),
            (u64::MAX, 1, b""),
        ] {
            assert_eq!(read(&region, offset, length).await.expect("read"), bytes);
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_ends_in_an_error() {
        let (dir, region) = region("blob", &[1; 1000], 0);
        let file = File::options().write(true).open(dir.path().join("blob"));
        file.expect("open").set_len(300).expect("cut");
        let failure = read(&region, 0, 1000).await.expect_err("short");
        assert!(failure.to_string().contains("blob"), "{failure}");
        assert_eq!(failure.code(), Code::Local);
    }
}
