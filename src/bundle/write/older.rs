//! The blobs of a tar that is whole, for a newer one to copy instead of fetching them. It finds
//! what this program writes; what it does not understand ends the search and is no error.

use std::collections::HashMap;
use std::sync::Arc;

use camino::Utf8Path;
use tar::{EntryType, Header};

use super::laid::Salvage;
use super::medium::Medium;
use super::names::{self, Part};
use crate::bundle::disk::{Disk, folder_of, read_small};
use crate::bundle::tar_header::{BLOCK, padding};
use crate::bundle::volumes::VolumeList;
use crate::oci::Digest;

/// More members than any bundle has.
const MOST_MEMBERS: usize = 1 << 20;

/// The longest name that can be a blob's, with the zero byte behind it.
const LONGEST_NAME: u64 = 256;

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
    let mut held = HashMap::new();
    let mut at = 0;
    let mut long_name = None;
    for _ in 0..MOST_MEMBERS {
        let mut header = Header::new_gnu();
        if medium.read_at(at, header.as_mut_bytes()).ok() != Some(512) {
            break;
        }
        let (kind, Ok(size)) = (header.entry_type(), header.entry_size()) else {
            break;
        };
        let content = at + BLOCK;
        let end = content.checked_add(size);
        let next = end.and_then(|end| end.checked_add(padding(size) as u64));
        let Some(next) = next.filter(|next| *next <= medium.total()) else {
            break;
        };
        if kind == EntryType::GNULongName && size <= LONGEST_NAME {
            let mut name = vec![0; usize::try_from(size).unwrap_or(0)];
            if medium.read_at(content, &mut name).ok() != Some(name.len()) {
                break;
            }
            long_name = name.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
        } else {
            let name = long_name.take();
            let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
            if let Some(digest) = blob(&name).filter(|_| kind.is_file()) {
                held.insert(digest, (content, size));
            }
        }
        at = next;
    }
    held
}

fn blob(name: &[u8]) -> Option<Digest> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix("blobs/")?;
    let (algorithm, hex) = name.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}
