//! The bytes of a blob in chunks that can be sent again: each chunk streams from the source while
//! a copy of it is kept, until the registry says that it has it.
//!
//! The copy is what a chunked upload holds in memory besides the engine's budget: at most one
//! chunk. It is one buffer, since pieces of a stream may keep far larger buffers alive.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::content::{BlobStream, Code, Failure};

/// Bytes of the copy handed on at once.
const PIECE: usize = 256 * 1024;

/// A blob's stream and the copy of what is under way.
pub(super) struct Feed(Arc<Mutex<State>>);

struct State {
    source: Option<BlobStream>,
    /// Came from the source and belongs to a later chunk.
    rest: Bytes,
    /// The bytes from `start` on that came from the source and may be asked for again.
    kept: Vec<u8>,
    start: u64,
    size: u64,
    /// Which chunk stream may take bytes: one whose connection is gone may still be polled.
    turn: u64,
}

impl Feed {
    /// Over exactly `size` bytes of `source`.
    pub(super) fn new(source: BlobStream, size: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            source: Some(source),
            rest: Bytes::new(),
            kept: Vec::new(),
            start: 0,
            size,
            turn: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `length` bytes from `at` on, as the body of one request; `at` must be kept. What lies
    /// before it is forgotten, and so is every earlier chunk stream.
    pub(super) fn chunk(&self, at: u64, length: u64) -> BlobStream {
        let mut state = self.state();
        let done = usize::try_from(at.saturating_sub(state.start)).unwrap_or(usize::MAX);
        let done = done.min(state.kept.len());
        state.kept.drain(..done);
        state.start = at;
        // No more than asked for: what grows by itself doubles.
        let whole = usize::try_from(length).unwrap_or(0);
        let missing = whole.saturating_sub(state.kept.len());
        state.kept.reserve_exact(missing);
        state.turn += 1;
        Box::pin(Chunk {
            turn: state.turn,
            next: at,
            end: at + length,
            feed: Arc::clone(&self.0),
        })
    }

    /// Where the kept bytes end: no registry can have more.
    pub(super) fn end(&self) -> u64 {
        let state = self.state();
        state.start + state.kept.len() as u64
    }

    /// The verdict on the whole, after its last byte.
    pub(super) async fn finish(&self) -> Result<(), Failure> {
        let (source, rest, size) = {
            let mut state = self.state();
            state.turn += 1;
            (state.source.take(), state.rest.len(), state.size)
        };
        if rest > 0 {
            return Err(wrong_length("go on after", size));
        }
        let Some(mut source) = source else {
            return Ok(());
        };
        while let Some(piece) = source.next().await {
            if !piece?.is_empty() {
                return Err(wrong_length("go on after", size));
            }
        }
        Ok(())
    }

    /// Lets go of the source, also when a connection that is being torn down still holds a chunk
    /// stream.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.turn += 1;
        state.source = None;
        state.kept = Vec::new();
        state.rest = Bytes::new();
    }
}

/// The body of one chunk.
struct Chunk {
    feed: Arc<Mutex<State>>,
    turn: u64,
    next: u64,
    end: u64,
}

impl Stream for Chunk {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = {
            let mut state = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
            if state.turn != self.turn || self.next >= self.end {
                return Poll::Ready(None);
            }
            match state.poll_piece(self.next, self.end, cx) {
                Poll::Ready(Ok(piece)) => piece,
                Poll::Ready(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                Poll::Pending => return Poll::Pending,
            }
        };
        self.next += piece.len() as u64;
        Poll::Ready(Some(Ok(piece)))
    }
}

impl State {
    /// The next bytes from `at` on, none beyond `end`: from the copy, or else from the source.
    fn poll_piece(
        &mut self,
        at: u64,
        end: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Failure>> {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        if let Some(again) = self.kept.get(from..).filter(|again| !again.is_empty()) {
            let length = wanted.min(again.len()).min(PIECE);
            return Poll::Ready(Ok(Bytes::copy_from_slice(&again[..length])));
        }
        while self.rest.is_empty() {
            let Some(source) = &mut self.source else {
                return Poll::Ready(Err(wrong_length("end before", self.size)));
            };
            self.rest = match source.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(piece))) => piece,
                Poll::Ready(Some(Err(failure))) => return Poll::Ready(Err(failure)),
                Poll::Ready(None) => {
                    return Poll::Ready(Err(wrong_length("end before", self.size)));
                }
            };
        }
        if at + self.rest.len() as u64 > self.size {
            return Poll::Ready(Err(wrong_length("go on after", self.size)));
        }
        let length = wanted.min(self.rest.len()).min(PIECE);
        let piece = self.rest.split_to(length);
        self.kept.extend_from_slice(&piece);
        Poll::Ready(Ok(piece))
    }
}

fn wrong_length(what: &str, size: u64) -> Failure {
    let message = format!("the blob's bytes {what} the {size} announced");
    Failure::new(Code::SizeMismatch, "this machine", message)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    fn feed(pieces: Vec<Result<Bytes, Failure>>, size: u64) -> Feed {
        Feed::new(Box::pin(stream::iter(pieces)), size)
    }

    async fn read(mut chunk: BlobStream, at_most: usize) -> Result<Vec<u8>, Failure> {
        let mut seen = Vec::new();
        while seen.len() < at_most
            && let Some(piece) = chunk.next().await
        {
            seen.extend_from_slice(&piece?);
        }
        Ok(seen)
    }

    #[tokio::test]
    async fn a_chunk_is_sent_again_from_any_byte_of_it() {
        let pieces = vec![
            Ok(Bytes::from_static(b"abc")),
            Ok(Bytes::from_static(b"defghij")),
        ];
        let feed = feed(pieces, 10);
        assert_eq!(read(feed.chunk(0, 6), 4).await.expect("bytes"), b"abcdef");
        assert_eq!(feed.end(), 6);
        let broken = feed.chunk(0, 6);
        assert_eq!(read(feed.chunk(2, 6), 9).await.expect("bytes"), b"cdefgh");
        assert_eq!(
            read(broken, 9).await.expect("nothing"),
            b"",
            "its turn is over"
        );
        assert_eq!(feed.state().kept.len(), 6);
        // Halved: what was kept beyond the new end waits for the next chunk.
        assert_eq!(read(feed.chunk(2, 3), 9).await.expect("bytes"), b"cde");
        assert_eq!(read(feed.chunk(5, 5), 9).await.expect("bytes"), b"fghij");
        feed.finish().await.expect("whole");
    }

    #[tokio::test]
    async fn wrong_lengths_and_failures_end_a_chunk() {
        for size in [2_u64, 9] {
            let feed = feed(vec![Ok(Bytes::from_static(b"abc"))], size);
            let failure = read(feed.chunk(0, size), 99).await.expect_err("wrong");
            assert_eq!(failure.code(), Code::SizeMismatch);
        }
        let long = feed(
            vec![Ok(Bytes::from_static(b"abc")), Ok(Bytes::from_static(b"d"))],
            3,
        );
        read(long.chunk(0, 3), 99).await.expect("so far so good");
        assert!(long.finish().await.is_err());
        let bad = Failure::new(Code::DigestMismatch, "source", "wrong bytes");
        let spoilt = feed(vec![Ok(Bytes::from_static(b"ab")), Err(bad)], 3);
        let failure = read(spoilt.chunk(0, 3), 99).await.expect_err("wrong");
        assert_eq!(failure.code(), Code::DigestMismatch);
    }

    proptest! {
        #[test]
        fn whatever_breaks_the_bytes_stay_the_same(
            sizes in proptest::collection::vec(1_usize..50, 1..20),
            breaks in proptest::collection::vec((1_u64..60, 0_u64..60), 0..60),
        ) {
            let size: usize = sizes.iter().sum();
            let whole: Vec<u8> = (0..=250).cycle().take(size).collect();
            let mut left = Bytes::from(whole.clone());
            let pieces = sizes.iter().map(|&n| Ok(left.split_to(n))).collect();
            let (feed, size) = (feed(pieces, size as u64), size as u64);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("one");
            let got = runtime.block_on(async {
                let mut got = Vec::new();
                let mut breaks = breaks.into_iter();
                let mut at = 0;
                while at < size {
                    let (length, taken) = breaks.next().unwrap_or((60, 60));
                    let length = length.min(size - at);
                    let sent = read(feed.chunk(at, length), usize::MAX).await.expect("bytes");
                    assert_eq!(sent.len() as u64, length);
                    assert!(feed.end() - at <= 60);
                    let taken = usize::try_from(taken.min(length)).expect("small");
                    got.extend_from_slice(&sent[..taken]);
                    at += taken as u64;
                }
                feed.finish().await.expect("whole");
                got
            });
            prop_assert_eq!(got, whole);
        }
    }
}
