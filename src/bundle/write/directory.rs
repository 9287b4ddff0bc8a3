//! A bundle as a directory: blobs under another name until they are whole and on the disk, names
//! last.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::content::Content;
use super::directory_names;
use super::feed::Feed;
use super::laid::Taken;
use super::medium::Medium;
use super::options::WriteOptions;
use crate::bundle::BundleError;
use crate::bundle::disk::{Disk, DiskFile, folder_of, read_small};
use crate::bundle::index::{self, Entry, INDEX_LIMIT};
use crate::bundle::links::refuse_links;
use crate::bundle::lock::Lock;
use crate::bundle::record::{RECORD_LIMIT, Record};
use crate::bundle::tar_map::blob_path;
use crate::content::{Begun, Code, Failure, Held, Plan, Retry};
use crate::oci::{Descriptor, Digest, Hasher, RawManifest, Reference};

/// What is written to, in or under.
const OWN: [&str; 8] = [
    ".airbuoy",
    ".airbuoy/partial",
    "blobs",
    "blobs/sha256",
    "blobs/sha512",
    "oci-layout",
    "airbuoy.json",
    "index.json",
];

/// Writes a directory.
pub(super) struct DirectoryWriter {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: Utf8PathBuf,
    pub(super) options: WriteOptions,
    /// The names and the record that are there.
    pub(super) entries: Vec<Entry>,
    pub(super) record: Option<Record>,
    external: HashSet<Digest>,
    state: Mutex<State>,
    /// Held while a manifest is written: two names may share one digest, and so one partial file.
    manifests: Mutex<()>,
    _lock: Lock,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) plan: Plan,
    /// Blobs and manifests that were hashed in this run and lie under their names.
    pub(super) whole: HashMap<Digest, u64>,
    /// Why nothing more can be written.
    pub(super) broken: Option<Failure>,
    /// Blobs with an open upload.
    busy: HashSet<Digest>,
    /// Folders with names that may not be on the disk yet.
    pub(super) folders: BTreeSet<Utf8PathBuf>,
}

/// A blob on its way into the directory.
pub(super) struct DirectoryUpload {
    writer: Arc<DirectoryWriter>,
    digest: Digest,
    size: u64,
    from: u64,
}

impl DirectoryWriter {
    pub(super) fn open(
        path: &Utf8Path,
        options: WriteOptions,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, BundleError> {
        directory_names::refuse_strangers(&*disk, path)?;
        refuse_own_links(path)?;
        let own = path.join(".airbuoy");
        for folder in [own.join("partial"), path.join("blobs/sha256")] {
            disk.create_dir_all(&folder)
                .map_err(|e| BundleError::io(&folder, "make the folder", e))?;
        }
        let lock = Lock::folder(path).map_err(|error| error.of(path))?;
        let read = |name: &str, limit: u64| {
            let file = path.join(name);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            read_small(&*disk, &file, limit).map_err(|e| BundleError::io(&file, "read", e))
        };
        let stem = path.file_name().unwrap_or("bundle");
        let entries = match read("index.json", INDEX_LIMIT)? {
            Some(bytes) => index::parse(&bytes, path.as_str(), stem)?,
            None => Vec::new(),
        };
        let record = match read("airbuoy.json", RECORD_LIMIT)? {
            Some(bytes) => Some(Record::parse(&bytes, path.as_str())?),
            None => None,
        };
        Ok(Self {
            path: path.to_owned(),
            external: options.external.iter().map(|e| e.digest.clone()).collect(),
            options,
            entries,
            record,
            state: Mutex::default(),
            manifests: Mutex::default(),
            _lock: lock,
            disk,
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn io<'a>(
        path: &'a Utf8Path,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> BundleError + 'a {
        move |error| BundleError::io(path, action, error)
    }

    fn broken(&self) -> Result<(), Failure> {
        self.state().broken.clone().map_or(Ok(()), Err)
    }

    /// Remembers that the disk takes no more.
    fn fail(&self, error: BundleError) -> Failure {
        let failure = Failure::from(error);
        self.state().broken.get_or_insert(failure).clone()
    }

    fn whole_path(&self, digest: &Digest) -> Utf8PathBuf {
        self.path.join(blob_path(digest))
    }

    fn partial_path(&self, digest: &Digest) -> Utf8PathBuf {
        partial_path(&self.path, digest)
    }

    fn size(&self, path: &Utf8Path) -> Result<Option<u64>, BundleError> {
        self.disk.size(path).map_err(Self::io(path, "look at"))
    }

    /// The manifest that the directory's index gives the name to, when it is there.
    pub(super) fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        // A delta's names are not complete by themselves: without the same base all is looked at.
        let mut left_out = self.record.iter().flat_map(|record| &record.external);
        if left_out.any(|external| !self.external.contains(&external.digest)) {
            return Ok(None);
        }
        let named = |entry: &&Entry| entry.reference().as_ref() == Some(reference);
        let Some(entry) = self.entries.iter().find(named) else {
            return Ok(None);
        };
        let digest = &entry.descriptor.digest;
        let size = self.size(&self.whole_path(digest))?;
        Ok((size == Some(entry.descriptor.size)).then(|| digest.clone()))
    }

    /// Checks the space for what is not there.
    pub(super) fn prepare(&self, plan: &Plan) -> Result<(), Failure> {
        let content = Content::of(plan, &self.options, None);
        let needed = needed(&*self.disk, &self.path, &content)?;
        super::writer::check_space(&*self.disk, &self.path, needed)?;
        self.state().plan = plan.clone();
        Ok(())
    }

    /// Whether the blob is there, whole and hashed.
    pub(super) fn has(&self, blob: &Descriptor) -> Result<bool, Failure> {
        if self.external.contains(&blob.digest) {
            return Ok(true);
        }
        let is_size = |path: &Utf8Path| Ok::<_, BundleError>(self.size(path)? == Some(blob.size));
        let worth_hashing = self.state().whole.contains_key(&blob.digest)
            || is_size(&self.whole_path(&blob.digest))?
            || is_size(&self.partial_path(&blob.digest))?;
        Ok(worth_hashing && matches!(self.take(&blob.digest, blob.size)?, Taken::Whole))
    }

    /// What is there of a blob, hashed. What turns out to be something else is written anew.
    fn take(&self, digest: &Digest, size: u64) -> Result<Taken, Failure> {
        self.broken()?;
        if self.state().whole.contains_key(digest) {
            return Ok(Taken::Whole);
        }
        let whole = self.whole_path(digest);
        if self.size(&whole)? == Some(size)
            && self
                .hash(&whole, size, digest)?
                .map(Hasher::finish)
                .as_ref()
                == Some(digest)
        {
            self.landed(digest, size);
            return Ok(Taken::Whole);
        }
        let partial = self.partial_path(digest);
        let held = self.size(&partial)?.filter(|held| *held <= size);
        if let Some(bytes) = held
            && let Some(hasher) = self.hash(&partial, bytes, digest)?
        {
            if bytes < size {
                return Ok(Taken::Part(Held { bytes, hasher }));
            }
            if hasher.finish() == *digest {
                let opened = self.disk.open(&partial);
                let file = opened.map_err(Self::io(&partial, "open"))?;
                self.publish(&*file, digest, size)
                    .map_err(|error| self.fail(error))?;
                return Ok(Taken::Whole);
            }
        }
        Ok(Taken::Part(Held {
            bytes: 0,
            hasher: Hasher::new(digest.algorithm()),
        }))
    }

    fn hash(
        &self,
        path: &Utf8Path,
        size: u64,
        digest: &Digest,
    ) -> Result<Option<Hasher>, BundleError> {
        let file = [(path.to_owned(), size)];
        match Medium::open(&*self.disk, &file, false)? {
            Some(medium) => medium.hash(0, size, digest, |_, _| Ok(())),
            None => Ok(None),
        }
    }

    /// Puts a whole blob on the disk and gives it its name.
    fn publish(&self, file: &dyn DiskFile, digest: &Digest, size: u64) -> Result<(), BundleError> {
        let partial = self.partial_path(digest);
        file.sync_all().map_err(Self::io(&partial, "sync"))?;
        let whole = self.whole_path(digest);
        let folder = folder_of(&whole);
        self.disk
            .create_dir_all(folder)
            .map_err(Self::io(folder, "make the folder"))?;
        self.disk
            .rename(&partial, &whole)
            .map_err(Self::io(&whole, "rename to"))?;
        self.landed(digest, size);
        Ok(())
    }

    fn landed(&self, digest: &Digest, size: u64) {
        let mut state = self.state();
        state.whole.insert(digest.clone(), size);
        // Also for what an earlier run renamed: it may have died before it synced the folder.
        state
            .folders
            .insert(folder_of(&self.whole_path(digest)).to_owned());
    }

    /// Opens the upload of a blob, unless it is there.
    pub(super) fn begin(
        self: &Arc<Self>,
        blob: &Descriptor,
    ) -> Result<Begun<DirectoryUpload>, Failure> {
        if self.external.contains(&blob.digest) {
            return Ok(Begun::Mounted);
        }
        Ok(match self.take(&blob.digest, blob.size)? {
            Taken::Whole => Begun::Mounted,
            Taken::Part(held) if held.bytes == 0 => Begun::Upload(self.upload(blob, 0)?),
            Taken::Part(held) => Begun::Partial(self.upload(blob, held.bytes)?, held),
        })
    }

    fn upload(self: &Arc<Self>, blob: &Descriptor, from: u64) -> Result<DirectoryUpload, Failure> {
        let digest = blob.digest.clone();
        if !self.state().busy.insert(digest.clone()) {
            return Err(super::writer::busy(self.path.as_str(), &digest));
        }
        Ok(DirectoryUpload {
            writer: self.clone(),
            digest,
            size: blob.size,
            from,
        })
    }

    /// Writes a manifest as the blob that it is in a layout.
    pub(super) fn put_manifest(&self, manifest: &RawManifest) -> Result<(), Failure> {
        let (digest, bytes) = (manifest.digest(), manifest.bytes());
        let held = self.manifests.lock();
        let _held = held.unwrap_or_else(PoisonError::into_inner);
        if let Taken::Whole = self.take(digest, bytes.len() as u64)? {
            return Ok(());
        }
        let write = || {
            let partial = self.partial_path(digest);
            let file = self.disk.create(&partial);
            let file = file.map_err(Self::io(&partial, "create"))?;
            file.write_at(0, bytes)
                .map_err(Self::io(&partial, "write"))?;
            self.publish(&*file, digest, bytes.len() as u64)
        };
        write().map_err(|error| self.fail(error))
    }
}

/// Refuses to write through links.
pub(super) fn refuse_own_links(bundle: &Utf8Path) -> Result<(), BundleError> {
    refuse_links(bundle, OWN.map(|name| bundle.join(name)))
}

fn partial_path(bundle: &Utf8Path, digest: &Digest) -> Utf8PathBuf {
    let name = format!("{}-{}", digest.algorithm().as_str(), digest.hex());
    bundle.join(".airbuoy/partial").join(name)
}

/// Bytes of `content` that the directory lacks.
pub(super) fn needed(
    disk: &dyn Disk,
    bundle: &Utf8Path,
    content: &Content,
) -> Result<u64, BundleError> {
    let manifests = content.manifests.values();
    let manifests = manifests.map(|m| (m.digest(), m.bytes().len() as u64));
    let mut needed = 0u64;
    for (digest, size) in content.blobs.iter().map(|(d, s)| (d, *s)).chain(manifests) {
        let whole = bundle.join(blob_path(digest));
        let found = disk.size(&whole);
        if found.map_err(DirectoryWriter::io(&whole, "look at"))? != Some(size) {
            let begun = disk.allocated(&partial_path(bundle, digest));
            needed = needed.saturating_add(size.saturating_sub(begun));
        }
    }
    Ok(needed)
}

impl Drop for DirectoryUpload {
    fn drop(&mut self) {
        self.writer.state().busy.remove(&self.digest);
    }
}

impl DirectoryUpload {
    /// Writes what the feed brings; whole, it gets its name.
    pub(super) fn fill(self, mut feed: Feed) -> Result<(), Failure> {
        let writer = &self.writer;
        let path = writer.partial_path(&self.digest);
        let opened = if self.from == 0 {
            writer.disk.create(&path)
        } else {
            writer.disk.open(&path)
        };
        let file = opened.map_err(|e| writer.fail(BundleError::io(&path, "open", e)))?;
        let mut at = self.from;
        while let Some(batch) = feed.next() {
            let bytes = match batch {
                Ok(bytes) => bytes,
                Err(failure) => {
                    if matches!(failure.code(), Code::DigestMismatch | Code::SizeMismatch) {
                        let _ = writer.disk.remove(&path);
                    }
                    return Err(failure);
                }
            };
            writer.broken()?;
            file.write_at(at, bytes)
                .map_err(|e| writer.fail(BundleError::io(&path, "write", e)))?;
            at += bytes.len() as u64;
        }
        if at == self.size {
            return writer
                .publish(&*file, &self.digest, self.size)
                .map_err(|error| writer.fail(error));
        }
        let message = format!("the blob ended after {at} of {} bytes", self.size);
        Err(
            Failure::new(Code::Interrupted, writer.path.as_str(), message)
                .about(&self.digest.clone().into())
                .retry(Retry::Backoff),
        )
    }
}
