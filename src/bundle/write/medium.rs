//! One logical tar in one file or several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use crate::bundle::BundleError;
use crate::bundle::disk::{Disk, DiskFile, read_full};
use crate::oci::{Digest, Hasher};

/// Read at once when bytes are hashed or copied inside this machine.
const BUFFER: usize = 1 << 20;

/// Files that are written and read as one.
pub(super) struct Medium {
    parts: Vec<Part>,
}

struct Part {
    path: Utf8PathBuf,
    file: Arc<dyn DiskFile>,
    start: u64,
    length: u64,
    /// Bytes were written since the last sync.
    dirty: AtomicBool,
}

impl Medium {
    /// Makes the files, each with its length.
    pub(super) fn create(
        disk: &dyn Disk,
        parts: &[(Utf8PathBuf, u64)],
    ) -> Result<Self, BundleError> {
        Self::join(parts, |path, length| {
            let file = disk
                .create(path)
                .map_err(|e| BundleError::io(path, "create", e))?;
            file.set_len(length)
                .map_err(|e| BundleError::io(path, "give its size to", e))?;
            Ok(file)
        })
    }

    /// Opens files that are there; `None` when one is missing or has another length.
    pub(super) fn open(
        disk: &dyn Disk,
        parts: &[(Utf8PathBuf, u64)],
        writable: bool,
    ) -> Result<Option<Self>, BundleError> {
        for (path, length) in parts {
            let size = disk
                .size(path)
                .map_err(|e| BundleError::io(path, "look at", e))?;
            if size != Some(*length) {
                return Ok(None);
            }
        }
        let open = |path: &Utf8Path, _| {
            let file = if writable {
                disk.open(path)
            } else {
                disk.open_read(path)
            };
            file.map_err(|e| BundleError::io(path, "open", e))
        };
        Self::join(parts, open).map(Some)
    }

    fn join(
        parts: &[(Utf8PathBuf, u64)],
        open: impl Fn(&Utf8Path, u64) -> Result<Arc<dyn DiskFile>, BundleError>,
    ) -> Result<Self, BundleError> {
        let mut start = 0;
        let mut joined = Vec::with_capacity(parts.len());
        for (path, length) in parts {
            joined.push(Part {
                path: path.clone(),
                file: open(path, *length)?,
                start,
                length: *length,
                dirty: AtomicBool::new(false),
            });
            start += length;
        }
        Ok(Self { parts: joined })
    }

    /// Bytes in all.
    pub(super) fn total(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.start + part.length)
    }

    /// Writes `bytes` at `offset` of the whole.
    pub(super) fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> Result<(), BundleError> {
        while let Some((part, now)) = self.part(offset, bytes.len()) {
            let (here, later) = bytes.split_at(now);
            part.file
                .write_at(offset - part.start, here)
                .map_err(|e| BundleError::io(&part.path, "write", e))?;
            part.dirty.store(true, Ordering::Release);
            offset += now as u64;
            bytes = later;
        }
        debug_assert!(bytes.is_empty(), "the map fits the files");
        Ok(())
    }

    /// Fills `buffer` from `offset` of the whole on; how far it got.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, BundleError> {
        let mut done = 0;
        while let Some((part, now)) = self.part(offset + done as u64, buffer.len() - done) {
            let inside = offset + done as u64 - part.start;
            let read = read_full(&*part.file, inside, &mut buffer[done..done + now])
                .map_err(|e| BundleError::io(&part.path, "read", e))?;
            done += read;
            if read < now {
                break;
            }
        }
        Ok(done)
    }

    /// The part that holds the byte at `offset`, and how many of `length` bytes lie in it.
    fn part(&self, offset: u64, length: usize) -> Option<(&Part, usize)> {
        let after = self.parts.partition_point(|part| part.start <= offset);
        let part = self.parts[..after].last()?;
        let left = (part.start + part.length).saturating_sub(offset);
        let now = usize::try_from(left).map_or(length, |left| left.min(length));
        (now > 0).then_some((part, now))
    }

    /// Puts what was written on the disk.
    pub(super) fn sync_data(&self) -> Result<(), BundleError> {
        for part in &self.parts {
            if part.dirty.swap(false, Ordering::AcqRel) {
                part.file
                    .sync_data()
                    .map_err(|e| BundleError::io(&part.path, "sync", e))?;
            }
        }
        Ok(())
    }

    /// Puts everything on the disk.
    pub(super) fn sync_all(&self) -> Result<(), BundleError> {
        for part in &self.parts {
            part.dirty.store(false, Ordering::Release);
            part.file
                .sync_all()
                .map_err(|e| BundleError::io(&part.path, "sync", e))?;
        }
        Ok(())
    }

    /// Hashes `length` bytes from `offset` on for `digest`, handing them to `each` with their
    /// place among them. `None` when they cannot be read: what an earlier run left is worth
    /// having, not worth failing for.
    pub(super) fn hash(
        &self,
        offset: u64,
        length: u64,
        digest: &Digest,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), BundleError>,
    ) -> Result<Option<Hasher>, BundleError> {
        let mut hasher = Hasher::new(digest.algorithm());
        let mut buffer = vec![0; usize::try_from(length).map_or(BUFFER, |l| l.min(BUFFER))];
        let mut done = 0;
        while done < length {
            let now = usize::try_from(length - done).map_or(BUFFER, |left| left.min(BUFFER));
            match self.read_at(offset + done, &mut buffer[..now]) {
                Ok(read) if read == now => {}
                _ => return Ok(None),
            }
            hasher.update(&buffer[..now]);
            each(done, &buffer[..now])?;
            done += now as u64;
        }
        Ok(Some(hasher))
    }
}
