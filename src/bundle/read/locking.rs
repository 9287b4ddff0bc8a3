//! Readers and writers of one bundle keep apart: a folder changes in place.

use camino::Utf8PathBuf;

use super::super::error::BundleError;
use super::super::lock::Lock;
use super::bundle::Bundle;
use super::storage::Storage;

/// Keeps writers away from a folder until it is dropped.
#[derive(Debug)]
pub struct Shared(#[expect(dead_code, reason = "it is held, not asked")] Option<Lock>);

impl Bundle {
    /// Keeps writers away, for who reads for long; nothing is written for it. A tar needs no lock:
    /// a writer puts a new file in its place, and the old one stays open here.
    pub fn share(&self) -> Result<Shared, BundleError> {
        let Storage::Folder(folder) = &*self.storage else {
            return Ok(Shared(None));
        };
        let lock = Lock::shared(folder.root());
        lock.map(Shared).map_err(|error| error.of(self.path()))
    }

    /// Keeps everyone else away, to change the bundle in place. The lock is the writers' own.
    pub(super) fn lock(&self) -> Result<Lock, BundleError> {
        let lock = match &*self.storage {
            Storage::Folder(folder) => Lock::folder(folder.root()),
            Storage::Tar(tar) => Lock::passing(&Utf8PathBuf::from(format!("{}.lock", tar.path()))),
        };
        lock.map_err(|error| error.of(self.path()))
    }
}
