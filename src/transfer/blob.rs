//! One blob's way to the target: ask whether it is there, open the uploads, fill them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::image::CopyError;
use super::pump::{self, Budget, Pump};
use crate::content::{Begun, BlobStream, Code, Failure, Held, Source, Target};
use crate::event::{Event, Observer};
use crate::oci::{Descriptor, Digest, Repository};

/// What all work of a run shares.
pub(super) struct Context<S, T> {
    pub(super) source: Arc<S>,
    pub(super) target: Arc<T>,
    pub(super) budget: Budget,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) cancel: CancellationToken,
    /// Some blob was found at the target: an earlier run got part of the way, so it is worth
    /// asking before the source is opened.
    pub(super) resuming: AtomicBool,
    /// Bytes that were handed to uploads which came to nothing.
    pub(super) wasted: AtomicU64,
    /// Bytes that an earlier run had brought of blobs which this one completed.
    pub(super) resumed: AtomicU64,
    /// Bytes of this run that a target kept of uploads which broke: going on after them is no
    /// resuming of an earlier run.
    pub(super) kept: Mutex<HashMap<Digest, u64>>,
}

/// A blob and where it can be read.
#[derive(Clone)]
pub(super) struct BlobWork {
    pub(super) descriptor: Descriptor,
    pub(super) sources: Vec<Repository>,
    /// An image that needs it, for people.
    pub(super) image: String,
}

/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landed {
    /// It was there.
    Present,
    /// It was on the host and is in the repository now.
    Mounted,
    /// Its bytes were sent.
    Sent,
}

impl<S: Source, T: Target> Context<S, T> {
    /// Bytes that came to nothing.
    pub(super) fn wasted(&self) -> u64 {
        self.wasted.load(Ordering::Relaxed)
    }

    /// Bytes of an earlier run.
    pub(super) fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// An upload that began behind `from` bytes is complete.
    fn completed(&self, digest: &Digest, from: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.remove(digest).unwrap_or(0);
        self.resumed
            .fetch_add(from.saturating_sub(own), Ordering::Relaxed);
    }

    /// An upload broke that had been handed so many bytes. A target that keeps what it took goes on
    /// from there.
    fn broke(&self, digest: &Digest, handed: u64) {
        if self.target.is_local() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            *kept.entry(digest.clone()).or_default() += handed;
        } else {
            self.wasted.fetch_add(handed, Ordering::Relaxed);
        }
    }

    /// Whether each of the repositories has the blob.
    pub(super) async fn probe(
        &self,
        blob: &BlobWork,
        homes: &[Repository],
    ) -> Vec<Result<bool, CopyError>> {
        let asked = homes
            .iter()
            .map(|home| self.target.has_blob(home, &blob.descriptor));
        let answers = join_all(asked).await;
        if answers.iter().any(|answer| matches!(answer, Ok(true))) {
            self.resuming.store(true, Ordering::Relaxed);
        }
        answers
            .into_iter()
            .map(|answer| answer.map_err(CopyError::target))
            .collect()
    }

    /// Brings the blob to each of `homes`, one a host, reading the source once.
    ///
    /// The upload is asked for as a mount from the very repository it goes to: when the blob is
    /// there from a broken run the answer is 201 and nothing is sent, and otherwise the upload
    /// is open, for the same single request.
    pub(super) async fn copy(
        &self,
        blob: &BlobWork,
        homes: &[Repository],
    ) -> Vec<Result<Landed, CopyError>> {
        let begin = |home| self.target.begin(home, &blob.descriptor, Some(home));
        let early = async {
            let source = blob.sources.first()?;
            if blob.descriptor.size == 0 || self.resuming.load(Ordering::Relaxed) {
                return None;
            }
            Some(self.source.blob(source, &blob.descriptor, 0).await)
        };
        let (begun, first) = tokio::join!(join_all(homes.iter().map(begin)), early);

        let mut landed = Vec::with_capacity(homes.len());
        let mut uploads = Vec::new();
        for begun in begun {
            landed.push(match begun {
                Ok(Begun::Mounted) => {
                    self.resuming.store(true, Ordering::Relaxed);
                    Ok(Landed::Present)
                }
                Ok(Begun::Upload(upload)) => {
                    uploads.push((upload, None));
                    Ok(Landed::Sent)
                }
                Ok(Begun::Partial(upload, held)) => {
                    uploads.push((upload, Some(held)));
                    Ok(Landed::Sent)
                }
                Err(failure) => Err(CopyError::target(failure)),
            });
        }
        if !uploads.is_empty() {
            let mut sent = self.fill(blob, uploads, first).await.into_iter();
            for landed in landed
                .iter_mut()
                .filter(|landed| matches!(landed, Ok(Landed::Sent)))
            {
                if let Some(Err(error)) = sent.next() {
                    *landed = Err(error);
                }
            }
        }
        landed
    }

    /// Mounts the blob from a repository of the same host, or sends it when the host will not,
    /// or when `from` is none.
    pub(super) async fn mount(
        &self,
        blob: &BlobWork,
        to: &Repository,
        from: Option<&Repository>,
    ) -> Result<Landed, CopyError> {
        let begun = self.target.begin(to, &blob.descriptor, from).await;
        let open = match begun.map_err(CopyError::target)? {
            Begun::Mounted => return Ok(Landed::Mounted),
            Begun::Upload(upload) => (upload, None),
            Begun::Partial(upload, held) => (upload, Some(held)),
        };
        let sent = self.fill(blob, vec![open], None).await;
        sent.into_iter()
            .collect::<Result<Vec<()>, _>>()
            .map(|_| Landed::Sent)
    }

    /// Fills open uploads with the blob's bytes, from where each of them stands.
    async fn fill(
        &self,
        blob: &BlobWork,
        uploads: Vec<(T::Upload, Option<Held>)>,
        first: Option<Result<BlobStream, Failure>>,
    ) -> Vec<Result<(), CopyError>> {
        let descriptor = &blob.descriptor;
        self.observer.event(Event::BlobStarted {
            blob: descriptor.digest.to_string(),
            image: blob.image.clone(),
            size: descriptor.size,
        });
        let mut sinks = Vec::with_capacity(uploads.len());
        let mut sending = Vec::with_capacity(uploads.len());
        let mut held = Vec::with_capacity(uploads.len());
        for (upload, holds) in uploads {
            let from = from(holds.as_ref());
            held.push(holds);
            if from > 0 {
                let blob = descriptor.digest.to_string();
                self.observer
                    .event(Event::BlobProgress { blob, bytes: from });
            }
            let handed = Arc::new(AtomicU64::new(0));
            let (sink, body) = pump::body(descriptor, from, self.observer.clone(), handed.clone());
            sinks.push(sink);
            let sent = self.target.upload(upload, descriptor, body);
            sending.push(async move { (sent.await, from, handed.load(Ordering::Relaxed)) });
        }
        // The source is read from where the upload stands that is furthest behind.
        let held = held
            .into_iter()
            .min_by_key(|held| from(held.as_ref()))
            .flatten();
        let pump = Pump {
            source: &*self.source,
            repositories: &blob.sources,
            blob: descriptor,
            budget: &self.budget,
            cancel: &self.cancel,
        };
        let (pumped, sent) = tokio::join!(pump.run(first, held, sinks), join_all(sending));
        sent.into_iter()
            .map(|(sent, from, handed)| {
                let result = match (&pumped, sent) {
                    (Ok(_), Ok(())) => {
                        self.completed(&descriptor.digest, from);
                        return Ok(());
                    }
                    // The upload failed because its bytes did.
                    (Err(failure), _) => Err(CopyError::source(failure.clone())),
                    (Ok(_), Err(failure)) => Err(CopyError::target(failure)),
                };
                self.broke(&descriptor.digest, handed);
                let blob = descriptor.digest.to_string();
                self.observer.event(Event::BlobRestarted {
                    blob,
                    wasted: from + handed,
                });
                result
            })
            .collect()
    }
}

fn from(held: Option<&Held>) -> u64 {
    held.map_or(0, |held| held.bytes)
}

/// Whether a failure speaks of one repository only, so that another repository of the same host
/// may still take the blob.
pub(super) fn is_about_repository(error: &CopyError) -> bool {
    error.side == crate::registry::Side::Target
        && matches!(
            error.failure.code(),
            Code::Denied | Code::RepositoryRefused | Code::NotFound | Code::Unauthorized
        )
}
