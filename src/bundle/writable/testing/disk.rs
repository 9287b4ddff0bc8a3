//! A disk in memory that forgets what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::bundle::disk::{Disk, DiskFile};
use crate::bundle::writable::files::Files;
use crate::bundle::writable::open::read_index;
use crate::bundle::writable::state::State;
use crate::bundle::writable::{DirectoryStore, StoreOptions, load};

/// What a crash leaves.
#[derive(Debug, Clone, Copy)]
pub(in crate::bundle) enum Crash {
    /// The process died: everything that it wrote is there.
    Kill,
    /// The power was cut, and nothing is there but what was synced.
    Power,
    /// The power was cut, and of what was not synced some is there; by this seed.
    Some(u64),
}

/// Files in memory, each beside what of it would survive.
#[derive(Clone)]
pub(in crate::bundle) struct MemoryDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    names: BTreeMap<Utf8PathBuf, Content>,
    durable: BTreeMap<Utf8PathBuf, Content>,
    folders: BTreeSet<Utf8PathBuf>,
    available: Option<u64>,
    /// How often it was asked what is available.
    looks: usize,
    /// What all files together can hold; `available` does not count then.
    capacity: Option<u64>,
    /// The least that was ever free of it after a write.
    least: Option<u64>,
    /// Operations that change something, as far as they went.
    log: Vec<String>,
    /// From this operation on nothing works.
    cut_at: Option<usize>,
    /// This operation fails, the next one works again.
    fail_at: Option<usize>,
    /// How long a sync takes.
    slow: Duration,
}

type Content = Arc<Mutex<TwoStates>>;

/// The bytes of a file: as written, and as synced.
#[derive(Default)]
struct TwoStates {
    written: Vec<u8>,
    synced: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics under it")
}

impl MemoryDisk {
    pub(in crate::bundle) fn new() -> Self {
        Self(Arc::default())
    }

    pub(in crate::bundle) fn files(&self) -> Files {
        Files::new(Arc::new(self.clone()), Utf8Path::new("/bundle"), true)
    }

    pub(in crate::bundle) fn open(&self, keep: Duration) -> DirectoryStore {
        let options = StoreOptions { sync: true, keep };
        DirectoryStore::start(self.files(), &options, None).expect("a bundle")
    }

    pub(in crate::bundle) fn set_available(&self, bytes: Option<u64>) {
        lock(&self.0).available = bytes;
    }

    /// All files together can hold so much from now on.
    pub(in crate::bundle) fn set_capacity(&self, bytes: u64) {
        lock(&self.0).capacity = Some(bytes);
    }

    /// The least that was ever free of the capacity after a write.
    pub(in crate::bundle) fn least(&self) -> Option<u64> {
        lock(&self.0).least
    }

    /// How often it was asked what is available.
    pub(in crate::bundle) fn looks(&self) -> usize {
        lock(&self.0).looks
    }

    pub(in crate::bundle) fn set_slow(&self, slow: Duration) {
        lock(&self.0).slow = slow;
    }

    /// From the operation `cut_at` on nothing works any more.
    pub(in crate::bundle) fn cut_at(&self, operation: usize) {
        lock(&self.0).cut_at = Some(operation);
    }

    /// The operation fails alone.
    pub(in crate::bundle) fn fail_at(&self, operation: usize) {
        lock(&self.0).fail_at = Some(operation);
    }

    pub(in crate::bundle) fn log(&self) -> Vec<String> {
        lock(&self.0).log.clone()
    }

    /// The names of all files.
    pub(in crate::bundle) fn names(&self) -> Vec<String> {
        let inner = lock(&self.0);
        inner.names.keys().map(ToString::to_string).collect()
    }

    /// Changes a file behind the store's back.
    pub(in crate::bundle) fn tamper(&self, path: &Utf8Path, change: impl FnOnce(&mut Vec<u8>)) {
        let inner = lock(&self.0);
        let content = inner.names.get(path).expect("a file of that name");
        let mut content = lock(content);
        change(&mut content.written);
        content.synced = content.written.clone();
    }

    /// The disk as it is found after a crash.
    pub(in crate::bundle) fn after(&self, crash: Crash) -> Self {
        let inner = lock(&self.0);
        let mut random = Random(match crash {
            Crash::Some(seed) => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            _ => 1,
        });
        let mut pick = || match crash {
            Crash::Kill => true,
            Crash::Power => false,
            Crash::Some(_) => random.next().is_multiple_of(2),
        };
        let all: BTreeSet<&Utf8PathBuf> = inner.names.keys().chain(inner.durable.keys()).collect();
        let mut names = BTreeMap::new();
        for name in all {
            let from = if pick() { &inner.names } else { &inner.durable };
            let Some(content) = from.get(name) else {
                continue;
            };
            let content = lock(content);
            let bytes = if pick() {
                &content.written
            } else {
                &content.synced
            };
            let bytes = TwoStates {
                written: bytes.clone(),
                synced: bytes.clone(),
            };
            names.insert(name.clone(), Arc::new(Mutex::new(bytes)));
        }
        Self(Arc::new(Mutex::new(Inner {
            durable: names.clone(),
            names,
            folders: inner.folders.clone(),
            ..Inner::default()
        })))
    }

    fn step(&self, what: String) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = lock(&self.0);
        let number = inner.log.len();
        if inner.cut_at.is_some_and(|cut| number >= cut) {
            return Err(io::Error::other("the power is cut"));
        }
        inner.log.push(what);
        if inner.fail_at == Some(number) {
            return Err(io::Error::other("the disk failed once"));
        }
        Ok(inner)
    }

    fn find(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let inner = lock(&self.0);
        let content = inner.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryFile {
            disk: self.clone(),
            path: path.to_owned(),
            content: Arc::clone(content),
        }))
    }
}

impl Inner {
    /// What is free of the capacity.
    fn free(&self) -> Option<u64> {
        let files = self.names.values();
        let used: u64 = files.map(|file| lock(file).written.len() as u64).sum();
        self.capacity.map(|all| all.saturating_sub(used))
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.step(format!("create {path}"))?;
        inner.names.insert(path.to_owned(), Content::default());
        drop(inner);
        self.find(path)
    }

    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        self.find(path)
    }

    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        self.find(path)
    }

    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>> {
        let inner = lock(&self.0);
        let content = inner.names.get(path);
        Ok(content.map(|content| lock(content).written.len() as u64))
    }

    fn allocated(&self, path: &Utf8Path) -> u64 {
        self.size(path).ok().flatten().unwrap_or_default()
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<String>> {
        let inner = lock(&self.0);
        let inside = inner
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        let names = inside.filter_map(|path| path.file_name());
        Ok(names.map(str::to_owned).collect())
    }

    fn create_dir_all(&self, folder: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("make {folder}"))?;
        inner.folders.insert(folder.to_owned());
        Ok(())
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("rename {from} {to}"))?;
        let content = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("remove {path}"))?;
        inner.names.remove(path);
        Ok(())
    }

    fn sync_dir(&self, folder: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("sync {folder}"))?;
        let names = inner.names.clone();
        inner
            .durable
            .retain(|path, _| path.parent() != Some(folder));
        let inside = names
            .into_iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        inner.durable.extend(inside);
        Ok(())
    }

    fn available(&self, _folder: &Utf8Path) -> Option<u64> {
        let mut inner = lock(&self.0);
        inner.looks += 1;
        inner.free().or(inner.available)
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    path: Utf8PathBuf,
    content: Content,
}

impl DiskFile for MemoryFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut step = self.disk.step(format!("write {}", self.path));
        let free = step.as_ref().ok().and_then(|inner| inner.free());
        let mut content = lock(&self.content);
        let offset = usize::try_from(offset).expect("small files");
        // What fails may have got half-way.
        let length = if step.is_ok() { bytes.len() } else { 0 };
        let end = offset + length;
        if let (Ok(inner), Some(free)) = (&mut step, free) {
            let more = end.saturating_sub(content.written.len()) as u64;
            let left = free.checked_sub(more);
            let left = left.ok_or(io::ErrorKind::StorageFull)?;
            inner.least = Some(inner.least.map_or(left, |least| least.min(left)));
        }
        if content.written.len() < end {
            content.written.resize(end, 0);
        }
        content.written[offset..end].copy_from_slice(&bytes[..length]);
        step.map(drop)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = lock(&self.content);
        let offset = usize::try_from(offset).expect("small files");
        let rest = content.written.get(offset..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).expect("small files");
        lock(&self.content).written.resize(length, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        let inner = self.disk.step(format!("sync {}", self.path))?;
        let slow = inner.slow;
        drop(inner);
        std::thread::sleep(slow);
        let mut content = lock(&self.content);
        content.synced = content.written.clone();
        Ok(())
    }
}

/// xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}

/// What the directory holds that nobody can reach.
pub(in crate::bundle) fn litter(disk: &MemoryDisk) -> Vec<String> {
    let files = disk.files();
    let entries = read_index(&files).expect("an index");
    let state: State = load(&files, &entries.unwrap_or_default()).expect("a state");
    let blobs = files.list_blobs().expect("a list");
    let unused = blobs
        .into_iter()
        .filter(|(digest, _)| state.is_orphan(digest));
    let mut litter: Vec<String> = unused.map(|(digest, _)| digest.to_string()).collect();
    let names = disk.names().into_iter();
    litter.extend(names.filter(|name| name.contains("/uploads/")));
    litter
}
