//! Takes Kubernetes versions out of a bundle directory: the images that only they need, then every
//! blob that nothing leads to any more.
//!
//! Safe to kill: the names go first, the blobs next, and the record, which knows the version, last.
//! Whatever is left over, the same command finishes.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use camino::Utf8Path;

use super::disk::RealDisk;
use super::error::BundleError;
use super::index::{self, Entry};
use super::record::{ImageRecord, Record};
use super::writable::{Files, load, lock, read_index, read_record};
use crate::kube_version::KubeVersion;
use crate::oci::Digest;

/// What was taken out of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The versions that are gone.
    pub versions: Vec<KubeVersion>,
    /// Images that are gone, as `repository:tag`, sorted.
    pub images: Vec<String>,
    /// How many of the versions' images stay, because others need them as well.
    pub shared: usize,
    /// Files that are gone: blobs and manifests.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The versions that the bundle still holds, in their order.
    pub left: Vec<KubeVersion>,
}

/// Takes the versions out of the bundle directory at `path`; refused while anyone writes or serves
/// it, and when one of the versions is not in it. Blocks.
pub fn remove_versions(path: &Utf8Path, versions: &[KubeVersion]) -> Result<Removed, BundleError> {
    let files = Files::new(Arc::new(RealDisk), path, true);
    let index = || files.disk().size(&files.index());
    if !path.exists() {
        return Err(BundleError::absent(path));
    }
    if path.is_file()
        || index()
            .map_err(|e| BundleError::io(path, "open", e))?
            .is_none()
    {
        return Err(no_directory(path));
    }
    let _lock = lock(&files)?;
    remove(&files, versions)
}

fn no_directory(path: &Utf8Path) -> BundleError {
    let (reason, hint) = if path.is_file() {
        (
            "versions can be removed from a directory only, and this is a file",
            "pull the versions that you want into a new file, or unpack it with tar xf",
        )
    } else {
        (
            "there is no bundle here",
            "name a directory that airbuoy pull has filled",
        )
    };
    BundleError::refused(path, reason, hint)
}

/// As [`remove_versions`], for who holds the lock.
fn remove(files: &Files, versions: &[KubeVersion]) -> Result<Removed, BundleError> {
    let record = read_record(files)?;
    let mut record = record.ok_or_else(|| BundleError::Structure {
        bundle: files.root().to_owned(),
        reason: "it has no airbuoy.json, so nobody can say which version needs what".to_owned(),
        hint: None,
    })?;
    let versions = chosen(files, &record, versions)?;
    let entries = read_index(files)?.unwrap_or_default();

    // What pushes still wait for; with a manifest gone, the links that brought it must not come
    // back to life. Where damage bars the way to it, they may.
    let before = load(files, &entries).ok();
    let (gone, shared) = strip(&mut record, &versions);
    let is_gone = |entry: &Entry| gone.iter().any(|row| names(row, entry));
    let kept: Vec<Entry> = entries.into_iter().filter(|e| !is_gone(e)).collect();
    let mut state = load(files, &kept)?;
    if let Some(before) = before {
        state.keep_links_of(&before);
    }
    record.external.retain(|blob| state.needs(&blob.digest));
    let orphans: Vec<(Digest, u64)> = state.unneeded();

    let written = |error| BundleError::io(files.root(), "write", error);
    let sweep = || -> io::Result<()> {
        files.remove_uploads()?;
        let mut folders = BTreeSet::new();
        for (digest, _) in &orphans {
            files.disk().remove(&files.blob(digest))?;
            folders.insert(digest.algorithm());
        }
        let mut folders = folders.into_iter();
        folders.try_for_each(|algorithm| files.sync_folder(&files.blobs(algorithm)))
    };
    let index = index::to_bytes(&kept);
    files.replace(&files.index(), &index).map_err(written)?;
    sweep().map_err(|error| BundleError::io(files.root(), "sweep", error))?;
    let bytes = record.to_bytes();
    files.replace(&files.record(), &bytes).map_err(written)?;

    let mut images: Vec<String> = gone.iter().map(called).collect();
    images.sort_unstable();
    Ok(Removed {
        versions,
        images,
        shared,
        blobs: orphans.len(),
        bytes: orphans.iter().map(|(_, size)| size).sum(),
        left: record.versions().cloned().collect(),
    })
}

/// The versions of the record that are meant: `1.36` means every patch of it.
fn chosen(
    files: &Files,
    record: &Record,
    wanted: &[KubeVersion],
) -> Result<Vec<KubeVersion>, BundleError> {
    let mut chosen = Vec::new();
    for wanted in wanted {
        let wanted = wanted.without_vendor_suffix();
        let same_minor = |held: &KubeVersion| held.minor_name() == wanted.minor_name();
        let meant = |held: &&KubeVersion| {
            **held == wanted || (wanted.patch().is_none() && same_minor(held))
        };
        let found: Vec<&KubeVersion> = record.versions().filter(meant).collect();
        if found.is_empty() {
            return Err(not_in_it(files, record, &wanted));
        }
        chosen.extend(found.into_iter().cloned());
    }
    Ok(chosen)
}

fn not_in_it(files: &Files, record: &Record, wanted: &KubeVersion) -> BundleError {
    let held: Vec<String> = record.versions().map(ToString::to_string).collect();
    let held = match &*held {
        [] => "no version at all".to_owned(),
        held => held.join(", "),
    };
    BundleError::refused(
        files.root(),
        format!("Kubernetes {wanted} is not in it; it holds {held}"),
        format!("see `airbuoy bundle ls {}`", files.root()),
    )
}

/// Takes the versions out of the record: the rows that nobody needs any more, and how many of
/// theirs stay. What the list of a version that stays has stays with it, whatever the rows say;
/// what belonged to no version before is nobody's to remove.
fn strip(record: &mut Record, versions: &[KubeVersion]) -> (Vec<ImageRecord>, usize) {
    record
        .releases
        .retain(|set| !versions.contains(&set.version));
    record.claim_listed();
    let mut gone = Vec::new();
    let mut shared = 0;
    record.images.retain_mut(|row| {
        let before = row.versions.len();
        row.versions.retain(|version| !versions.contains(version));
        if row.versions.len() == before {
            return true;
        }
        if row.versions.is_empty() {
            gone.push(row.clone());
            return false;
        }
        shared += 1;
        true
    });
    // Upstream may have kept one image under two names, which are one in the bundle.
    let all = gone.len();
    gone.retain(|row| record.images.iter().all(|left| !left.is_named_as(row)));
    shared += all - gone.len();
    (gone, shared)
}

/// Whether the entry is that row's. What somebody has pushed under its name since is not.
fn names(row: &ImageRecord, entry: &Entry) -> bool {
    let wanted = row.digest.as_ref();
    row.names(entry) && wanted.is_none_or(|wanted| *wanted == entry.descriptor.digest)
}

fn called(row: &ImageRecord) -> String {
    match (&row.tag, &row.digest) {
        (Some(tag), _) => format!("{}:{tag}", row.repository),
        (None, Some(digest)) => format!("{}@{digest}", row.repository),
        (None, None) => row.repository.clone(),
    }
}

#[cfg(test)]
#[path = "remove_tests.rs"]
mod tests;
