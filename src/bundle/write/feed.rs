//! From a body that arrives to a thread that writes: small chunks become large writes, and the
//! runtime never waits for a disk.

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::content::{BlobStream, Code, Failure};

/// Chunks of up to 512 KiB that wait for the disk, which may stand still for a moment without the
/// network doing so. They are beyond the engine's own budget, so there are few of them.
const QUEUE: usize = 4;

/// From this size on a write costs no more per byte.
const BATCH: usize = 256 * 1024;

/// The thread's end: the body's bytes in batches, then its error if it has one.
pub(super) struct Feed {
    receiver: mpsc::Receiver<Result<Bytes, Failure>>,
    batch: Vec<u8>,
    large: Bytes,
    failed: Option<Failure>,
}

impl Feed {
    /// The next bytes; `None` at the end. After an error nothing follows.
    pub(super) fn next(&mut self) -> Option<Result<&[u8], Failure>> {
        if let Some(failure) = self.failed.take() {
            return Some(Err(failure));
        }
        self.batch.clear();
        loop {
            match self.receiver.blocking_recv() {
                Some(Ok(chunk)) if self.batch.is_empty() && chunk.len() >= BATCH => {
                    self.large = chunk;
                    return Some(Ok(&self.large));
                }
                Some(Ok(chunk)) => {
                    self.batch.extend_from_slice(&chunk);
                    if self.batch.len() >= BATCH {
                        return Some(Ok(&self.batch));
                    }
                }
                Some(Err(failure)) if self.batch.is_empty() => return Some(Err(failure)),
                // What came before the error is kept.
                Some(Err(failure)) => {
                    self.failed = Some(failure);
                    return Some(Ok(&self.batch));
                }
                None if self.batch.is_empty() => return None,
                None => return Some(Ok(&self.batch)),
            }
        }
    }
}

/// Feeds `body` to `work` on a thread of its own and returns what it makes of it. When this
/// future is dropped, the thread sees the body end early.
pub(super) async fn pour<W>(mut body: BlobStream, work: W) -> Result<(), Failure>
where
    W: FnOnce(Feed) -> Result<(), Failure> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let feed = Feed {
        receiver,
        batch: Vec::new(),
        large: Bytes::new(),
        failed: None,
    };
    let worker = tokio::task::spawn_blocking(move || work(feed));
    while let Some(chunk) = body.next().await {
        let last = chunk.is_err();
        if sender.send(chunk).await.is_err() || last {
            break;
        }
    }
    drop(sender);
    joined(worker.await)
}

/// Runs `work` where waiting for a disk holds up nobody.
pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Failure> + Send + 'static,
) -> Result<R, Failure> {
    joined(tokio::task::spawn_blocking(work).await)
}

fn joined<R>(done: Result<Result<R, Failure>, tokio::task::JoinError>) -> Result<R, Failure> {
    let lost = |_| Failure::new(Code::Cancelled, "bundle", "the run was stopped");
    done.map_err(lost).flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    async fn sizes(chunks: Vec<Result<Bytes, Failure>>) -> (Vec<usize>, Result<(), Failure>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sizes = seen.clone();
        let body: BlobStream = Box::pin(futures_util::stream::iter(chunks));
        let done = pour(body, move |mut feed| {
            while let Some(batch) = feed.next() {
                sizes.lock().expect("unshared").push(batch?.len());
            }
            Ok(())
        });
        let done = done.await;
        let sizes = seen.lock().expect("unshared").clone();
        (sizes, done)
    }

    fn chunk(size: usize) -> Bytes {
        Bytes::from(vec![7; size])
    }

    #[tokio::test]
    async fn small_chunks_are_written_together_and_large_ones_as_they_are() {
        let mut chunks: Vec<_> = (0..33).map(|_| Ok(chunk(16 * 1024))).collect();
        chunks.push(Ok(chunk(BATCH * 2)));
        let (sizes, done) = sizes(chunks).await;
        done.expect("all of it");
        // The large one falls behind a small one and goes with it.
        assert_eq!(sizes, [BATCH, BATCH, 16 * 1024 + BATCH * 2]);
    }

    #[tokio::test]
    async fn what_comes_before_an_error_is_seen_before_it() {
        let error = Failure::new(Code::Interrupted, "h", "reset");
        let (sizes, done) = sizes(vec![Ok(chunk(10)), Ok(chunk(5)), Err(error)]).await;
        assert_eq!(sizes, [15]);
        assert_eq!(done.expect_err("it ended early").code(), Code::Interrupted);
    }
}
