//! A bundle that is a folder. Only regular files count, and no link below the folder is followed:
//! a blob must not turn out to be a file of this machine.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::super::error::BundleError;
use super::super::scan::MEMBERS;
use super::super::slices::Slices;
use super::region::Region;
use super::storage::member;
use crate::oci::{Algorithm, Digest};

/// The folder and what was in it when it was opened.
#[derive(Debug)]
pub(super) struct Folder {
    root: Utf8PathBuf,
    blobs: HashMap<Digest, u64>,
}

impl Folder {
    pub(super) fn open(root: &Utf8Path) -> Result<Self, BundleError> {
        let mut folder = Self {
            root: root.to_owned(),
            blobs: HashMap::new(),
        };
        if folder.entry("blobs")?.is_some() {
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                folder.list(algorithm)?;
            }
        }
        Ok(folder)
    }

    fn list(&mut self, algorithm: Algorithm) -> Result<(), BundleError> {
        let inside = format!("blobs/{}", algorithm.as_str());
        let Some(found) = self.entry(&inside)? else {
            return Ok(());
        };
        let path = self.root.join(&inside);
        let io = |error| BundleError::io(&path, "read the folder", error);
        if !found.is_dir() {
            return Err(self.refused(&inside, "it is no folder"));
        }
        for entry in path.as_std_path().read_dir().map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            // What is not named like a blob is not of the layout.
            let Some(digest) = name.to_str().and_then(|hex| {
                format!("{}:{hex}", algorithm.as_str())
                    .parse::<Digest>()
                    .ok()
            }) else {
                continue;
            };
            let found = entry.metadata().map_err(io)?;
            self.plain(&member(&digest), &found)?;
            self.blobs.insert(digest, found.len());
            if self.blobs.len() > MEMBERS {
                return Err(self.refused(&inside, "it holds more blobs than any bundle"));
            }
        }
        Ok(())
    }

    pub(super) fn root(&self) -> &Utf8Path {
        &self.root
    }

    pub(super) fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.get(digest).copied()
    }

    pub(super) fn blobs(&self) -> Vec<(Digest, u64)> {
        self.blobs.iter().map(|(d, n)| (d.clone(), *n)).collect()
    }

    pub(super) fn blob(&self, digest: &Digest) -> Result<Option<Region>, BundleError> {
        self.file(&member(digest))
    }

    /// A regular file inside; `None` when it is not there.
    pub(super) fn file(&self, inside: &str) -> Result<Option<Region>, BundleError> {
        let Some(named) = self.entry(inside)? else {
            return Ok(None);
        };
        self.plain(inside, &named)?;
        let path = self.root.join(inside);
        let io = |error| BundleError::io(&path, "open", error);
        let file = File::open(&path).map_err(io)?;
        let opened = file.metadata().map_err(io)?;
        // The name may have become a link between the look and the opening.
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(self.refused(inside, "it changed while it was opened"));
        }
        let size = opened.len();
        let slices = Slices::new([(path, file, size)]);
        Ok(Some(Region::new(Arc::new(slices), 0, size)))
    }

    fn plain(&self, inside: &str, found: &Metadata) -> Result<(), BundleError> {
        if found.is_file() {
            Ok(())
        } else if found.is_symlink() {
            Err(self.refused(inside, "it is a link"))
        } else {
            Err(self.refused(inside, "it is no plain file"))
        }
    }

    /// What a name inside stands for, links not followed.
    fn entry(&self, inside: &str) -> Result<Option<Metadata>, BundleError> {
        let path = self.root.join(inside);
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => Err(self.refused(inside, "it is a link")),
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BundleError::io(path, "open", error)),
        }
    }

    fn refused(&self, inside: &str, why: &str) -> BundleError {
        BundleError::Structure {
            bundle: self.root.clone(),
            reason: format!("{inside} is refused: {why}, and only plain files are read"),
            hint: Some(
                "copy the bundle with its links resolved (`cp -rL`) if you trust them".into(),
            ),
        }
    }
}
