//! Reads and hashes everything, on all cores.

use std::collections::HashSet;
use std::thread;

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};
use tokio_util::sync::CancellationToken;

use super::bundle::Bundle;
use super::fault::{Fault, FaultKind};
use crate::content::{BlobReader as _, Code, Failure};
use crate::event::{BlobOutcome, Event, Observer};
use crate::oci::{Digest, Hasher};

/// Bytes that are read at once: large enough that the call costs nothing beside the hashing, and
/// small enough to stay in a core's cache.
const PIECE: usize = 1 << 20;

/// What a verification found.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Verification {
    /// Everything that is wrong, structure first, then bytes.
    pub faults: Vec<Fault>,
    /// Blobs and manifests in the bundle, all of which were read.
    pub read: Totals,
    /// Blobs that the delta leaves out, which nobody can verify here.
    pub external: Totals,
}

/// A number of blobs and their bytes, each digest once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// How many.
    pub count: u64,
    /// Their sizes added up.
    pub bytes: u64,
}

impl Totals {
    pub(super) fn of(sizes: impl Iterator<Item = u64>) -> Self {
        sizes.fold(Self::default(), |sum, bytes| Self {
            count: sum.count + 1,
            bytes: sum.bytes.saturating_add(bytes),
        })
    }
}

impl Bundle {
    /// Checks the structure, then reads every blob and manifest of this bundle (not of its bases)
    /// and hashes it, largest first, on all cores. Blocks until all is read; a failure is that it
    /// was cancelled, or that no thread could be started.
    pub fn verify(
        &self,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Verification, Failure> {
        let mut faults = self.check();
        // What the structure already says of the bytes is not said twice.
        let bytes = |fault: &&Fault| {
            matches!(
                fault.kind,
                FaultKind::Size | FaultKind::Digest | FaultKind::Unreadable
            )
        };
        let known = faults.iter().filter(bytes);
        let known = known.map(|fault| fault.digest.clone()).collect();
        let mut blobs = self.storage.blobs();
        blobs.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let read = Totals::of(blobs.iter().map(|(_, size)| *size));
        observer.event(Event::Planned {
            images: self.entries().len(),
            to_copy: 0,
            platforms: 0,
            blobs: blobs.len(),
            bytes: read.bytes,
            logical: read.bytes,
        });
        let reading = Reading {
            bundle: self,
            observer,
            cancel,
        };
        faults.extend(reading.all(&blobs, &known)?);
        let left_out = self.external().iter();
        let external = left_out.filter(|e| self.storage.size(&e.digest).is_none());
        Ok(Verification {
            faults,
            read,
            external: Totals::of(external.map(|e| e.size)),
        })
    }
}

struct Reading<'a> {
    bundle: &'a Bundle,
    observer: &'a dyn Observer,
    cancel: &'a CancellationToken,
}

impl Reading<'_> {
    /// The faults of blobs that are not `known` to be faulty already, in order of digests.
    fn all(&self, blobs: &[(Digest, u64)], known: &HashSet<Digest>) -> Result<Vec<Fault>, Failure> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(cores)
            .thread_name(|n| format!("verify-{n}"))
            .build()
            .map_err(|error| {
                Failure::new(Code::Local, self.bundle.path().as_str(), error.to_string())
            })?;
        // `par_bridge` hands out one blob after the other: largest first, and no core is left
        // with a large one at the end while the others have nothing to do.
        let mut faults: Vec<Fault> = pool.install(|| {
            blobs
                .iter()
                .par_bridge()
                .map_init(
                    || vec![0; PIECE],
                    |buffer, (digest, size)| self.blob(digest, *size, buffer),
                )
                .flatten_iter()
                .filter(|fault| !known.contains(&fault.digest))
                .collect()
        });
        if self.cancel.is_cancelled() {
            let path = self.bundle.path().as_str();
            return Err(Failure::new(Code::Cancelled, path, "the run was stopped"));
        }
        faults.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(faults)
    }

    fn blob(&self, digest: &Digest, size: u64, buffer: &mut [u8]) -> Option<Fault> {
        if self.cancel.is_cancelled() {
            return None;
        }
        let blob = digest.to_string();
        let images = self.bundle.images_of(digest);
        self.observer.event(Event::BlobStarted {
            blob: blob.clone(),
            image: images.into_iter().next().unwrap_or_default(),
            size,
        });
        let read = self.hash(digest, &blob, buffer);
        let (kind, message) = match read {
            Ok(None) => return None,
            Ok(Some(found)) if found == *digest => {
                self.observer.event(Event::BlobFinished {
                    blob,
                    outcome: BlobOutcome::Present,
                    size,
                });
                return None;
            }
            Ok(Some(found)) => (FaultKind::Digest, format!("its bytes hash to {found}")),
            Err(why) => (FaultKind::Unreadable, why),
        };
        self.observer.event(Event::BlobFailed { blob });
        Some(Fault::new(self.bundle, kind, digest, message))
    }

    /// What the bytes hash to; nothing when the run was stopped before their end.
    fn hash(
        &self,
        digest: &Digest,
        blob: &str,
        buffer: &mut [u8],
    ) -> Result<Option<Digest>, String> {
        let opened = self.bundle.storage.blob(digest);
        let region = opened.map_err(|e| e.to_string())?;
        let region = region.ok_or("it was there and is gone")?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut at = 0;
        while at < region.size() {
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            let left = usize::try_from(region.size() - at).unwrap_or(PIECE);
            let piece = &mut buffer[..left.min(PIECE)];
            region
                .read_exact_at(piece, at)
                .map_err(|e| format!("it cannot be read from byte {at} on: {e}"))?;
            hasher.update(piece);
            at += piece.len() as u64;
            self.observer.event(Event::BlobProgress {
                blob: blob.to_owned(),
                bytes: piece.len() as u64,
            });
        }
        Ok(Some(hasher.finish()))
    }
}
