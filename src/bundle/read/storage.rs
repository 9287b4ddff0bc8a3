//! What a bundle lies in: a folder, a tar, or the volumes of one.

use bytes::Bytes;
use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};

use super::super::error::BundleError;
use super::super::volumes;
use super::folder::Folder;
use super::region::Region;
use super::tar_files::TarFiles;
use crate::oci::Digest;

/// Finds blobs and the few small files beside them.
#[derive(Debug)]
pub(super) enum Storage {
    Folder(Folder),
    Tar(TarFiles),
}

impl Storage {
    /// Opens what `path` names: a folder, `NAME.tar`, or any part of its volumes.
    pub(super) fn open(path: &Utf8Path) -> Result<Self, BundleError> {
        let is_dir = match path.metadata() {
            Ok(found) => Some(found.is_dir()),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(BundleError::io(path, "open", error)),
        };
        if is_dir == Some(true) {
            return Folder::open(path).map(Self::Folder);
        }
        let tar = volumes::tar_path(path);
        let list = volumes::list_path(&tar);
        let has_volumes = list.exists() || first_volume(&tar).exists();
        if is_dir.is_none() && tar != path && !has_volumes {
            return Err(BundleError::absent(path));
        }
        let is_whole = is_dir.is_some() && tar == path;
        if is_whole || (tar == path && !has_volumes) {
            TarFiles::whole(path).map(Self::Tar)
        } else {
            TarFiles::volumes(&tar, &list).map(Self::Tar)
        }
    }

    /// A bundle's own small file, at most `limit` bytes; `None` when it is not there.
    pub(super) fn small(&self, name: &str, limit: u64) -> Result<Option<Bytes>, BundleError> {
        let (path, region) = match self {
            Self::Folder(folder) => (folder.root(), folder.file(name)?),
            Self::Tar(tar) => (tar.path(), tar.file(name)),
        };
        let Some(region) = region else {
            return Ok(None);
        };
        let size = crate::content::BlobReader::size(&region);
        if size > limit {
            return Err(BundleError::Structure {
                bundle: path.to_owned(),
                reason: format!("its {name} has {size} bytes, at most {limit} are read"),
                hint: None,
            });
        }
        let bytes = region.read_all();
        bytes
            .map(Some)
            .map_err(|e| BundleError::io(path.join(name), "read", e))
    }

    /// The size of a blob, without opening it.
    pub(super) fn size(&self, digest: &Digest) -> Option<u64> {
        match self {
            Self::Folder(folder) => folder.size(digest),
            Self::Tar(tar) => tar.size(digest),
        }
    }

    /// Opens a blob; `None` when it is not there. Blocks on the disk.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Option<Region>, BundleError> {
        match self {
            Self::Folder(folder) => folder.blob(digest),
            Self::Tar(tar) => Ok(tar.blob(digest)),
        }
    }

    /// Every blob and its size.
    pub(super) fn blobs(&self) -> Vec<(Digest, u64)> {
        match self {
            Self::Folder(folder) => folder.blobs(),
            Self::Tar(tar) => tar.blobs(),
        }
    }

    /// The volumes that hold the blob, when there are several volumes.
    pub(super) fn volumes_of(&self, digest: &Digest) -> Vec<Utf8PathBuf> {
        match self {
            Self::Folder(_) => Vec::new(),
            Self::Tar(tar) => tar.volumes_of(digest),
        }
    }
}

/// Whether the path leads nowhere.
pub(super) fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Where the first volume of a tar lies.
pub(super) fn first_volume(tar: &Utf8Path) -> Utf8PathBuf {
    format!("{tar}.001").into()
}
