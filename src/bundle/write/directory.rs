//! A bundle as a directory: blobs under another name until they are whole and on the disk, names
//! last.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::content::{self, Content, OCI_LAYOUT};
use super::feed::Feed;
use super::laid::Taken;
use super::medium::Medium;
use super::options::{Finished, WriteOptions};
use crate::bundle::disk::{Disk, DiskFile, folder_of, read_small, replace};
use crate::bundle::index::{self, Entry, INDEX_LIMIT};
use crate::bundle::lock::Lock;
use crate::bundle::record::{External, RECORD_LIMIT, Record};
use crate::bundle::tar_map::blob_path;
use crate::bundle::{BundleError, bundle_reference};
use crate::content::{Begun, Code, Failure, Held, Plan, Retry};
use crate::oci::{Descriptor, Digest, Hasher, RawManifest, Reference};

/// Writes a directory.
pub(super) struct DirectoryWriter {
    disk: Arc<dyn Disk>,
    path: Utf8PathBuf,
    options: WriteOptions,
    /// The names and the record that are there.
    entries: Vec<Entry>,
    record: Option<Record>,
    external: HashSet<Digest>,
    state: Mutex<State>,
    _lock: Lock,
}

#[derive(Default)]
struct State {
    plan: Plan,
    /// Blobs and manifests that were hashed in this run and lie under their names.
    whole: HashMap<Digest, u64>,
    /// Why nothing more can be written.
    broken: Option<Failure>,
    /// Folders with names that may not be on the disk yet.
    folders: BTreeSet<Utf8PathBuf>,
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
        refuse_strangers(&*disk, path)?;
        let own = path.join(".airbuoy");
        for folder in [own.join("partial"), path.join("blobs/sha256")] {
            disk.create_dir_all(&folder)
                .map_err(|e| BundleError::io(&folder, "make the folder", e))?;
        }
        let lock = super::writer::locked(path, Lock::lasting(&own.join("lock")))?;
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
            _lock: lock,
            disk,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io<'a>(
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
        let name = format!("{}-{}", digest.algorithm().as_str(), digest.hex());
        self.path.join(".airbuoy/partial").join(name)
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
        let manifests = content.manifests.values();
        let manifests = manifests.map(|m| (m.digest(), m.bytes().len() as u64));
        let mut needed = 0u64;
        for (digest, size) in content.blobs.iter().map(|(d, s)| (d, *s)).chain(manifests) {
            if self.size(&self.whole_path(digest))? != Some(size) {
                let begun = self.disk.allocated(&self.partial_path(digest));
                needed = needed.saturating_add(size.saturating_sub(begun));
            }
        }
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
        let upload = |from| DirectoryUpload {
            writer: self.clone(),
            digest: blob.digest.clone(),
            size: blob.size,
            from,
        };
        Ok(match self.take(&blob.digest, blob.size)? {
            Taken::Whole => Begun::Mounted,
            Taken::Part(held) if held.bytes == 0 => Begun::Upload(upload(0)),
            Taken::Part(held) => Begun::Partial(upload(held.bytes), held),
        })
    }

    /// Writes a manifest as the blob that it is in a layout.
    pub(super) fn put_manifest(&self, manifest: &RawManifest) -> Result<(), Failure> {
        self.broken()?;
        let (digest, bytes) = (manifest.digest(), manifest.bytes());
        if self.state().whole.contains_key(digest) {
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

    /// Writes the names of `done` and the record, when all that they need is on the disk.
    pub(super) fn finish(&self, done: &[Reference]) -> Result<Finished, BundleError> {
        let plan = std::mem::take(&mut self.state().plan);
        let content = Content::of(&plan, &self.options, Some(done));
        self.sound(&content)?;
        let folders = std::mem::take(&mut self.state().folders);
        for folder in folders.iter().chain([&self.path.join("blobs")]) {
            self.sync_dir(folder)?;
        }

        let mut entries = self.entries.clone();
        entries.retain(|old| content.entries.iter().all(|new| !same_name(old, new)));
        entries.extend(content.entries);
        let named = done.iter().filter_map(|name| {
            let is = |entry: &&Entry| entry.reference().as_ref() == Some(name);
            entries.iter().find(is).cloned()
        });
        let named: Vec<Entry> = named.collect();
        let newer = content::record(&self.options, &named, &content.external);
        let mut record = match self.record.clone() {
            Some(mut record) => {
                record.merge(newer);
                record
            }
            None => newer,
        };
        let carried = |external: &External| self.state().whole.contains_key(&external.digest);
        record.external.retain(|external| !carried(external));
        self.put("oci-layout", OCI_LAYOUT)?;
        self.put("airbuoy.json", &record.to_bytes())?;
        self.put("index.json", &index::to_bytes(&entries))?;
        self.sync_dir(&self.path)?;

        if plan.roots.iter().all(|(name, _)| done.contains(name)) {
            self.clear_partial();
        }
        Ok(Finished {
            files: vec![self.path.clone()],
            bytes: self.state().whole.values().sum(),
        })
    }

    fn sound(&self, content: &Content) -> Result<(), BundleError> {
        let state = self.state();
        if let Some(failure) = &state.broken {
            return Err(BundleError::Structure {
                bundle: self.path.clone(),
                reason: format!("it could not be written: {failure}"),
                hint: failure.hint_text().map(str::to_owned),
            });
        }
        let mut needed = content.manifests.keys().chain(content.blobs.keys());
        match needed.find(|digest| !state.whole.contains_key(*digest)) {
            None => Ok(()),
            Some(digest) => Err(BundleError::Missing {
                bundle: self.path.clone(),
                digest: digest.clone(),
            }),
        }
    }

    /// Replaces a small file, unless it says the same already.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let path = self.path.join(name);
        if let Ok(Some(there)) = read_small(&*self.disk, &path, bytes.len())
            && there == bytes
        {
            return Ok(());
        }
        replace(&*self.disk, &path, bytes).map_err(Self::io(&path, "write"))
    }

    fn sync_dir(&self, folder: &Utf8Path) -> Result<(), BundleError> {
        self.disk.sync_dir(folder).map_err(Self::io(folder, "sync"))
    }

    /// Beginnings of blobs that nothing needs any more.
    fn clear_partial(&self) {
        let folder = self.path.join(".airbuoy/partial");
        for name in self.disk.list(&folder).unwrap_or_default() {
            let _ = self.disk.remove(&folder.join(name));
        }
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
                .about(&self.digest.into())
                .retry(Retry::Backoff),
        )
    }
}

/// Files of someone else are not to be mixed with a bundle's.
fn refuse_strangers(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    let refuse = |reason: &str, hint: &str| {
        Err(BundleError::Structure {
            bundle: path.to_owned(),
            reason: reason.to_owned(),
            hint: Some(hint.to_owned()),
        })
    };
    let size = disk.size(path);
    if size
        .map_err(|e| BundleError::io(path, "look at", e))?
        .is_some()
    {
        return refuse(
            "it is a file, and not named NAME.tar",
            "a bundle is a directory, or one file NAME.tar",
        );
    }
    let names = disk.list(path);
    let names = names.map_err(|e| BundleError::io(path, "list", e))?;
    let known = |name: &String| [".airbuoy", "oci-layout", "index.json"].contains(&name.as_str());
    if names.is_empty() || names.iter().any(known) {
        return Ok(());
    }
    refuse(
        "the directory is not empty and is no image layout",
        "name a new directory, or NAME.tar for one file",
    )
}

fn same_name(a: &Entry, b: &Entry) -> bool {
    let reference = |entry: &Entry| {
        let digest = &entry.descriptor.digest;
        bundle_reference(&entry.repository, entry.tag.as_deref(), digest)
    };
    reference(a) == reference(b)
}
