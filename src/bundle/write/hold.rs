//! Keeping writers away from a bundle that is changed in place.

use camino::Utf8Path;

use super::names;
use super::writer::locked;
use crate::bundle::BundleError;
use crate::bundle::lock::Lock;

/// Held until it is dropped: no other airbuoy writes or repairs the bundle meanwhile.
#[derive(Debug)]
pub struct Hold {
    _lock: Lock,
}

impl Hold {
    /// Takes the lock of the bundle at `path`: a directory, or `NAME.tar` for a tar and its
    /// volumes. Blocks on the disk.
    pub fn take(path: &Utf8Path) -> Result<Self, BundleError> {
        let lock = if path.is_dir() {
            let own = path.join(".airbuoy");
            std::fs::create_dir_all(&own)
                .map_err(|error| BundleError::io(&own, "make the folder", error))?;
            Lock::lasting(&own.join("lock"))
        } else {
            Lock::passing(&names::lock(path))
        };
        Ok(Self {
            _lock: locked(path, lock)?,
        })
    }
}
