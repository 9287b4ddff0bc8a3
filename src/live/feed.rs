//! The bytes of one layer, hashed on their way from the source to who reads them on a thread of
//! its own.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::content::{Code, Failure, Retry, Source, Verified};
use crate::oci::{Descriptor, Repository};

/// Chunks on the way between both.
const QUEUE: usize = 8;

/// Reconnects in a row that bring not one byte.
const FRUITLESS: u32 = 5;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where the bytes go.
pub(super) struct Sink(mpsc::Sender<Bytes>);

/// The other end of a [`Sink`]: blocks until bytes come. It ends where they end, also when the
/// source failed: only who fed it knows whether that was the whole.
pub(super) struct Blocking {
    receiver: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

/// Both ends.
pub(super) fn pipe() -> (Sink, Blocking) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let chunk = Bytes::new();
    (Sink(sender), Blocking { receiver, chunk })
}

impl Read for Blocking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

/// Reads the whole layer and hands it over; what breaks goes on where it broke. Success means that
/// size and digest match, even where the reader had enough before the end.
pub(super) async fn feed<S: Source>(
    source: &S,
    repository: &Repository,
    layer: &Descriptor,
    sink: Sink,
) -> Result<(), Failure> {
    let host = repository.host();
    let placed = |failure: Failure| failure.at(&repository.at(&layer.digest));
    let mut verified = Verified::new(layer);
    let mut fruitless = 0;
    while verified.offset() < layer.size {
        let before = verified.offset();
        let broken = match read(source, repository, layer, &mut verified, &sink).await {
            Ok(()) if verified.offset() == layer.size => break,
            Ok(()) => Failure::new(
                Code::Interrupted,
                host,
                format!("the layer ended after {} bytes", verified.offset()),
            )
            .retry(Retry::Backoff),
            Err(failure) => failure,
        };
        let progress = verified.offset() > before;
        fruitless = if progress { 0 } else { fruitless + 1 };
        let pause = match broken.retry_class() {
            Retry::Backoff if fruitless < FRUITLESS => FIRST_PAUSE * 3u32.pow(fruitless),
            Retry::After(pause) if fruitless < FRUITLESS => pause.min(LONGEST_PAUSE),
            _ => return Err(placed(broken)),
        };
        tokio::time::sleep(pause).await;
    }
    if let Some(last) = verified.finish(host).map_err(placed)? {
        let _ = sink.0.send(last).await;
    }
    Ok(())
}

async fn read<S: Source>(
    source: &S,
    repository: &Repository,
    layer: &Descriptor,
    verified: &mut Verified,
    sink: &Sink,
) -> Result<(), Failure> {
    let mut stream = source.blob(repository, layer, verified.offset()).await?;
    while let Some(chunk) = stream.next().await {
        if let Some(ready) = verified.push(chunk?, repository.host())? {
            // A reader that found what it wanted is gone; the digest is of the whole.
            let _ = sink.0.send(ready).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::Fake;
    use crate::oci::Digest;
    use crate::oci::media_type::OCI_LAYER_GZIP;

    async fn fed(fake: &Fake, bytes: &[u8]) -> (Result<(), Failure>, Vec<u8>) {
        let repository = "r.io/conformance:x".parse::<crate::oci::Reference>();
        let repository = repository.expect("a reference").repository().clone();
        let layer = Descriptor::new(OCI_LAYER_GZIP, Digest::of(bytes), bytes.len() as u64);
        let (sink, mut reader) = pipe();
        let reading = tokio::task::spawn_blocking(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).expect("no error");
            read
        });
        let fed = feed(fake, &repository, &layer, sink).await;
        (fed, reading.await.expect("no panic"))
    }

    #[tokio::test]
    async fn what_breaks_goes_on_where_it_broke() {
        let bytes = vec![5; 1000];
        let (fake, _) = Fake::with("r.io/conformance:x", &[(OCI_LAYER_GZIP, bytes.clone())]);
        *fake.cuts.lock().expect("no panic") = vec![0, 250, 300];
        let (fed, read) = fed(&fake, &bytes).await;
        fed.expect("whole");
        assert_eq!(read, bytes);
        let asked = fake.asked();
        let offsets: Vec<&str> = asked.iter().filter_map(|a| a.rsplit(' ').next()).collect();
        assert_eq!(offsets, ["0", "300", "550", "550"]);
    }

    #[tokio::test]
    async fn wrong_bytes_are_never_whole() {
        let bytes = vec![5; 1000];
        let (mut fake, _) = Fake::with("r.io/conformance:x", &[(OCI_LAYER_GZIP, bytes.clone())]);
        fake.swap(&bytes, vec![6; 1000]);
        let (fed, read) = fed(&fake, &bytes).await;
        assert_eq!(fed.expect_err("wrong").code(), Code::DigestMismatch);
        assert!(read.len() < 1000, "the last chunk is held back");
    }
}
