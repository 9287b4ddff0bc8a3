//! A disk that writes down what is done in which order, and stops where a test wants.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use crate::bundle::disk::{Disk, DiskFile, RealDisk};

/// One operation that changes something, with paths as they were opened, below the test's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Create(String),
    SetLen(String),
    /// With the offset and the bytes.
    Write(String, u64, Vec<u8>),
    Sync(String),
    Rename(String, String),
    Remove(String),
    SyncDir(String),
    MakeDir(String),
}

impl Op {
    fn what(&self) -> String {
        match self {
            Self::Create(name) => format!("create {name}"),
            Self::SetLen(name) => format!("size {name}"),
            Self::Write(name, _, _) => format!("write {name}"),
            Self::Sync(name) => format!("sync {name}"),
            Self::Rename(from, to) => format!("rename {from} {to}"),
            Self::Remove(name) => format!("remove {name}"),
            Self::SyncDir(name) => format!("sync folder {name}"),
            Self::MakeDir(name) => format!("make {name}"),
        }
    }
}

/// The disk of this machine in one folder, every change of it written down. Syncs are written
/// down only: the tests stop processes, not machines.
#[derive(Clone)]
pub(super) struct RecordingDisk(Arc<Recorded>);

struct Recorded {
    root: Utf8PathBuf,
    free: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Vec<Op>,
    /// The number of operations so far, and at which all end.
    count: usize,
    stop_at: Option<usize>,
    /// An error for the operation that has the text in it, once.
    refuse: Option<(String, io::ErrorKind)>,
}

impl RecordingDisk {
    pub(super) fn new(root: &Utf8Path) -> Self {
        Self::with_free(root, None)
    }

    pub(super) fn with_free(root: &Utf8Path, free: Option<u64>) -> Self {
        Self(Arc::new(Recorded {
            root: root.to_owned(),
            free,
            state: Mutex::default(),
        }))
    }

    /// As if the process were killed at operation `number`: a write is cut in two, and nothing
    /// happens afterwards.
    pub(super) fn dies_at(root: &Utf8Path, number: usize) -> Self {
        let disk = Self::new(root);
        disk.state().stop_at = Some(number);
        disk
    }

    /// The next operation fails that holds `what`, such as `write set.tar`; a space behind it
    /// ends the name.
    pub(super) fn refuse(&self, what: &str, kind: io::ErrorKind) {
        self.state().refuse = Some((what.to_owned(), kind));
    }

    pub(super) fn log(&self) -> Vec<Op> {
        self.state().log.clone()
    }

    pub(super) fn died(&self) -> bool {
        let state = self.state();
        state.stop_at.is_some_and(|at| state.count > at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, path: &Utf8Path) -> String {
        let below = path.strip_prefix(&self.0.root).unwrap_or(path);
        below.to_string()
    }

    /// Counts an operation and says whether it may happen; `Ok(true)` for the first half of it.
    fn step(&self, what: &str) -> io::Result<bool> {
        let mut state = self.state();
        let number = state.count;
        state.count += 1;
        let matches =
            |(part, _): &mut (String, io::ErrorKind)| format!("{what} ").contains(part.as_str());
        if let Some((_, kind)) = state.refuse.take_if(matches) {
            return Err(kind.into());
        }
        match state.stop_at {
            Some(at) if number > at => Err(io::Error::other("killed")),
            Some(at) if number == at => Ok(true),
            _ => Ok(false),
        }
    }

    /// Syncs count from before they begin and other operations when they are done, so that the
    /// order in the log is one that a crash could not have bettered.
    fn record<T>(&self, op: Op, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.step(&op.what())? {
            return Err(io::Error::other("killed"));
        }
        let before = matches!(op, Op::Sync(_) | Op::SyncDir(_));
        if before {
            self.state().log.push(op);
            return act();
        }
        let done = act()?;
        self.state().log.push(op);
        Ok(done)
    }

    fn file(&self, path: &Utf8Path, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(RecordingFile {
            name: self.name(path),
            inner,
            disk: self.clone(),
        })
    }
}

impl Disk for RecordingDisk {
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let name = self.name(path);
        let inner = self.record(Op::Create(name), || RealDisk.create(path))?;
        Ok(self.file(path, inner))
    }

    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(path, RealDisk.open(path)?))
    }

    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open_read(path)
    }

    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>> {
        RealDisk.size(path)
    }

    fn allocated(&self, path: &Utf8Path) -> u64 {
        RealDisk.allocated(path)
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }

    fn create_dir_all(&self, folder: &Utf8Path) -> io::Result<()> {
        let name = self.name(folder);
        self.record(Op::MakeDir(name), || RealDisk.create_dir_all(folder))
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let (name, new) = (self.name(from), self.name(to));
        let op = Op::Rename(name, new);
        self.record(op, || RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        let name = self.name(path);
        self.record(Op::Remove(name), || RealDisk.remove(path))
    }

    fn sync_dir(&self, folder: &Utf8Path) -> io::Result<()> {
        let name = self.name(folder);
        self.record(Op::SyncDir(name), || Ok(()))
    }

    fn available(&self, _folder: &Utf8Path) -> Option<u64> {
        self.0.free
    }
}

struct RecordingFile {
    name: String,
    inner: Arc<dyn DiskFile>,
    disk: RecordingDisk,
}

impl DiskFile for RecordingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.disk.step(&format!("write {}", self.name))? {
            self.inner.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::other("killed"));
        }
        self.inner.write_at(offset, bytes)?;
        let op = Op::Write(self.name.clone(), offset, bytes.to_vec());
        self.disk.state().log.push(op);
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk
            .record(Op::SetLen(self.name.clone()), || self.inner.set_len(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.record(Op::Sync(self.name.clone()), || Ok(()))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}
