//! The bytes of one blob: a file, or a stretch of a tar and its volumes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::task::JoinHandle;

use super::super::slices::Slices;
use crate::content::{BlobReader, BlobStream, Code, Failure};

/// One chunk of an answer. Measured with a client on the same machine: below 256 KiB the cost per
/// chunk shows, above it nothing is gained.
const CHUNK: usize = 256 << 10;

/// Chunks that are read in one go, off the runtime's threads: enough to make the change of
/// threads cheap. Twice as much waits in memory for a slow client, and no thread does.
const BURST: usize = 4;

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

    fn burst(&self, from: u64, to: u64, chunks: usize) -> io::Result<Vec<Bytes>> {
        let mut read = Vec::with_capacity(chunks);
        let mut at = from;
        while at < to && read.len() < chunks {
            let length = usize::try_from(to - at).unwrap_or(CHUNK).min(CHUNK);
            let mut chunk = vec![0; length];
            self.read_exact_at(&mut chunk, at)?;
            at += length as u64;
            read.push(chunk.into());
        }
        Ok(read)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let path = self.bytes.path_at(self.offset);
        let host = path.map_or("bundle", |path| path.as_str());
        Failure::new(Code::Local, host, format!("cannot read the blob: {error}"))
    }
}

impl BlobReader for Region {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: u64) -> BlobStream {
        let ahead = Ahead {
            region: self.clone(),
            next: offset.min(self.size),
            end: offset.saturating_add(length).min(self.size),
            ready: Vec::new().into_iter(),
            burst: None,
            chunks: 1,
        };
        Box::pin(stream::unfold(ahead, Ahead::step))
    }
}

/// Reads one burst ahead of what is taken.
struct Ahead {
    region: Region,
    /// Where the next burst begins.
    next: u64,
    end: u64,
    ready: std::vec::IntoIter<Bytes>,
    burst: Option<JoinHandle<io::Result<Vec<Bytes>>>>,
    /// How much the next burst reads: the first one little, so that the answer begins at once.
    chunks: usize,
}

impl Ahead {
    async fn step(mut self) -> Option<(Result<Bytes, Failure>, Self)> {
        loop {
            if self.burst.is_none() && self.next < self.end {
                self.begin();
            }
            if let Some(chunk) = self.ready.next() {
                return Some((Ok(chunk), self));
            }
            match self.burst.take()?.await {
                Ok(Ok(chunks)) => self.ready = chunks.into_iter(),
                Ok(Err(error)) => {
                    self.next = self.end;
                    return Some((Err(self.region.failure(&error)), self));
                }
                Err(error) => {
                    self.next = self.end;
                    let error = io::Error::other(error);
                    return Some((Err(self.region.failure(&error)), self));
                }
            }
        }
    }

    fn begin(&mut self) {
        let (region, from, to, chunks) = (self.region.clone(), self.next, self.end, self.chunks);
        self.burst = Some(tokio::task::spawn_blocking(move || {
            region.burst(from, to, chunks)
        }));
        self.next = self.end.min(self.next + (self.chunks * CHUNK) as u64);
        self.chunks = BURST;
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use camino::Utf8PathBuf;
    use futures_util::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_range_is_read(
            size in prop_oneof![0..9_usize, CHUNK - 1..CHUNK + 2, 6 * CHUNK..7 * CHUNK],
            a: prop::sample::Index,
            b: prop::sample::Index,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let content: Vec<u8> = (0..=250).cycle().take(size + 7).collect();
            let (_dir, region) = region("blob", &content, 7);
            let (a, b) = (a.index(size + 1), b.index(size + 1));
            let (from, to) = (a.min(b), a.max(b));
            let found = runtime.block_on(read(&region, from as u64, (to - from) as u64));
            prop_assert_eq!(found.expect("read"), &content[7 + from..7 + to]);
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_ends_in_an_error() {
        let (dir, region) = region("blob", &[1; 3 * CHUNK], 0);
        let file = File::options().write(true).open(dir.path().join("blob"));
        file.expect("open").set_len(CHUNK as u64).expect("cut");
        let failure = read(&region, 0, 3 * CHUNK as u64).await.expect_err("short");
        assert!(failure.to_string().contains("blob"), "{failure}");
        assert_eq!(failure.code(), Code::Local);
    }
}
