//! The blobs of a tar that is whole, for a newer one to copy instead of fetching them. Of a tar that
//! cannot be read there are none, and that is no error.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use camino::Utf8Path;

use super::laid::Salvage;
use super::medium::Medium;
use super::names::{self, Part};
use crate::bundle::disk::{Disk, folder_of, read_small};
use crate::bundle::scan::{ReadAt, scan};
use crate::bundle::tar_map::blob_digest;
use crate::bundle::volumes::VolumeList;
use crate::oci::Digest;

/// The largest list of volumes.
const LONGEST_LIST: usize = 1 << 20;

/// The files of the whole bundle at `tar`: one, or the volumes of its list.
pub(super) fn parts(disk: &dyn Disk, tar: &Utf8Path) -> Option<Vec<Part>> {
    if let Some(size) = disk.size(tar).ok()? {
        return Some(vec![(tar.to_owned(), size)]);
    }
    let volumes = volumes(disk, tar)?.volumes.into_iter();
    let folder = folder_of(tar);
    Some(volumes.map(|v| (folder.join(v.name), v.size)).collect())
}

/// The list of volumes of the bundle at `tar`.
pub(super) fn volumes(disk: &dyn Disk, tar: &Utf8Path) -> Option<VolumeList> {
    let list = names::list(tar);
    let bytes = read_small(disk, &list, LONGEST_LIST).ok()??;
    VolumeList::parse(&bytes, &list).ok()
}

/// What the whole bundle at `tar` holds.
pub(super) fn salvage(disk: &dyn Disk, tar: &Utf8Path) -> Option<Salvage> {
    let medium = Medium::open(disk, &parts(disk, tar)?, false).ok()??;
    let held = members(&medium);
    let medium = Arc::new(medium);
    (!held.is_empty()).then_some(Salvage { medium, held })
}

fn members(medium: &Medium) -> HashMap<Digest, (u64, u64)> {
    let members = scan(medium).unwrap_or_default().into_iter();
    members
        .filter_map(|member| Some((blob_digest(&member.path)?, (member.offset, member.size))))
        .collect()
}

impl ReadAt for Medium {
    fn size(&self) -> u64 {
        self.total()
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        match self.read_at(offset, into) {
            Ok(read) if read == into.len() => Ok(()),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
