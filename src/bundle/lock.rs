//! One writer at a time: an advisory lock on a file beside or inside the bundle, which the
//! system gives up by itself when a process dies.

use std::fs::{self, File, TryLockError};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::disk;

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: Utf8PathBuf,
    /// The file is of no use to anyone afterwards.
    passing: bool,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NoLock {
    /// Another process, or another writer of this one, holds it.
    Taken,
    /// The lock file cannot be made or locked.
    Io(io::Error),
}

impl Lock {
    /// The lock of a folder: its file stays.
    pub(super) fn lasting(path: &Utf8Path) -> Result<Self, NoLock> {
        Self::take(path, false, File::try_lock)
    }

    /// As [`lasting`](Self::lasting), together with others who only read.
    pub(super) fn shared(path: &Utf8Path) -> Result<Self, NoLock> {
        Self::take(path, false, File::try_lock_shared)
    }

    /// The lock of a file: it lies beside it and goes with the writer.
    pub(super) fn passing(path: &Utf8Path) -> Result<Self, NoLock> {
        Self::take(path, true, File::try_lock)
    }

    fn take(
        path: &Utf8Path,
        passing: bool,
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, NoLock> {
        // Inside a bundle its folder is the bundle's own; beside one it is the user's.
        let folder = disk::folder_of(path);
        if !passing && folder.is_symlink() {
            return Err(NoLock::Io(disk::is_link(folder)));
        }
        loop {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            let file = disk::open_plain(path, &mut options).map_err(NoLock::Io)?;
            match lock(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(NoLock::Taken),
                Err(TryLockError::Error(error)) => return Err(NoLock::Io(error)),
            }
            // Whoever held it may have removed the file between our two steps; then this lock is
            // on a file that nobody else will find.
            if !passing || is_still(&file, path).map_err(NoLock::Io)? {
                return Ok(Self {
                    file,
                    path: path.to_owned(),
                    passing,
                });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is locked: afterwards the name may be another writer's.
        if self.passing {
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Utf8Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_still(_file: &File, path: &Utf8Path) -> io::Result<bool> {
    path.as_std_path().try_exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_refused_until_the_first_is_gone() {
        let root = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(root.path()).expect("UTF-8").join("l");
        let first = Lock::passing(&path).expect("free");
        assert!(matches!(Lock::passing(&path), Err(NoLock::Taken)));
        drop(first);
        assert!(!path.exists());
        let lasting = Lock::lasting(&path).expect("free again");
        assert!(matches!(Lock::lasting(&path), Err(NoLock::Taken)));
        drop(lasting);
        assert!(path.exists());
        assert!(matches!(
            Lock::passing(&path.join("below-a-file")),
            Err(NoLock::Io(_))
        ));
    }
}
