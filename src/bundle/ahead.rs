//! The bytes of an open blob as a stream: what the system still has in memory is taken at once, and
//! the rest is read by blocking tasks, one burst ahead of the client. A slow client holds a few
//! buffers and no thread.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use tokio::task::JoinHandle;

use super::buffers::Buffers;
use crate::content::{BlobStream, Code, Failure};

/// One chunk of an answer: small enough to be in the core's own cache still when it is sent.
/// Measured with a client on the same machine: below 256 KiB the cost per chunk shows.
const CHUNK: usize = 256 << 10;

/// Chunks that are read in one go, off the runtime's threads: enough to make the change of
/// threads cheap. Twice as much waits in memory for a slow client.
const BURST: usize = 4;

/// Bytes that are read at positions.
pub(super) trait Positioned: Clone + Send + Sync + 'static {
    /// Fills `into` from `offset` on. Blocks on the disk.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
    /// Fills as much of `into` as needs no disk, and gives how much that was: 0 as well when there
    /// is no telling.
    fn read_cached_at(&self, into: &mut [u8], offset: u64) -> usize;
    /// An error of these bytes, for the person who reads the log.
    fn failure(&self, error: &io::Error) -> Failure;
}

/// That a blob in `place` could not be read.
pub(super) fn unreadable(place: &str, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file became shorter while it was read".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(
        Code::Local,
        place,
        format!("cannot read the blob: {reason}"),
    )
}

/// The bytes of `source` from `from` up to `to`.
pub(super) fn stream<P: Positioned>(source: P, from: u64, to: u64) -> BlobStream {
    let ahead = Ahead {
        source,
        next: from,
        end: to,
        ready: Vec::new().into_iter(),
        burst: None,
        chunks: 1,
        buffers: Buffers::default(),
    };
    Box::pin(stream::unfold(ahead, Ahead::step))
}

struct Ahead<P> {
    source: P,
    /// Where the next chunk or burst begins.
    next: u64,
    end: u64,
    ready: std::vec::IntoIter<Bytes>,
    burst: Option<JoinHandle<io::Result<Vec<Bytes>>>>,
    /// How much the next burst reads: the first one little, so that the answer begins at once.
    chunks: usize,
    buffers: Buffers,
}

impl<P: Positioned> Ahead<P> {
    async fn step(mut self) -> Option<(Result<Bytes, Failure>, Self)> {
        loop {
            if let Some(chunk) = self.ready.next() {
                return Some((Ok(chunk), self));
            }
            let burst = match self.burst.take() {
                Some(burst) => burst,
                None if self.next >= self.end => return None,
                None => match self.cached() {
                    Some(chunk) => return Some((Ok(chunk), self)),
                    None => self.begin(),
                },
            };
            match burst
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)))
            {
                Ok(chunks) => {
                    self.ready = chunks.into_iter();
                    // Who had to wait for the disk once will wait again.
                    if self.next < self.end {
                        self.burst = Some(self.begin());
                    }
                }
                Err(error) => {
                    self.next = self.end;
                    return Some((Err(self.source.failure(&error)), self));
                }
            }
        }
    }

    fn cached(&mut self) -> Option<Bytes> {
        let mut chunk = self.buffers.take(length(self.next, self.end));
        let read = self.source.read_cached_at(&mut chunk, self.next);
        chunk.truncate(read);
        self.next += read as u64;
        let chunk = self.buffers.lend(chunk);
        (!chunk.is_empty()).then_some(chunk)
    }

    fn begin(&mut self) -> JoinHandle<io::Result<Vec<Bytes>>> {
        let (source, buffers) = (self.source.clone(), self.buffers.clone());
        let (from, chunks) = (self.next, self.chunks);
        let to = self.end.min(from + (chunks * CHUNK) as u64);
        self.next = to;
        self.chunks = BURST;
        tokio::task::spawn_blocking(move || {
            let mut read = Vec::with_capacity(chunks);
            let mut at = from;
            while at < to {
                let mut chunk = buffers.take(length(at, to));
                source.read_exact_at(&mut chunk, at)?;
                at += chunk.len() as u64;
                read.push(buffers.lend(chunk));
            }
            Ok(read)
        })
    }
}

/// Of the chunk that begins at `from`.
fn length(from: u64, to: u64) -> usize {
    usize::try_from(to - from).unwrap_or(CHUNK).min(CHUNK)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

    /// Bytes of which some are in memory: in stretches of `stretch` bytes, one is and one is not.
    #[derive(Clone)]
    struct Partly {
        bytes: Arc<[u8]>,
        stretch: usize,
    }

    impl Positioned for Partly {
        fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
            let from = usize::try_from(offset).expect("small");
            let bytes = self.bytes.get(from..from + into.len());
            into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }

        fn read_cached_at(&self, into: &mut [u8], offset: u64) -> usize {
            let from = usize::try_from(offset).expect("small");
            if self.stretch == 0 || (from / self.stretch) % 2 == 1 {
                return 0;
            }
            let end = (from / self.stretch + 1) * self.stretch;
            let length = (end.min(self.bytes.len()) - from).min(into.len());
            into[..length].copy_from_slice(&self.bytes[from..from + length]);
            length
        }

        fn failure(&self, error: &io::Error) -> Failure {
            Failure::new(Code::Local, "here", error.to_string())
        }
    }

    fn read(source: &Partly, from: usize, to: usize) -> Result<Vec<Bytes>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let stream = stream(source.clone(), from as u64, to as u64);
        runtime.expect("a runtime").block_on(stream.try_collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_range_is_read_wherever_its_bytes_are(
            size in prop_oneof![0..9_usize, CHUNK - 1..CHUNK + 2, 6 * CHUNK..7 * CHUNK],
            stretch in prop_oneof![Just(0), 1..9_usize, CHUNK - 5..CHUNK + 5, Just(usize::MAX / 2)],
            a: prop::sample::Index,
            b: prop::sample::Index,
        ) {
            let bytes: Arc<[u8]> = (0..=250).cycle().take(size).collect();
            let source = Partly { bytes, stretch };
            let (a, b) = (a.index(size + 1), b.index(size + 1));
            let (from, to) = (a.min(b), a.max(b));
            let chunks = read(&source, from, to).expect("read");
            prop_assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK));
            prop_assert_eq!(&chunks.concat()[..], &source.bytes[from..to]);
        }
    }

    #[test]
    fn bytes_that_are_not_there_are_an_error_and_the_end() {
        let source = Partly {
            bytes: vec![1; 3 * CHUNK].into(),
            stretch: CHUNK,
        };
        let failure = read(&source, 0, 4 * CHUNK).expect_err("short");
        assert_eq!(failure.code(), Code::Local);
    }
}
