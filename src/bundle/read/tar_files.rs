//! A bundle that is a tar, in one file or in volumes that are read as one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::OFlags;

use super::super::error::BundleError;
use super::super::scan::{ReadAt, scan};
use super::super::slices::Slices;
use super::super::tar_fault::TarFault;
use super::super::tar_map::blob_digest;
use super::super::volumes::{Volume, VolumeList};
use super::region::Region;
use super::storage::{first_volume, is_absent};
use crate::oci::Digest;

/// The largest list of volumes that is read.
const LIST_LIMIT: u64 = 4 << 20;

/// The files of a tar, and where in them its members lie.
#[derive(Debug)]
pub(super) struct TarFiles {
    path: Utf8PathBuf,
    slices: Arc<Slices>,
    split: bool,
    blobs: HashMap<Digest, Stretch>,
    files: HashMap<String, Stretch>,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    offset: u64,
    size: u64,
}

impl ReadAt for Slices {
    fn size(&self) -> u64 {
        self.len()
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        Self::read_exact_at(self, into, offset)
    }
}

impl TarFiles {
    /// A tar in one file.
    pub(super) fn whole(path: &Utf8Path) -> Result<Self, BundleError> {
        let file = open(path).map_err(|error| {
            if is_absent(&error) {
                not_there(path)
            } else {
                BundleError::io(path, "open", error)
            }
        })?;
        let size = regular_size(path, &file)?;
        Self::read(path, Slices::new([(path.to_owned(), file, size)]), false)
    }

    /// The volumes of the tar at `path`, as its list names them.
    pub(super) fn volumes(path: &Utf8Path, list: &Utf8Path) -> Result<Self, BundleError> {
        let bytes = match small_file(list) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(list_missing(path, list));
            }
            Err(error) => return Err(BundleError::io(list, "read", error)),
        };
        let volumes = VolumeList::parse(&bytes, list)?;
        in_order(list, &volumes.volumes)?;
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        let mut files = Vec::new();
        let mut missing = Vec::new();
        for volume in &volumes.volumes {
            let at = folder.join(&volume.name);
            match open(&at) {
                Ok(file) => {
                    let size = regular_size(&at, &file)?;
                    if size != volume.size {
                        return Err(wrong_size(path, &at, size, volume.size));
                    }
                    files.push((at, file, size));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing.push(volume.name.as_str());
                }
                Err(error) => return Err(BundleError::io(at, "open", error)),
            }
        }
        if !missing.is_empty() {
            let count = volumes.volumes.len();
            return Err(BundleError::Structure {
                bundle: path.to_owned(),
                reason: format!(
                    "of its {count} volumes {} {} missing",
                    missing.join(", "),
                    if missing.len() == 1 { "is" } else { "are" }
                ),
                hint: Some(format!("put all volumes into one folder, beside {list}")),
            });
        }
        Self::read(path, Slices::new(files), true)
    }

    fn read(path: &Utf8Path, slices: Slices, split: bool) -> Result<Self, BundleError> {
        let members = scan(&slices).map_err(|fault| match fault {
            TarFault::Io(error) => BundleError::io(path, "read", error),
            fault => {
                let at = fault.offset().filter(|_| split);
                let volume = at.and_then(|at| slices.path_at(at)).cloned();
                BundleError::Tar {
                    bundle: path.to_owned(),
                    volume,
                    fault,
                }
            }
        })?;
        let (mut blobs, mut files) = (HashMap::new(), HashMap::new());
        for member in members {
            let (offset, size) = (member.offset, member.size);
            let stretch = Stretch { offset, size };
            match blob_digest(&member.path) {
                Some(digest) => {
                    blobs.insert(digest, stretch);
                }
                None => {
                    files.insert(member.path, stretch);
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            slices: Arc::new(slices),
            split,
            blobs,
            files,
        })
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> Option<Region> {
        self.files.get(name).map(|found| self.region(*found))
    }

    pub(super) fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.get(digest).map(|found| found.size)
    }

    pub(super) fn blob(&self, digest: &Digest) -> Option<Region> {
        self.blobs.get(digest).map(|found| self.region(*found))
    }

    fn region(&self, stretch: Stretch) -> Region {
        Region::new(self.slices.clone(), stretch.offset, stretch.size)
    }

    pub(super) fn blobs(&self) -> Vec<(Digest, u64)> {
        let all = self.blobs.iter();
        all.map(|(digest, found)| (digest.clone(), found.size))
            .collect()
    }

    pub(super) fn volumes_of(&self, digest: &Digest) -> Vec<Utf8PathBuf> {
        let Some(found) = self.blobs.get(digest).filter(|_| self.split) else {
            return Vec::new();
        };
        let pieces = self.slices.pieces(found.offset, found.size);
        pieces.into_iter().map(|(path, ..)| path.clone()).collect()
    }

    /// A file of the tar whose name stands for another one by now.
    pub(super) fn replaced(&self) -> io::Result<Option<&Utf8PathBuf>> {
        self.slices.replaced()
    }

    /// The parts of files that hold the blob: path, place in it, length.
    pub(super) fn pieces(&self, digest: &Digest) -> Vec<(&Utf8PathBuf, u64, u64)> {
        let found = self.blobs.get(digest);
        found.map_or_else(Vec::new, |f| self.slices.pieces(f.offset, f.size))
    }
}

/// Opens a file without waiting: a pipe that nobody fills must not hold up whoever looks at it.
fn open(path: &Utf8Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    File::options().read(true).custom_flags(flags).open(path)
}

/// The bytes of the list of volumes.
fn small_file(path: &Utf8Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    file.take(LIST_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIST_LIMIT {
        return Err(io::Error::other("it is too large for a list of volumes"));
    }
    Ok(bytes)
}

fn regular_size(path: &Utf8Path, file: &File) -> Result<u64, BundleError> {
    let found = file
        .metadata()
        .map_err(|e| BundleError::io(path, "open", e))?;
    if found.is_file() {
        return Ok(found.len());
    }
    Err(BundleError::Structure {
        bundle: path.to_owned(),
        reason: "it is no plain file, and a bundle is read at many places".to_owned(),
        hint: Some("copy it to a file first".to_owned()),
    })
}

/// Volumes are counted from 001 without a gap; a list in another order was not written by us.
fn in_order(list: &Utf8Path, volumes: &[Volume]) -> Result<(), BundleError> {
    let wrong = volumes.iter().zip(1_usize..).find(|(volume, n)| {
        let number = volume.name.rsplit_once('.').map(|(_, number)| number);
        number.and_then(|number| number.parse().ok()) != Some(*n)
    });
    match wrong {
        None => Ok(()),
        Some((volume, n)) => Err(BundleError::Volumes {
            path: list.to_owned(),
            reason: format!(
                "the volumes are out of order: {} stands in place {n}",
                volume.name
            ),
        }),
    }
}

fn wrong_size(path: &Utf8Path, volume: &Utf8Path, size: u64, expected: u64) -> BundleError {
    BundleError::Structure {
        bundle: path.to_owned(),
        reason: format!("its volume {volume} has {size} bytes and should have {expected}"),
        hint: Some("copy that volume again".to_owned()),
    }
}

fn list_missing(path: &Utf8Path, list: &Utf8Path) -> BundleError {
    let name = list.file_name().unwrap_or(list.as_str());
    BundleError::Structure {
        bundle: path.to_owned(),
        reason: format!("its list of volumes, {name}, is missing"),
        hint: Some(if first_volume_partial(path).exists() {
            RESUME.to_owned()
        } else {
            "copy it beside the volumes: it was written last, when all of them were whole".into()
        }),
    }
}

const RESUME: &str =
    "the pull that writes it was not finished: run the same `airbuoy pull` again, it goes on there";

fn first_volume_partial(path: &Utf8Path) -> Utf8PathBuf {
    format!("{}.partial", first_volume(path)).into()
}

fn not_there(path: &Utf8Path) -> BundleError {
    let partial = Utf8PathBuf::from(format!("{path}.partial"));
    if partial.exists() || first_volume_partial(path).exists() {
        BundleError::Structure {
            bundle: path.to_owned(),
            reason: "it is not complete".to_owned(),
            hint: Some(RESUME.to_owned()),
        }
    } else {
        BundleError::absent(path)
    }
}
