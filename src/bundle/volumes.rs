//! `NAME.tar.volumes`: the slices of one logical tar, so that it fits on media that take no large
//! file.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::error::BundleError;
use super::record::FORMAT;

/// The ending of the list's name.
pub(super) const LIST_SUFFIX: &str = ".volumes";

/// The fewest bytes of a volume: one record of a tar, which is what tar itself reads at once
/// (20 blocks of 512 bytes, POSIX pax).
pub const SMALLEST_VOLUME: u64 = 10_240;

/// The list of volumes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VolumeList {
    format: u32,
    /// Bytes of the whole tar.
    pub(super) total: u64,
    pub(super) volumes: Vec<Volume>,
}

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    /// Its file name, without a folder.
    pub(super) name: String,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl VolumeList {
    /// Cuts `total` bytes of the tar at `path` into volumes of `split` bytes and a shorter last
    /// one. They are counted from 001.
    pub(super) fn cut(path: &Utf8Path, total: u64, split: u64) -> Self {
        let base = path.file_name().unwrap_or("bundle.tar");
        let split = split.max(1);
        let volumes = (0..total.div_ceil(split)).map(|index| Volume {
            name: format!("{base}.{:03}", index + 1),
            size: split.min(total - index * split),
        });
        Self {
            format: FORMAT,
            total,
            volumes: volumes.collect(),
        }
    }

    /// Reads the list that lies at `path`.
    pub(super) fn parse(bytes: &[u8], path: &Utf8Path) -> Result<Self, BundleError> {
        let invalid = |reason: String| BundleError::Volumes {
            path: path.to_owned(),
            reason,
        };
        let list: Self = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
        if list.format != FORMAT {
            let format = list.format;
            return Err(invalid(format!(
                "it has format {format} and this version of airbuoy reads format {FORMAT}"
            )));
        }
        if let Some(volume) = list.volumes.iter().find(|v| !is_file_name(&v.name)) {
            return Err(invalid(format!("`{}` is no file name", volume.name)));
        }
        let sum = list
            .volumes
            .iter()
            .try_fold(0u64, |sum, volume| sum.checked_add(volume.size));
        if sum != Some(list.total) {
            return Err(invalid("the sizes do not add up".to_owned()));
        }
        Ok(list)
    }

    /// The bytes of the list.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// Where the list of the tar at `path` lies.
pub(super) fn list_path(path: &Utf8Path) -> Utf8PathBuf {
    format!("{path}{LIST_SUFFIX}").into()
}

/// The tar that `path` speaks of: `NAME.tar`, its list or its first volume.
pub fn tar_path(path: &Utf8Path) -> Utf8PathBuf {
    let text = path.as_str();
    let counted = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    match text.rsplit_once('.') {
        Some((tar, "volumes")) => tar.into(),
        Some((tar, number)) if counted(number) && Utf8Path::new(tar).extension() == Some("tar") => {
            tar.into()
        }
        _ => path.to_owned(),
    }
}

/// Endings of archives that are not written: layers are compressed as they are, and a compressed
/// tar cannot be read in place.
const COMPRESSED: [&str; 11] = [
    ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.lz4",
    ".tar.br", ".zip",
];

/// `path` without the ending of a compressed archive; none when it has no such ending.
pub fn compressed_stem(path: &Utf8Path) -> Option<&str> {
    let name = path.as_str();
    let lower = name.to_ascii_lowercase();
    let ending = COMPRESSED.iter().find(|ending| lower.ends_with(**ending))?;
    name.get(..name.len() - ending.len())
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_add_up_to_the_tar() {
        let path = Utf8Path::new("/media/k8s.tar");
        let list = VolumeList::cut(path, 1025, 512);
        let sizes: Vec<(&str, u64)> = list
            .volumes
            .iter()
            .map(|v| (v.name.as_str(), v.size))
            .collect();
        assert_eq!(
            sizes,
            [
                ("k8s.tar.001", 512),
                ("k8s.tar.002", 512),
                ("k8s.tar.003", 1)
            ]
        );
        let read = VolumeList::parse(&list.to_bytes(), &list_path(path)).expect("a list");
        assert_eq!(read, list);
        assert_eq!(VolumeList::cut(path, 1024, 512).volumes.len(), 2);
    }

    #[test]
    fn any_part_names_the_whole() {
        for part in ["k8s.tar", "k8s.tar.volumes", "k8s.tar.001", "k8s.tar.042"] {
            assert_eq!(tar_path(Utf8Path::new(part)), "k8s.tar", "{part}");
        }
        for other in ["k8s.001", "set.v1", "k8s.tar.1", "v1.136"] {
            assert_eq!(tar_path(Utf8Path::new(other)), other);
        }
    }

    #[test]
    fn a_list_that_lies_is_refused() {
        let good = VolumeList::cut(Utf8Path::new("k8s.tar"), 1000, 300);
        let mut short = good.clone();
        short.volumes.pop();
        let mut outside = good.clone();
        outside.volumes[0].name = "../k8s.tar.001".into();
        let mut newer = good.clone();
        newer.format = 9;
        let mut huge = good;
        huge.volumes[0].size = u64::MAX;
        for list in [short, outside, newer, huge] {
            let error = VolumeList::parse(&list.to_bytes(), Utf8Path::new("k8s.tar.volumes"))
                .expect_err("refused");
            assert!(error.to_string().contains("k8s.tar.volumes"), "{error}");
        }
    }
}
