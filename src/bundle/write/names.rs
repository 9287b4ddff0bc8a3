//! The files of a tar while it is written and when it is whole.

use camino::{Utf8Path, Utf8PathBuf};

use crate::bundle::BundleError;
use crate::bundle::disk::with_suffix;
use crate::bundle::volumes::{VolumeList, list_path};

/// More volumes than people carry, or than a process may open.
const MOST_VOLUMES: u64 = 999;

/// A file and its length.
pub(super) type Part = (Utf8PathBuf, u64);

/// The files that a tar of `total` bytes ends as.
pub(super) fn whole(
    tar: &Utf8Path,
    total: u64,
    split: Option<u64>,
) -> Result<Vec<Part>, BundleError> {
    let Some(split) = split else {
        return Ok(vec![(tar.to_owned(), total)]);
    };
    let count = total.div_ceil(split.max(1));
    if count > MOST_VOLUMES {
        return Err(BundleError::Structure {
            bundle: tar.to_owned(),
            reason: format!("it would be {count} volumes, more than {MOST_VOLUMES}"),
            hint: Some("give a larger --split-size".to_owned()),
        });
    }
    let folder = crate::bundle::disk::folder_of(tar);
    let cut = VolumeList::cut(tar, total, split);
    Ok(cut
        .volumes
        .into_iter()
        .map(|volume| (folder.join(volume.name), volume.size))
        .collect())
}

/// The names of those files until then.
pub(super) fn partial(whole: &[Part]) -> Vec<Part> {
    renamed(whole, ".partial")
}

/// The names of partial files whose plan is no longer the current one.
pub(super) fn set_aside(whole: &[Part]) -> Vec<Part> {
    renamed(whole, ".partial.old")
}

fn renamed(parts: &[Part], suffix: &str) -> Vec<Part> {
    let renamed = |(path, length): &Part| (with_suffix(path, suffix), *length);
    parts.iter().map(renamed).collect()
}

/// Says what the partial files hold.
pub(super) fn state(tar: &Utf8Path) -> Utf8PathBuf {
    with_suffix(tar, ".partial.state")
}

/// Says what the partial files hold that were set aside.
pub(super) fn old_state(tar: &Utf8Path) -> Utf8PathBuf {
    with_suffix(tar, ".partial.old.state")
}

/// Keeps a second writer away.
pub(super) fn lock(tar: &Utf8Path) -> Utf8PathBuf {
    with_suffix(tar, ".lock")
}

/// The list of volumes.
pub(super) fn list(tar: &Utf8Path) -> Utf8PathBuf {
    list_path(tar)
}
