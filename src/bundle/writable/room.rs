//! Room on the disk: asked for before the bytes come and again before they are written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::files::Files;
use crate::content::StoreError;

/// Bytes that stay free, so that the lists can always be written: also those that delete something
/// and make room.
const RESERVE: u64 = 16 << 20;

/// All uploads together write at most so many bytes between two looks at the free space. Others may
/// fill the disk meanwhile: well below the reserve.
const WINDOW: u64 = 4 << 20;

/// What a write counts for, at least and in steps: a small file takes a whole block and its place
/// in a folder.
const STEP: u64 = 64 << 10;

/// The room of one directory, shared by all that is written there.
pub(super) struct Room {
    files: Files,
    /// Bytes that were announced and that are not written yet. It grows under the lock of `known`
    /// only.
    announced: AtomicU64,
    /// So much room is there beside all that was announced, as the last look told, up to a
    /// [`WINDOW`]: that is written without another look. Nobody owns it.
    known: Mutex<u64>,
}

/// What one upload announced; given back as the bytes are written, and when it is dropped.
pub(super) struct Announced {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub(super) fn new(files: Files) -> Arc<Self> {
        Arc::new(Self {
            files,
            announced: AtomicU64::new(0),
            known: Mutex::new(0),
        })
    }

    /// Announces `more` bytes after a look.
    fn announce(&self, more: u64) -> Result<(), StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut known, 0, more)
    }

    /// Lets `bytes` be written and announces `more`, the part of them that was not yet; a look is
    /// taken where it is due.
    fn claim(&self, bytes: u64, more: u64) -> Result<(), StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = bytes.checked_next_multiple_of(STEP).unwrap_or(bytes);
        let Some(rest) = known.checked_sub(counts) else {
            return self.look(&mut known, bytes, more);
        };
        *known = rest;
        self.announced.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Where the system does not tell how much is free, everything fits.
    fn look(&self, known: &mut u64, bytes: u64, more: u64) -> Result<(), StoreError> {
        // In this order: what is written in between is counted twice and not left out.
        let others = self.announced.load(Ordering::Acquire);
        let free = self.files.disk().available(self.files.root());
        let free = free.map_or(u64::MAX, |free| free.saturating_sub(RESERVE));
        let rest = free.checked_sub(others.saturating_add(more));
        *known = rest.unwrap_or(0).min(WINDOW);
        // What was announced has its place beside the others already: it ends where somebody else
        // filled the disk.
        let fits = if more == 0 {
            bytes <= free
        } else {
            rest.is_some()
        };
        if !fits {
            return Err(StoreError::NoSpace);
        }
        self.announced.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }
}

impl Announced {
    pub(super) fn nothing(room: &Arc<Room>) -> Self {
        let room = Arc::clone(room);
        Self { room, bytes: 0 }
    }

    /// So many bytes will come, in place of what is left of the last announcement: a client that
    /// tries again announces the same bytes again. Refused when they do not fit beside all that
    /// others announced; then nothing is announced any more.
    pub(super) fn set(&mut self, bytes: u64) -> Result<(), StoreError> {
        self.written(self.bytes);
        if bytes > 0 {
            self.room.announce(bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// So many bytes will be written now. What of them nobody announced is announced by this, and
    /// refused when it does not fit.
    pub(super) fn claim(&mut self, bytes: u64) -> Result<(), StoreError> {
        let more = bytes.saturating_sub(self.bytes);
        self.room.claim(bytes, more)?;
        self.bytes += more;
        Ok(())
    }

    /// So many bytes are written; who announced nothing gives nothing back.
    pub(super) fn written(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.room.announced.fetch_sub(bytes, Ordering::Release);
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.written(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::MemoryDisk;
    use super::*;

    fn fits(room: &Arc<Room>, bytes: u64) -> bool {
        Announced::nothing(room).set(bytes).is_ok()
    }

    #[test]
    fn what_others_announced_is_taken_already() {
        let disk = MemoryDisk::new();
        disk.set_available(Some(RESERVE + 100));
        let room = Room::new(disk.files());
        assert!(fits(&room, 100) && !fits(&room, 101));
        let mut first = Announced::nothing(&room);
        first.set(60).expect("room");
        assert!(fits(&room, 40) && !fits(&room, 41));
        first.written(10);
        assert!(fits(&room, 50) && !fits(&room, 51));
        first.written(1000);
        assert!(fits(&room, 100));
        first.set(100).expect("room");
        // The same bytes once more are no more bytes, and none give all of them back.
        first.set(100).expect("the same room");
        assert!(!fits(&room, 1));
        assert!(matches!(first.set(101), Err(StoreError::NoSpace)));
        assert!(fits(&room, 100));
        first.set(100).expect("room");
        first.set(0).expect("less");
        assert!(fits(&room, 100));
        first.set(100).expect("room");
        drop(first);
        assert!(fits(&room, 100));
        disk.set_available(None);
        assert!(fits(&room, u64::MAX));
    }

    #[test]
    fn what_nobody_announced_is_announced_when_it_is_written() {
        let disk = MemoryDisk::new();
        disk.set_available(Some(RESERVE + 100));
        let room = Room::new(disk.files());
        let mut first = Announced::nothing(&room);
        first.set(30).expect("room");
        // 30 of them were announced: they are not counted twice.
        first.claim(70).expect("room");
        assert!(fits(&room, 30) && !fits(&room, 31));
        let mut second = Announced::nothing(&room);
        assert!(matches!(second.claim(31), Err(StoreError::NoSpace)));
        second.claim(30).expect("room");
        drop(first);
        assert!(fits(&room, 70) && !fits(&room, 71));
    }

    #[test]
    fn the_disk_is_looked_at_once_a_window() {
        let disk = MemoryDisk::new();
        disk.set_available(Some(1 << 40));
        let room = Room::new(disk.files());
        let mut uploads = [Announced::nothing(&room), Announced::nothing(&room)];
        for _ in 0..50 {
            for upload in &mut uploads {
                upload.claim(1 << 20).expect("room");
                upload.written(1 << 20);
            }
        }
        assert!((20..=25).contains(&disk.looks()), "{}", disk.looks());
        // However small the files are: each takes more of the disk than its bytes.
        let before = disk.looks();
        for _ in 0..1000 {
            uploads[0].claim(1).expect("room");
            uploads[0].written(1);
        }
        assert!((15..=17).contains(&(disk.looks() - before)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Announce(usize, u64),
        Write(usize, u64),
        /// The bytes are on their way to the disk when the next steps are taken.
        Begin(usize, u64),
        End(usize),
        GiveUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = prop_oneof![0..200_000_u64, 0..(9_u64 << 20)];
        (0..5, 0..3_usize, bytes).prop_map(|(kind, upload, bytes)| match kind {
            0 => Step::Announce(upload, bytes),
            1 => Step::Write(upload, bytes),
            2 => Step::Begin(upload, bytes),
            3 => Step::End(upload),
            _ => Step::GiveUp(upload),
        })
    }

    proptest! {
        #[test]
        fn nobody_takes_the_reserve(
            steps in prop::collection::vec(step(), 0..60),
            room_left in 0..(20_u64 << 20),
        ) {
            let disk = MemoryDisk::new();
            let mut free = RESERVE + room_left;
            disk.set_available(Some(free));
            let room = Room::new(disk.files());
            let mut uploads: Vec<_> = (0..3).map(|_| (Announced::nothing(&room), 0)).collect();
            for step in steps {
                match step {
                    // An upload does one thing at a time.
                    Step::Announce(n, bytes) if uploads[n].1 == 0 => {
                        let _ = uploads[n].0.set(bytes);
                    }
                    Step::Write(n, bytes) if uploads[n].1 == 0 => {
                        let announced = uploads[n].0.bytes;
                        let claimed = uploads[n].0.claim(bytes).is_ok();
                        // Who announced is not sent away half-way.
                        prop_assert!(claimed || bytes > announced);
                        if claimed {
                            free -= bytes;
                            disk.set_available(Some(free));
                            uploads[n].0.written(bytes);
                        }
                    }
                    Step::Begin(n, bytes) if uploads[n].1 == 0 => {
                        let claimed = uploads[n].0.claim(bytes).is_ok();
                        uploads[n].1 = if claimed { bytes } else { 0 };
                    }
                    Step::End(n) => {
                        free -= uploads[n].1;
                        disk.set_available(Some(free));
                        let bytes = std::mem::take(&mut uploads[n].1);
                        uploads[n].0.written(bytes);
                    }
                    Step::GiveUp(n) => uploads[n] = (Announced::nothing(&room), 0),
                    _ => {}
                }
                prop_assert!(free >= RESERVE);
                let announced: u64 = uploads.iter().map(|(announced, _)| announced.bytes).sum();
                prop_assert_eq!(room.announced.load(Ordering::Relaxed), announced);
                prop_assert!(RESERVE + announced <= free);
            }
            drop(uploads);
            let all = free - RESERVE;
            prop_assert!(fits(&room, all) && !fits(&room, all + 1));
        }
    }
}
