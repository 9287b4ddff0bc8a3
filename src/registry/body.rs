//! The body of an upload: bounded pieces, an exact length, and a watch over who keeps whom
//! waiting.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;

use crate::content::{BlobStream, Code, Failure};

/// Largest piece handed on at once: progress is seen piece by piece, also on a slow link.
const PIECE: usize = 256 * 1024;

/// An answer may take this many times the idle time-out after the last byte: registries hash and
/// move what they got before they answer.
const COMMIT_PATIENCE: u32 = 10;

/// Whom an upload waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For the next bytes; their side has a time-out of its own.
    Source,
    /// For the server to take what it was given, since then.
    Server(Instant),
    /// For its answer to everything, since then.
    Answer(Instant),
}

#[derive(Debug)]
struct State {
    waiting: Waiting,
    sent: u64,
    failure: Option<Failure>,
}

/// What is known from outside about a body that is being sent.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Mutex<State>>);

impl Watch {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            waiting: Waiting::Server(Instant::now()),
            sent: 0,
            failure: None,
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes handed to the connection.
    pub(super) fn sent(&self) -> u64 {
        self.state().sent
    }

    /// The failure with which the body ended, when it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Returns, with the reason, when the server has kept us waiting too long.
    pub(super) async fn stalled(&self, idle: Duration) -> String {
        loop {
            let (limit, since, what) = match self.state().waiting {
                Waiting::Source => (idle, Instant::now(), ""),
                Waiting::Server(since) => (idle, since, "the registry took no byte"),
                Waiting::Answer(since) => (
                    idle * COMMIT_PATIENCE,
                    since,
                    "the registry did not answer after the last byte",
                ),
            };
            let waited = since.elapsed();
            if waited >= limit {
                return format!("{what} for {} s", limit.as_secs_f32());
            }
            tokio::time::sleep(limit.saturating_sub(waited)).await;
        }
    }
}

/// Exactly `size` bytes of `inner`, or an error in place of the last of them.
pub(super) struct Body {
    inner: BlobStream,
    rest: Bytes,
    size: u64,
    watch: Watch,
}

impl Body {
    pub(super) fn new(inner: BlobStream, size: u64) -> (Self, Watch) {
        let watch = Watch::new();
        let body = Self {
            inner,
            rest: Bytes::new(),
            size,
            watch: watch.clone(),
        };
        (body, watch)
    }

    fn fail(&self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.watch.state().failure = Some(failure.clone());
        Poll::Ready(Some(Err(failure)))
    }

    fn wrong_length(&self, what: &str) -> Failure {
        let message = format!("the blob's bytes {what} the {} announced", self.size);
        Failure::new(Code::SizeMismatch, "this machine", message)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.watch.failure().is_some() {
            return Poll::Ready(None);
        }
        let sent = self.watch.sent();
        while self.rest.is_empty() {
            self.watch.state().waiting = Waiting::Source;
            self.rest = match self.inner.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) => chunk,
                Poll::Ready(Some(Err(failure))) => return self.fail(failure),
                Poll::Ready(None) if sent == self.size => return Poll::Ready(None),
                Poll::Ready(None) => {
                    let failure = self.wrong_length("end before");
                    return self.fail(failure);
                }
            };
        }
        if sent + self.rest.len() as u64 > self.size {
            let failure = self.wrong_length("go on after");
            return self.fail(failure);
        }
        let piece = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(piece);
        let now = Instant::now();
        let mut state = self.watch.state();
        state.sent += piece.len() as u64;
        // A client that has sent the announced length does not ask for more.
        state.waiting = if state.sent == self.size {
            Waiting::Answer(now)
        } else {
            Waiting::Server(now)
        };
        drop(state);
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    fn body(chunks: Vec<Result<Bytes, Failure>>, size: u64) -> (Body, Watch) {
        Body::new(Box::pin(stream::iter(chunks)), size)
    }

    #[tokio::test]
    async fn pieces_are_bounded_and_add_up() {
        let whole = Bytes::from(vec![7_u8; 3 * PIECE + 5]);
        let (body, watch) = body(
            vec![Ok(Bytes::new()), Ok(whole.clone())],
            whole.len() as u64,
        );
        let pieces: Vec<_> = body.map(|p| p.expect("a piece").len()).collect().await;
        assert_eq!(pieces, [PIECE, PIECE, PIECE, 5]);
        assert_eq!(watch.sent(), whole.len() as u64);
        assert!(watch.failure().is_none());
    }

    #[tokio::test]
    async fn a_wrong_length_is_an_error_in_place_of_the_last_bytes() {
        for size in [3_u64, 9] {
            let (body, watch) = body(vec![Ok(Bytes::from_static(b"abcdef"))], size);
            let last = body.collect::<Vec<_>>().await.pop().expect("an end");
            assert_eq!(last.expect_err("wrong").code(), Code::SizeMismatch);
            assert!(watch.failure().is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_server_is_timed() {
        let idle = Duration::from_millis(30);
        let (mut waiting, watch) = Body::new(Box::pin(stream::pending()), 5);
        assert!(futures_util::poll!(waiting.next()).is_pending());
        let none = tokio::time::timeout(Duration::from_mins(1), watch.stalled(idle)).await;
        assert!(none.is_err(), "the source was blamed on the server");
    }

    #[tokio::test]
    async fn a_server_that_takes_nothing_is_noticed() {
        let idle = Duration::from_millis(30);
        let (mut body, watch) = body(vec![Ok(Bytes::from_static(b"abcdef"))], 9);
        body.next().await.expect("a piece").expect("bytes");
        let why = watch.stalled(idle).await;
        assert!(why.starts_with("the registry took no byte"), "{why}");
    }
}
