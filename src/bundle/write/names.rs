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
        return Err(BundleError::refused(
            tar,
            format!(
                "it has {total} bytes and would be {count} volumes of {split}, more than {MOST_VOLUMES}"
            ),
            format!("--split-size {} is the least that does", least(total)),
        ));
    }
    let folder = crate::bundle::disk::folder_of(tar);
    let cut = VolumeList::cut(tar, total, split);
    Ok(cut
        .volumes
        .into_iter()
        .map(|volume| (folder.join(volume.name), volume.size))
        .collect())
}

/// The smallest size of volumes that keeps a tar within their number, as it is typed: rounded up to
/// a thousand bytes, or a million.
fn least(total: u64) -> String {
    let bytes = total.div_ceil(MOST_VOLUMES);
    match bytes {
        0..1_000_000 => format!("{}k", bytes.div_ceil(1_000)),
        _ => format!("{}M", bytes.div_ceil(1_000_000)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_volumes_are_refused_with_the_size_that_does() {
        let whole = |total, split| whole(Utf8Path::new("k8s.tar"), total, Some(split));
        for (total, split, least) in [
            (10_000_000, 10_000, "11k"),
            (4_300_000_000, 1_000_000, "5M"),
            (u64::MAX, 4_000_000_000, "18465209283M"),
        ] {
            let error = whole(total, split).expect_err("too many");
            let hint = error.hint().expect("a hint");
            assert!(
                hint.starts_with(&format!("--split-size {least} ")),
                "{hint}"
            );
        }
        assert_eq!(whole(10_000_000, 11_000).expect("enough").len(), 910);
        assert_eq!(whole(4_300_000_000, 5_000_000).expect("enough").len(), 860);
    }
}
