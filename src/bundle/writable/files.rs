//! Where things lie in a bundle directory, and the few ways in which they are written there.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};

use crate::bundle::disk::{self, Disk, DiskFile};
use crate::oci::{Algorithm, Digest};

pub(in crate::bundle) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// The directory of one bundle.
#[derive(Clone)]
pub(in crate::bundle) struct Files {
    disk: Arc<dyn Disk>,
    root: Utf8PathBuf,
    /// Whether anything is waited for until it is on the disk.
    sync: bool,
}

/// A file that goes when it is dropped, unless it was [put in place](Files::place).
pub(super) struct Temporary {
    disk: Arc<dyn Disk>,
    path: Utf8PathBuf,
    placed: bool,
}

impl Files {
    pub(in crate::bundle) fn new(disk: Arc<dyn Disk>, root: &Utf8Path, sync: bool) -> Self {
        Self {
            disk,
            root: root.to_owned(),
            sync,
        }
    }

    pub(in crate::bundle) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(in crate::bundle) fn root(&self) -> &Utf8Path {
        &self.root
    }

    pub(in crate::bundle) fn layout(&self) -> Utf8PathBuf {
        self.root.join("oci-layout")
    }

    pub(in crate::bundle) fn index(&self) -> Utf8PathBuf {
        self.root.join("index.json")
    }

    pub(in crate::bundle) fn record(&self) -> Utf8PathBuf {
        self.root.join("airbuoy.json")
    }

    /// What is ours alone.
    pub(super) fn private(&self) -> Utf8PathBuf {
        self.root.join(".airbuoy")
    }

    pub(super) fn links(&self) -> Utf8PathBuf {
        self.private().join("links")
    }

    pub(super) fn uploads(&self) -> Utf8PathBuf {
        self.private().join("uploads")
    }

    pub(in crate::bundle) fn blobs(&self, algorithm: Algorithm) -> Utf8PathBuf {
        self.root.join("blobs").join(algorithm.as_str())
    }

    pub(in crate::bundle) fn blob(&self, digest: &Digest) -> Utf8PathBuf {
        self.blobs(digest.algorithm()).join(digest.hex())
    }

    /// Opens a new file of a name that nobody can guess.
    pub(super) fn temporary(&self) -> io::Result<(Arc<dyn DiskFile>, Temporary)> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{:032x}", u128::from_ne_bytes(random));
        let path = self.uploads().join(name);
        let file = self.disk.create(&path)?;
        let temporary = Temporary {
            disk: Arc::clone(&self.disk),
            path,
            placed: false,
        };
        Ok((file, temporary))
    }

    /// Makes a whole and synced file the blob of this digest. The folder is not synced yet.
    pub(super) fn place(&self, mut file: Temporary, digest: &Digest) -> io::Result<()> {
        self.disk.rename(&file.path, &self.blob(digest))?;
        file.placed = true;
        Ok(())
    }

    /// Returns when the file's bytes are on the disk.
    pub(super) fn sync_file(&self, file: &dyn DiskFile) -> io::Result<()> {
        if self.sync { file.sync_all() } else { Ok(()) }
    }

    /// Returns when the names in the folder are on the disk.
    pub(in crate::bundle) fn sync_folder(&self, folder: &Utf8Path) -> io::Result<()> {
        if self.sync {
            self.disk.sync_dir(folder)
        } else {
            Ok(())
        }
    }

    /// Writes a small file whole or not at all; on the disk when this returns.
    pub(in crate::bundle) fn replace(&self, path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
        let new = disk::with_suffix(path, ".new");
        let file = self.disk.create(&new)?;
        file.write_at(0, bytes)?;
        self.sync_file(&*file)?;
        drop(file);
        self.disk.rename(&new, path)?;
        self.sync_folder(disk::folder_of(path))
    }

    /// A file of at most `limit` bytes; `None` when it is not there.
    pub(in crate::bundle) fn read(
        &self,
        path: &Utf8Path,
        limit: usize,
    ) -> io::Result<Option<Bytes>> {
        Ok(disk::read_small(&*self.disk, path, limit)?.map(Bytes::from))
    }

    /// The digests and sizes of what lies in the folders of blobs. Names that are no digest are
    /// left alone.
    pub(in crate::bundle) fn list_blobs(&self) -> io::Result<Vec<(Digest, u64)>> {
        let mut found = Vec::new();
        for algorithm in ALGORITHMS {
            let folder = self.blobs(algorithm);
            for name in self.disk.list(&folder)? {
                let digest = format!("{}:{name}", algorithm.as_str()).parse::<Digest>();
                let Ok(digest) = digest else { continue };
                if let Some(size) = self.disk.size(&folder.join(&name))? {
                    found.push((digest, size));
                }
            }
        }
        Ok(found)
    }

    /// Removes what killed uploads left.
    pub(in crate::bundle) fn remove_uploads(&self) -> io::Result<()> {
        let folder = self.uploads();
        for name in self.disk.list(&folder)? {
            self.disk.remove(&folder.join(name))?;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = self.disk.remove(&self.path)
        {
            tracing::warn!(path = %self.path, %error, "an upload's file was not removed");
        }
    }
}
