//! A tar under way: its map, its files, and how much of each blob is there, written or durable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::feed::Feed;
use super::medium::Medium;
use super::state::Journal;
use crate::bundle::BundleError;
use crate::bundle::lock::Lock;
use crate::bundle::tar_map::{Slot, TarMap};
use crate::content::{Code, Failure, Held, Retry};
use crate::oci::{Digest, Hasher};

/// Shared by the uploads, the syncer and the writer.
pub(super) struct Laid {
    pub(super) map: TarMap,
    medium: Arc<Medium>,
    blobs: Mutex<Vec<Blob>>,
    journal: Mutex<Journal>,
    salvage: Vec<Salvage>,
    trouble: Mutex<Trouble>,
    /// Whoever still writes keeps other writers away.
    _lock: Arc<Lock>,
}

/// One blob's bytes in the tar.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Blob {
    /// Its first bytes that were written.
    written: u64,
    /// What the journal says.
    told: u64,
    /// All bytes are there and were hashed in this run.
    whole: bool,
    /// An upload is open.
    busy: bool,
}

/// Bytes of an earlier run, or of an older bundle.
pub(super) struct Salvage {
    pub(super) medium: Arc<Medium>,
    /// Where each blob begins, and how much of it is there.
    pub(super) held: HashMap<Digest, (u64, u64)>,
}

#[derive(Default)]
struct Trouble {
    /// Nothing more can be written.
    write: Option<Failure>,
    /// A failed sync loses bytes without saying which, and the next one succeeds all the same:
    /// after it nothing can be called durable.
    sync: bool,
}

/// What is there of a blob.
pub(super) enum Taken {
    /// All of it.
    Whole,
    /// Its beginning, or nothing.
    Part(Held),
}

/// An upload's claim to its place in the tar.
pub(super) struct TarUpload {
    laid: Arc<Laid>,
    index: usize,
    from: u64,
}

impl Drop for TarUpload {
    fn drop(&mut self) {
        self.laid.blobs()[self.index].busy = false;
    }
}

impl Laid {
    /// A tar whose files are `medium`. `durable` is what they are said to hold already.
    pub(super) fn new(
        map: TarMap,
        medium: Medium,
        journal: Journal,
        durable: &HashMap<Digest, u64>,
        salvage: Vec<Salvage>,
        lock: Arc<Lock>,
    ) -> Self {
        let blob = |slot: &Slot| {
            let written = durable.get(&slot.digest).copied().unwrap_or(0);
            Blob {
                written,
                told: written,
                ..Blob::default()
            }
        };
        Self {
            blobs: Mutex::new(map.slots().iter().map(blob).collect()),
            map,
            medium: Arc::new(medium),
            journal: Mutex::new(journal),
            salvage,
            trouble: Mutex::default(),
            _lock: lock,
        }
    }

    fn blobs(&self) -> MutexGuard<'_, Vec<Blob>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing more can be written.
    pub(super) fn broken(&self) -> Result<(), Failure> {
        self.trouble().write.clone().map_or(Ok(()), Err)
    }

    /// Remembers that the disk takes no more: other blobs need not be fetched to find out.
    fn fail(&self, error: BundleError) -> Failure {
        let failure = Failure::from(error);
        self.trouble().write.get_or_insert(failure).clone()
    }

    /// Everything but the blobs, written where it belongs.
    pub(super) fn write_fixed(&self) -> Result<(), Failure> {
        for (offset, bytes) in self.map.fixed() {
            self.medium
                .write_at(*offset, bytes)
                .map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// What is there of a blob, hashed; what lies in older files is copied first. What turns out
    /// to be something else is forgotten.
    pub(super) fn take(&self, index: usize) -> Result<Taken, Failure> {
        self.broken()?;
        let slot = &self.map.slots()[index];
        let blob = self.blobs()[index];
        if blob.whole {
            return Ok(Taken::Whole);
        }
        let hash = |medium: &Medium, offset, bytes, copy: bool| {
            medium.hash(offset, bytes, &slot.digest, |at, chunk| {
                if copy {
                    self.medium.write_at(slot.offset + at, chunk)?;
                    self.blobs()[index].written = at + chunk.len() as u64;
                }
                Ok(())
            })
        };
        let own = (&*self.medium, slot.offset, blob.written, false);
        let mut overwritten = false;
        let older = self.salvage.iter().filter_map(|salvage| {
            let (offset, bytes) = salvage.held.get(&slot.digest)?;
            Some((&*salvage.medium, *offset, (*bytes).min(slot.size), true))
        });
        let mut sources: Vec<_> = std::iter::once(own).chain(older).collect();
        // The longest first: a whole blob elsewhere is worth more than a beginning here.
        sources.sort_by_key(|(_, _, bytes, _)| std::cmp::Reverse(*bytes));
        for (medium, offset, bytes, copy) in sources {
            let bytes = if overwritten && !copy { 0 } else { bytes };
            overwritten |= copy;
            let hashed = hash(medium, offset, bytes, copy).map_err(|error| self.fail(error))?;
            let Some(hasher) = hashed else { continue };
            if bytes < slot.size {
                self.blobs()[index].written = bytes;
                return Ok(Taken::Part(Held { bytes, hasher }));
            }
            if hasher.finish() == slot.digest {
                self.completed(index);
                return Ok(Taken::Whole);
            }
        }
        self.forget(index);
        Ok(Taken::Part(Held {
            bytes: 0,
            hasher: Hasher::new(slot.digest.algorithm()),
        }))
    }

    /// Whether it can be worth hashing a blob to learn that it is whole.
    pub(super) fn may_be_whole(&self, index: usize) -> bool {
        let slot = &self.map.slots()[index];
        let elsewhere = |salvage: &Salvage| {
            let held = salvage.held.get(&slot.digest);
            held.is_some_and(|(_, bytes)| *bytes >= slot.size)
        };
        self.blobs()[index].written == slot.size || self.salvage.iter().any(elsewhere)
    }

    /// Opens the upload of a blob that is not whole, behind its first `from` bytes.
    pub(super) fn open(self: &Arc<Self>, index: usize, from: u64) -> Result<TarUpload, Failure> {
        let mut blobs = self.blobs();
        if std::mem::replace(&mut blobs[index].busy, true) {
            let digest = self.map.slots()[index].digest.clone();
            let message = "the blob is being written already";
            let failure = Failure::new(Code::Local, "bundle", message);
            return Err(failure.about(&digest.into()).retry(Retry::Backoff));
        }
        drop(blobs);
        let laid = self.clone();
        Ok(TarUpload { laid, index, from })
    }

    /// Nothing of the blob counts any more.
    fn forget(&self, index: usize) {
        self.blobs()[index].written = 0;
    }

    fn completed(&self, index: usize) {
        let size = self.map.slots()[index].size;
        let blob = &mut self.blobs()[index];
        blob.written = size;
        blob.whole = true;
    }

    /// A blob of the map that is not whole.
    pub(super) fn missing(&self) -> Option<&Digest> {
        let blobs = self.blobs();
        let index = blobs.iter().position(|blob| !blob.whole)?;
        Some(&self.map.slots()[index].digest)
    }

    /// The whole blobs, for another tar to copy.
    pub(super) fn salvage(&self) -> Salvage {
        let blobs = self.blobs();
        let slots = self.map.slots().iter().zip(blobs.iter());
        Salvage {
            medium: self.medium.clone(),
            held: slots
                .filter(|(_, blob)| blob.whole)
                .map(|(slot, _)| (slot.digest.clone(), (slot.offset, slot.size)))
                .collect(),
        }
    }

    /// Nothing of any blob is there.
    pub(super) fn is_empty(&self) -> bool {
        self.blobs().iter().all(|blob| blob.written == 0)
    }

    /// Makes durable what is written, then says so in the journal.
    pub(super) fn sync(&self) {
        let fresh: Vec<(usize, u64)> = {
            let blobs = self.blobs();
            let all = blobs.iter().enumerate();
            all.filter(|(_, blob)| blob.written != blob.told)
                .map(|(index, blob)| (index, blob.written))
                .collect()
        };
        if fresh.is_empty() || self.trouble().sync {
            return;
        }
        if let Err(error) = self.medium.sync_data() {
            self.fail(error);
            self.trouble().sync = true;
            return;
        }
        let lines = fresh
            .iter()
            .map(|(index, bytes)| (&self.map.slots()[*index].digest, *bytes));
        let told = self.journal().append(lines);
        // Without its line a blob is fetched again if the run dies, and that is all.
        if told.is_ok() {
            let mut blobs = self.blobs();
            for (index, bytes) in &fresh {
                blobs[*index].told = *bytes;
            }
        }
    }

    /// The last sync, of everything.
    pub(super) fn sync_all(&self) -> Result<(), BundleError> {
        self.medium.sync_all()
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TarUpload {
    /// Writes what the feed brings; whole, it is known to be the blob.
    pub(super) fn fill(self, mut feed: Feed) -> Result<(), Failure> {
        let laid = &self.laid;
        let slot = &laid.map.slots()[self.index];
        let mut at = self.from;
        while let Some(batch) = feed.next() {
            let bytes = match batch {
                Ok(bytes) => bytes,
                Err(failure) => {
                    if matches!(failure.code(), Code::DigestMismatch | Code::SizeMismatch) {
                        laid.forget(self.index);
                    }
                    return Err(failure);
                }
            };
            let end = at + bytes.len() as u64;
            laid.broken()?;
            if end > slot.size {
                laid.forget(self.index);
                return Err(ended(slot, end));
            }
            laid.medium
                .write_at(slot.offset + at, bytes)
                .map_err(|error| laid.fail(error))?;
            at = end;
            laid.blobs()[self.index].written = at;
        }
        if at < slot.size {
            return Err(ended(slot, at));
        }
        laid.completed(self.index);
        Ok(())
    }
}

fn ended(slot: &Slot, at: u64) -> Failure {
    let message = format!("the blob ended after {at} of {} bytes", slot.size);
    Failure::new(Code::Interrupted, "bundle", message)
        .about(&slot.digest.clone().into())
        .retry(Retry::Backoff)
}
