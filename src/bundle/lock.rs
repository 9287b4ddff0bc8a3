//! One writer at a time: advisory locks on or beside the bundle, which the system gives up by
//! itself when a process dies.

use std::fs::{self, File, TryLockError};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::disk;
use super::error::BundleError;

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    files: Vec<File>,
    /// A lock file that is of no use to anyone afterwards.
    passing: Option<Utf8PathBuf>,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NoLock {
    /// Another process, or another writer of this one, holds it.
    Taken,
    /// It cannot be asked for.
    Io(io::Error),
}

impl NoLock {
    /// What this means for who wanted `bundle`.
    pub(super) fn of(self, bundle: &Utf8Path) -> BundleError {
        match self {
            Self::Taken => BundleError::Locked {
                bundle: bundle.to_owned(),
            },
            Self::Io(error) => BundleError::io(bundle, "lock", error),
        }
    }
}

/// One of the two ways in which a file is locked.
type Take = fn(&File) -> Result<(), TryLockError>;

impl Lock {
    /// Keeps everyone else away from the bundle folder at `root`. Both the folder and a file in it
    /// are locked: the file also where a folder can only be shared (NFS, flock(2)), the folder for
    /// readers who met no such file.
    pub(super) fn folder(root: &Utf8Path) -> Result<Self, NoLock> {
        refuse_link(root)?;
        let mut files = Vec::from_iter(take_folder(root, File::try_lock)?);
        fs::create_dir_all(private(root)).map_err(NoLock::Io)?;
        let file = open(&lock_file(root)).map_err(NoLock::Io)?;
        take(&file, File::try_lock)?;
        files.push(file);
        Ok(Self {
            files,
            passing: None,
        })
    }

    /// Keeps writers away from the bundle folder at `root`, together with others who only read.
    /// Nothing is written into it. `None` where the disk lets nobody lock.
    pub(super) fn shared(root: &Utf8Path) -> Result<Option<Self>, NoLock> {
        refuse_link(root)?;
        let found = disk::open_plain(&lock_file(root), File::options().read(true));
        let file = match found {
            Ok(file) => {
                take(&file, File::try_lock_shared)?;
                Some(file)
            }
            Err(error) if may_be_without(&error) => take_folder(root, File::try_lock_shared)?,
            Err(error) => return Err(NoLock::Io(error)),
        };
        Ok(file.map(|file| Self {
            files: vec![file],
            passing: None,
        }))
    }

    /// The lock of a bundle that is a file: it lies beside it, at `path`, and goes with the writer.
    pub(super) fn passing(path: &Utf8Path) -> Result<Self, NoLock> {
        loop {
            let file = open(path).map_err(NoLock::Io)?;
            take(&file, File::try_lock)?;
            // Whoever held it may have removed the file between our two steps; then this lock is
            // on a file that nobody else will find.
            if is_still(&file, path).map_err(NoLock::Io)? {
                return Ok(Self {
                    files: vec![file],
                    passing: Some(path.to_owned()),
                });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is locked: afterwards the name may be another writer's.
        if let Some(path) = &self.passing {
            let _ = fs::remove_file(path);
        }
        for file in &self.files {
            let _ = file.unlock();
        }
    }
}

/// What is ours alone in a bundle folder.
fn private(root: &Utf8Path) -> Utf8PathBuf {
    root.join(".airbuoy")
}

fn lock_file(root: &Utf8Path) -> Utf8PathBuf {
    private(root).join("lock")
}

/// The folder of the lock file must be the bundle's own.
fn refuse_link(root: &Utf8Path) -> Result<(), NoLock> {
    let private = private(root);
    if private.is_symlink() {
        return Err(NoLock::Io(disk::is_link(&private)));
    }
    Ok(())
}

fn open(path: &Utf8Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    disk::open_plain(path, &mut options)
}

fn take(file: &File, way: Take) -> Result<(), NoLock> {
    way(file).map_err(|error| match error {
        TryLockError::WouldBlock => NoLock::Taken,
        TryLockError::Error(error) => NoLock::Io(error),
    })
}

/// The lock on the folder itself; `None` where the system has no such lock.
fn take_folder(root: &Utf8Path, way: Take) -> Result<Option<File>, NoLock> {
    let Ok(folder) = File::open(root) else {
        return Ok(None);
    };
    match take(&folder, way) {
        Ok(()) => Ok(Some(folder)),
        Err(NoLock::Taken) => Err(NoLock::Taken),
        Err(NoLock::Io(error)) => {
            tracing::debug!(%root, %error, "the folder itself was not locked");
            Ok(None)
        }
    }
}

/// Whether a reader goes on without the lock file: no writer of ours was here, or this user may
/// not open it.
fn may_be_without(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
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

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(root.path()).expect("UTF-8").to_owned();
        (root, path)
    }

    #[test]
    fn the_second_writer_of_a_file_is_refused_until_the_first_is_gone() {
        let (_root, folder) = folder();
        let path = folder.join("l");
        let first = Lock::passing(&path).expect("free");
        assert!(matches!(Lock::passing(&path), Err(NoLock::Taken)));
        drop(first);
        assert!(!path.exists());
        fs::write(&path, b"").expect("a file");
        assert!(matches!(
            Lock::passing(&path.join("below-a-file")),
            Err(NoLock::Io(_))
        ));
    }

    #[test]
    fn a_writer_of_a_folder_is_alone_and_readers_are_not() {
        let (_root, root) = folder();
        let writer = Lock::folder(&root).expect("free");
        assert!(matches!(Lock::folder(&root), Err(NoLock::Taken)));
        assert!(matches!(Lock::shared(&root), Err(NoLock::Taken)));
        drop(writer);
        let readers = [Lock::shared(&root), Lock::shared(&root)];
        assert!(readers.iter().all(|held| matches!(held, Ok(Some(_)))));
        assert!(matches!(Lock::folder(&root), Err(NoLock::Taken)));
        drop(readers);
        Lock::folder(&root).expect("free again");
    }

    #[test]
    fn a_reader_of_a_foreign_folder_keeps_writers_away_and_writes_nothing() {
        let (_root, root) = folder();
        let reader = Lock::shared(&root).expect("free").expect("can be locked");
        assert!(matches!(Lock::folder(&root), Err(NoLock::Taken)));
        assert_eq!(root.read_dir_utf8().expect("a folder").count(), 0);
        drop(reader);
        Lock::folder(&root).expect("free again");
    }

    /// As on NFS, where nobody can have a folder for himself.
    #[test]
    fn the_file_alone_keeps_apart_who_knows_it() {
        let (_root, root) = folder();
        let mut writer = Lock::folder(&root).expect("free");
        drop(writer.files.remove(0));
        assert!(matches!(Lock::folder(&root), Err(NoLock::Taken)));
        assert!(matches!(Lock::shared(&root), Err(NoLock::Taken)));
    }
}
