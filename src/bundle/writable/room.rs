//! Room on the disk: asked for before the bytes come and again while they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::Files;
use crate::content::StoreError;

/// Bytes that stay free, so that the lists can always be written.
const RESERVE: u64 = 16 << 20;

/// The room of one directory, shared by its uploads.
pub(super) struct Room {
    files: Files,
    /// Bytes that clients announced and that are not written yet.
    announced: AtomicU64,
}

/// What one upload announced; given back as the bytes are written, and when it is dropped.
pub(super) struct Announced {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub(super) fn new(files: Files) -> Arc<Self> {
        let announced = AtomicU64::new(0);
        Arc::new(Self { files, announced })
    }

    /// Whether so many more bytes fit beside all that was announced. Where the system does not
    /// tell, they do.
    pub(super) fn check(&self, bytes: u64) -> Result<(), StoreError> {
        let others = self.announced.load(Ordering::Relaxed);
        let wanted = RESERVE.saturating_add(others).saturating_add(bytes);
        match self.files.disk().available(self.files.root()) {
            Some(free) if free < wanted => Err(StoreError::NoSpace),
            _ => Ok(()),
        }
    }
}

impl Announced {
    pub(super) fn nothing(room: &Arc<Room>) -> Self {
        let room = Arc::clone(room);
        Self { room, bytes: 0 }
    }

    /// So many bytes will come, in place of what is left of the last announcement: a client that
    /// tries again announces the same bytes again. Refused when they do not fit; then nothing is
    /// announced any more.
    pub(super) fn set(&mut self, bytes: u64) -> Result<(), StoreError> {
        self.arrived(self.bytes);
        self.room.check(bytes)?;
        self.bytes = bytes;
        self.room.announced.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// So many bytes came; who announced nothing gives nothing back.
    pub(super) fn arrived(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.room.announced.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.arrived(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::MemoryDisk;
    use super::*;

    #[test]
    fn what_others_announced_is_taken_already() {
        let disk = MemoryDisk::new();
        disk.set_available(Some(RESERVE + 100));
        let room = Room::new(disk.files());
        assert!(room.check(100).is_ok());
        assert!(matches!(room.check(101), Err(StoreError::NoSpace)));
        let mut first = Announced::nothing(&room);
        first.set(60).expect("room");
        assert!(room.check(40).is_ok() && room.check(41).is_err());
        first.arrived(10);
        assert!(room.check(50).is_ok() && room.check(51).is_err());
        first.arrived(1000);
        assert!(room.check(100).is_ok());
        first.set(100).expect("room");
        // The same bytes once more are no more bytes, and none give all of them back.
        first.set(100).expect("the same room");
        assert!(room.check(0).is_ok() && room.check(1).is_err());
        assert!(matches!(first.set(101), Err(StoreError::NoSpace)));
        assert!(room.check(100).is_ok());
        first.set(100).expect("room");
        first.set(0).expect("less");
        assert!(room.check(100).is_ok());
        first.set(100).expect("room");
        drop(first);
        assert!(room.check(100).is_ok());
        disk.set_available(None);
        assert!(room.check(u64::MAX).is_ok());
    }
}
