//! How much a folder's disk still takes.

use camino::Utf8Path;

/// Bytes that this user may still write in `folder`; `None` when the system does not tell.
#[cfg(unix)]
pub(super) fn available(folder: &Utf8Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder.as_std_path()).ok()?;
    // Some network file systems report nothing at all, which is not the same as being full.
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes that this user may still write in `folder`; `None` when the system does not tell.
#[cfg(not(unix))]
pub(super) fn available(_folder: &Utf8Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_a_missing_one_does_not_say() {
        let root = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(root.path()).expect("UTF-8");
        assert!(available(root).is_some_and(|bytes| bytes > 0));
        assert_eq!(available(&root.join("missing")), None);
    }
}
