//! Readers and writers of one bundle keep apart: a folder changes in place.

use std::io;

use camino::Utf8PathBuf;

use super::super::error::BundleError;
use super::super::lock::{Lock, NoLock};
use super::bundle::Bundle;
use super::storage::Storage;

/// Keeps writers away from a folder until it is dropped.
#[derive(Debug)]
pub struct Shared(#[expect(dead_code, reason = "it is held, not asked")] Option<Lock>);

impl Bundle {
    /// Keeps writers away, for who reads for long. A tar needs no lock: a writer puts a new file
    /// in its place, and the old one stays open here. Nor does a disk that takes no writes.
    pub fn share(&self) -> Result<Shared, BundleError> {
        let Storage::Folder(folder) = &*self.storage else {
            return Ok(Shared(None));
        };
        let own = folder.root().join(".airbuoy");
        let made = std::fs::create_dir_all(&own).map_err(NoLock::Io);
        match made.and_then(|()| Lock::shared(&own.join("lock"))) {
            Ok(lock) => Ok(Shared(Some(lock))),
            Err(NoLock::Io(error)) if takes_no_writes(&error) => Ok(Shared(None)),
            Err(error) => Err(self.not_locked(error)),
        }
    }

    /// Keeps everyone else away, to change the bundle in place. The lock is the writers' own.
    pub(super) fn lock(&self) -> Result<Lock, BundleError> {
        let lock = match &*self.storage {
            Storage::Folder(folder) => {
                let own = folder.root().join(".airbuoy");
                let made = std::fs::create_dir_all(&own).map_err(NoLock::Io);
                made.and_then(|()| Lock::lasting(&own.join("lock")))
            }
            Storage::Tar(tar) => Lock::passing(&Utf8PathBuf::from(format!("{}.lock", tar.path()))),
        };
        lock.map_err(|error| self.not_locked(error))
    }

    fn not_locked(&self, error: NoLock) -> BundleError {
        match error {
            NoLock::Taken => BundleError::Locked {
                bundle: self.path().to_owned(),
            },
            NoLock::Io(error) => BundleError::io(self.path(), "lock", error),
        }
    }
}

fn takes_no_writes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}
