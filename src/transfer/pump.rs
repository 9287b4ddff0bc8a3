//! Brings the bytes of one blob from a source to one or more uploads: read once, verified once,
//! resumed where it broke, bounded in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::content::{BlobStream, Code, Failure, Held, Retry, Source, Verified};
use crate::event::{Event, Observer};
use crate::oci::{Descriptor, Repository};

/// Chunks that wait for one upload besides the one it is sending: enough that neither side
/// stands still while the other works, and no more.
const QUEUE: usize = 2;

/// Reconnects in a row that bring not one byte. Progress resets the count, so a slow line that
/// breaks every minute still finishes.
const FRUITLESS_RECONNECTS: u32 = 5;

/// The first reconnect comes at once, practically: most broken connections are just closed.
const FIRST_RECONNECT: Duration = Duration::from_millis(100);

/// Longest pause a host may ask for while an upload stands open. Beyond it the blob gives its
/// place back and is tried again later, because targets close idle uploads.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The bytes that may wait between both sides, over all blobs of a run.
#[derive(Clone)]
pub(super) struct Budget {
    permits: Arc<Semaphore>,
    whole: u32,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let whole = u32::try_from(bytes.max(1)).unwrap_or(u32::MAX);
        Self {
            permits: Arc::new(Semaphore::new(whole as usize)),
            whole,
        }
    }

    /// Waits until `bytes` more fit. A chunk larger than the whole budget takes all of it.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.whole);
        self.permits.clone().acquire_many_owned(wanted).await.ok()
    }
}

/// A chunk on its way, with its share of the budget.
struct Chunk {
    bytes: Bytes,
    _share: Option<Arc<OwnedSemaphorePermit>>,
}

/// The pump's end of one upload.
pub(super) struct Sink {
    sender: mpsc::Sender<Result<Chunk, Failure>>,
    /// Where in the blob this upload goes on.
    next: u64,
}

/// Makes the body of an upload that holds the first `from` bytes, and the sink that fills it.
/// `handed` counts the bytes the upload took; each is told to the observer.
pub(super) fn body(
    blob: &Descriptor,
    from: u64,
    observer: Arc<dyn Observer>,
    handed: Arc<AtomicU64>,
) -> (Sink, BlobStream) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let name = blob.digest.to_string();
    let stream = futures_util::stream::unfold(receiver, move |mut receiver| {
        let (observer, handed, name) = (observer.clone(), handed.clone(), name.clone());
        async move {
            let item: Result<Chunk, Failure> = receiver.recv().await?;
            let item = item.map(|chunk| {
                let bytes = chunk.bytes.len() as u64;
                handed.fetch_add(bytes, Ordering::Relaxed);
                observer.event(Event::BlobProgress { blob: name, bytes });
                chunk.bytes
            });
            Some((item, receiver))
        }
    });
    let next = from;
    (Sink { sender, next }, Box::pin(stream))
}

/// What one pump run needs to know.
pub(super) struct Pump<'a, S> {
    pub(super) source: &'a S,
    /// Repositories that hold the blob, best first.
    pub(super) repositories: &'a [Repository],
    pub(super) blob: &'a Descriptor,
    pub(super) budget: &'a Budget,
    pub(super) cancel: &'a CancellationToken,
}

/// How a pump run ended when the source is not to blame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pumped {
    /// All bytes were verified and handed over.
    Whole,
    /// Every upload hung up before the end; they know why.
    Refused,
}

impl<S: Source> Pump<'_, S> {
    /// Feeds all sinks. `first` is a stream that was opened at offset 0 already; `held` is what
    /// the sink that is furthest behind holds. When this returns an error, every sink got it in
    /// place of the last bytes, so no upload can be whole.
    pub(super) async fn run(
        &self,
        first: Option<Result<BlobStream, Failure>>,
        held: Option<Held>,
        mut sinks: Vec<Sink>,
    ) -> Result<Pumped, Failure> {
        let fed = tokio::select! {
            fed = self.feed(first, held, &mut sinks) => fed,
            () = self.cancel.cancelled() => Err(self.cancelled()),
        };
        if let Err(failure) = &fed {
            for sink in &sinks {
                let _ = sink.sender.send(Err(failure.clone())).await;
            }
        }
        fed
    }

    async fn feed(
        &self,
        first: Option<Result<BlobStream, Failure>>,
        held: Option<Held>,
        sinks: &mut Vec<Sink>,
    ) -> Result<Pumped, Failure> {
        let host = self.repositories.first().map_or("", Repository::host);
        let (mut verified, mut opened) = match held {
            Some(held) => (Verified::resume(self.blob, held), None),
            None => (Verified::new(self.blob), first),
        };
        let mut fruitless = 0;
        let mut candidates = self.repositories.iter();
        let mut repository = candidates.next();
        while verified.offset() < self.blob.size {
            let before = verified.offset();
            let stream = match (opened.take(), repository) {
                (Some(opened), _) => opened,
                (None, Some(repository)) => self.source.blob(repository, self.blob, before).await,
                (None, None) => break,
            };
            let broken = match stream {
                Ok(stream) => match self.drain(stream, &mut verified, host, sinks).await {
                    Ok(Pumped::Whole) => interrupted(host, &verified, self.blob),
                    Ok(Pumped::Refused) => return Ok(Pumped::Refused),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if verified.offset() >= self.blob.size && broken.code() == Code::Interrupted {
                break;
            }
            if broken.code() == Code::NotFound && before == 0 {
                // The same blob is expected in every repository whose manifest names it.
                repository = candidates.next();
                if repository.is_some() {
                    continue;
                }
                return Err(self.placed(broken));
            }
            fruitless = if verified.offset() > before {
                0
            } else {
                fruitless + 1
            };
            let pause = reconnect_pause(&broken, fruitless).ok_or_else(|| self.placed(broken))?;
            tokio::time::sleep(pause).await;
        }
        match verified
            .finish(host)
            .map_err(|failure| self.placed(failure))?
        {
            Some(last) => Ok(self.send(last, self.blob.size, sinks).await),
            None => Ok(Pumped::Whole),
        }
    }

    /// Reads one stream to its end. `Whole` means that it ended, not that the blob is whole.
    async fn drain(
        &self,
        mut stream: BlobStream,
        verified: &mut Verified,
        host: &str,
        sinks: &mut Vec<Sink>,
    ) -> Result<Pumped, Failure> {
        while let Some(chunk) = stream.next().await {
            let end = verified.offset();
            if let Some(ready) = verified.push(chunk?, host)?
                && self.send(ready, end, sinks).await == Pumped::Refused
            {
                return Ok(Pumped::Refused);
            }
        }
        Ok(Pumped::Whole)
    }

    /// Hands a chunk that ends at `end` to all sinks that do not have it.
    async fn send(&self, bytes: Bytes, end: u64, sinks: &mut Vec<Sink>) -> Pumped {
        let share = self.budget.take(bytes.len()).await.map(Arc::new);
        let start = end - bytes.len() as u64;
        let mut open = Vec::with_capacity(sinks.len());
        for mut sink in sinks.drain(..) {
            let known = usize::try_from(sink.next.saturating_sub(start)).unwrap_or(usize::MAX);
            if known >= bytes.len() {
                open.push(sink);
                continue;
            }
            let chunk = Chunk {
                bytes: bytes.slice(known..),
                _share: share.clone(),
            };
            sink.next = end;
            if sink.sender.send(Ok(chunk)).await.is_ok() {
                open.push(sink);
            }
        }
        *sinks = open;
        if sinks.is_empty() {
            Pumped::Refused
        } else {
            Pumped::Whole
        }
    }

    fn placed(&self, failure: Failure) -> Failure {
        let failure = match self.repositories.first() {
            Some(repository) => failure.at(&repository.at(&self.blob.digest)),
            None => failure,
        };
        self.source.explain(self.blob, failure)
    }

    fn cancelled(&self) -> Failure {
        let host = self.repositories.first().map_or("", Repository::host);
        self.placed(Failure::new(Code::Cancelled, host, "the run was stopped"))
    }
}

fn interrupted(host: &str, verified: &Verified, blob: &Descriptor) -> Failure {
    let message = format!(
        "the blob ended after {} of {} bytes",
        verified.offset(),
        blob.size
    );
    Failure::new(Code::Interrupted, host, message).retry(Retry::Backoff)
}

/// How long to wait before reconnecting; `None` when reconnecting will not help.
fn reconnect_pause(failure: &Failure, fruitless: u32) -> Option<Duration> {
    if fruitless >= FRUITLESS_RECONNECTS {
        return None;
    }
    match failure.retry_class() {
        Retry::Never => None,
        Retry::Backoff => Some(FIRST_RECONNECT * 3u32.pow(fruitless)),
        Retry::After(pause) => (pause <= LONGEST_PAUSE).then_some(pause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_are_quick_at_first_and_end() {
        let broken = Failure::new(Code::Interrupted, "h", "reset").retry(Retry::Backoff);
        let pauses: Vec<Option<u128>> = (0..=5)
            .map(|n| reconnect_pause(&broken, n).map(|d| d.as_millis()))
            .collect();
        assert_eq!(
            pauses,
            [
                Some(100),
                Some(300),
                Some(900),
                Some(2700),
                Some(8100),
                None
            ]
        );
        let fatal = Failure::new(Code::Denied, "h", "no");
        assert_eq!(reconnect_pause(&fatal, 0), None);
        let calm = |secs| {
            let after = Retry::After(Duration::from_secs(secs));
            Failure::new(Code::Throttled, "h", "slow down").retry(after)
        };
        assert_eq!(reconnect_pause(&calm(2), 0), Some(Duration::from_secs(2)));
        assert_eq!(reconnect_pause(&calm(60), 0), None);
    }
}
