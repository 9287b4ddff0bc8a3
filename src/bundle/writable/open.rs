//! Opens a bundle directory to take pushes, or makes one.

use std::io;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::Utf8Path;

use super::committer::Committer;
use super::files::{ALGORITHMS, Files};
use super::load::load;
use super::repository::Moment;
use super::room::Room;
use super::store::DirectoryStore;
use crate::bundle::disk::RealDisk;
use crate::bundle::error::BundleError;
use crate::bundle::index::{self, Entry, INDEX_LIMIT};
use crate::bundle::links::refuse_links;
use crate::bundle::lock::Lock;
use crate::bundle::record::{RECORD_LIMIT, Record};
use crate::bundle::write::OCI_LAYOUT;

/// How a directory is kept.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Answer a write only when it would survive a loss of power. Without it what was answered
    /// survives the end of the process, not that of the machine.
    pub sync: bool,
    /// How long blobs are kept that no manifest needs: a client may still be about to push it.
    pub keep: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            sync: true,
            // No client takes longer between a blob and its manifest; a person who tries again
            // the next morning still finds the blobs.
            keep: Duration::from_hours(24),
        }
    }
}

impl DirectoryStore {
    /// Opens the bundle directory at `path`, made when there is none, and sweeps it. Nobody else
    /// may write or serve it meanwhile. Blocks.
    pub fn open(path: &Utf8Path, options: &StoreOptions) -> Result<Self, BundleError> {
        let files = Files::new(Arc::new(RealDisk), path, options.sync);
        refuse_others(&files)?;
        let lock = lock(&files)?;
        Self::start(files, options, Some(lock))
    }

    /// As [`open`](Self::open), on any disk; `lock` is held until the store ends.
    pub(super) fn start(
        files: Files,
        options: &StoreOptions,
        lock: Option<Lock>,
    ) -> Result<Self, BundleError> {
        prepare(&files)?;
        let entries = read_index(&files)?.unwrap_or_default();
        let record = read_record(&files)?;
        let state = load(&files, &entries)?;
        let visible = Arc::new(RwLock::new(state.clone()));
        let failed = |action, error| BundleError::io(files.root(), action, error);
        let swept = sweep(&files, options.keep).map_err(|e| failed("list", e))?;
        let committer = Committer::start(files.clone(), state, Arc::clone(&visible), swept, lock);
        let committer = committer.map_err(|e| failed("write", e))?;
        let room = Room::new(files.clone());
        Ok(Self::new(
            files,
            visible,
            committer,
            room,
            options.keep,
            record,
        ))
    }
}

/// The change that sweeps: what was of no use to anyone `keep` ago goes.
pub(super) fn sweep(files: &Files, keep: Duration) -> io::Result<super::change::Change> {
    let at = now();
    Ok(super::change::Change::Sweep {
        found: files.list_blobs()?,
        before: at.saturating_sub(keep.as_secs()),
        at,
    })
}

/// This machine's clock.
pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Takes the directory's lock for one writer.
pub(in crate::bundle) fn lock(files: &Files) -> Result<Lock, BundleError> {
    plain(files)?;
    Lock::folder(files.root()).map_err(|error| error.of(files.root()))
}

/// The entries of `index.json`; `None` when there is none.
pub(in crate::bundle) fn read_index(files: &Files) -> Result<Option<Vec<Entry>>, BundleError> {
    let path = files.index();
    let limit = usize::try_from(INDEX_LIMIT).unwrap_or(usize::MAX);
    let bytes = files
        .read(&path, limit)
        .map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => BundleError::Structure {
                bundle: files.root().to_owned(),
                reason: format!(
                    "its index.json has more than the {INDEX_LIMIT} bytes that are read"
                ),
                hint: None,
            },
            _ => BundleError::io(&path, "read", error),
        })?;
    let stem = files.root().file_name().unwrap_or("bundle");
    let parse = |bytes: bytes::Bytes| index::parse(&bytes, files.root().as_str(), stem);
    bytes.map(parse).transpose()
}

/// `airbuoy.json`; `None` when there is none.
pub(in crate::bundle) fn read_record(files: &Files) -> Result<Option<Record>, BundleError> {
    let path = files.record();
    let limit = usize::try_from(RECORD_LIMIT).unwrap_or(usize::MAX);
    let bytes = files.read(&path, limit);
    let bytes = bytes.map_err(|error| BundleError::io(&path, "read", error))?;
    let parse = |bytes: bytes::Bytes| Record::parse(&bytes, files.root().as_str());
    bytes.map(parse).transpose()
}

/// Refuses what is no bundle directory, before anything is written into it.
fn refuse_others(files: &Files) -> Result<(), BundleError> {
    let root = files.root();
    let disk = files.disk();
    if root.is_file() {
        return Err(BundleError::refused(
            root,
            "only a directory takes pushes, and this is a file",
            "serve it without --writable, or unpack it with tar xf and serve the directory",
        ));
    }
    let names = disk
        .list(root)
        .map_err(|e| BundleError::io(root, "list", e))?;
    let ours = ["oci-layout", "index.json", "blobs"];
    let is_bundle = names.iter().any(|name| ours.contains(&&**name));
    // A disk of its own has `lost+found`; a folder that was made in advance may hold hidden files.
    let is_empty = names
        .iter()
        .all(|name| name.starts_with('.') || name == "lost+found");
    if is_bundle || is_empty {
        Ok(())
    } else {
        Err(BundleError::refused(
            root,
            "it holds other files and is no bundle",
            "name a bundle, an empty directory, or one that does not exist yet",
        ))
    }
}

/// Refuses a directory in which a name of ours is a link: what is written there, or swept, would be
/// another folder of this machine. The directory itself may be one.
fn plain(files: &Files) -> Result<(), BundleError> {
    let blobs = files.root().join("blobs");
    let ours = [blobs, files.private(), files.uploads(), files.links()];
    let folders = ALGORITHMS.map(|algorithm| files.blobs(algorithm));
    let lists = [files.layout(), files.index(), files.record()];
    refuse_links(files.root(), ours.into_iter().chain(folders).chain(lists))
}

/// Makes what a bundle directory must have, and removes what killed runs left.
fn prepare(files: &Files) -> Result<(), BundleError> {
    let make = |folder: &Utf8Path| {
        let made = files.disk().create_dir_all(folder);
        made.map_err(|error| BundleError::io(folder, "make", error))
    };
    ALGORITHMS
        .iter()
        .try_for_each(|algorithm| make(&files.blobs(*algorithm)))?;
    make(&files.uploads())?;
    let failed = |error| BundleError::io(files.root(), "write", error);
    let write = |path: &Utf8Path, bytes: &[u8]| -> io::Result<()> {
        if files.disk().size(path)?.is_none() {
            files.replace(path, bytes)?;
        }
        Ok(())
    };
    let all = || -> io::Result<()> {
        files.remove_uploads()?;
        write(&files.layout(), OCI_LAYOUT)?;
        write(&files.index(), &index::to_bytes(&[]))?;
        for folder in [files.root().join("blobs"), files.private()] {
            files.sync_folder(&folder)?;
        }
        files.sync_folder(files.root())
    };
    all().map_err(failed)
}
