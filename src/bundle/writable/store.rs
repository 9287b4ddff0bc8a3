//! The [`Store`] itself: looks things up in the visible state, and hands changes to the committer.

use std::io;
use std::sync::{Arc, PoisonError, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use camino::Utf8Path;

use super::change::Change;
use super::committer::{Committer, Visible, store_error};
use super::files::Files;
use super::held::Held;
use super::known::Known;
use super::load::MANIFEST_LIMIT;
use super::open::{now, sweep};
use super::reader::FileBlob;
use super::room::{Announced, Room};
use super::state::State;
use super::upload::{DirectoryUpload, blocking};
use crate::bundle::index::Entry;
use crate::bundle::record::Record;
use crate::content::{Store, StoreError};
use crate::oci::{Algorithm, Digest, RawManifest, Referrer, TagOrDigest};

/// A bundle directory that is served and takes pushes. Whoever drops it waits until what was
/// begun is on the disk.
pub struct DirectoryStore {
    files: Files,
    visible: Visible,
    committer: Committer,
    room: Arc<Room>,
    known: Known,
    keep: Duration,
    record: Option<Record>,
    /// The directory, as errors name it.
    name: Arc<str>,
}

impl DirectoryStore {
    pub(super) fn new(
        files: Files,
        visible: Visible,
        committer: Committer,
        room: Arc<Room>,
        keep: Duration,
        record: Option<Record>,
    ) -> Self {
        let name = files.root().as_str().into();
        Self {
            files,
            visible,
            committer,
            room,
            known: Known::default(),
            keep,
            record,
            name,
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        self.files.root()
    }

    /// What the directory was made for, when it was made by a pull.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// What `index.json` names now.
    pub fn entries(&self) -> Vec<Entry> {
        self.state().entries()
    }

    /// Removes blobs that nobody has needed for [`StoreOptions::keep`](super::StoreOptions).
    /// Opening the directory has done it once.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let (files, keep) = (self.files.clone(), self.keep);
        let change = blocking(move || sweep(&files, keep).map_err(store_error)).await?;
        self.committer.change(change, None).await?;
        Ok(())
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.visible.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a manifest.
    async fn read(&self, held: &Arc<Held>) -> Result<Option<RawManifest>, StoreError> {
        if let Some(manifest) = self.known.get(held.digest()) {
            return Ok(Some(manifest));
        }
        let (files, wanted) = (self.files.clone(), Arc::clone(held));
        let read = blocking(move || {
            let path = files.blob(wanted.digest());
            let bytes = files.read(&path, MANIFEST_LIMIT).map_err(store_error)?;
            let Some(bytes) = bytes else { return Ok(None) };
            if !wanted.digest().matches(&bytes) {
                return Err(StoreError::Io(format!("{path} is damaged")));
            }
            let announced = Some(&*wanted.descriptor.media_type);
            let digest = Some(wanted.digest().clone());
            Ok(Some(RawManifest::with_digest(bytes, announced, digest)?))
        });
        let read = read.await?;
        if let Some(manifest) = &read {
            self.known.insert(manifest);
        }
        Ok(read)
    }
}

impl Store for DirectoryStore {
    type Blob = FileBlob;
    type Upload = DirectoryUpload;

    async fn repositories(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.state().repositories.keys().cloned().collect())
    }

    async fn has_repository(&self, repository: &str) -> Result<bool, StoreError> {
        Ok(self.state().repositories.contains_key(repository))
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<Option<RawManifest>, StoreError> {
        let held = self.state().manifest(repository, reference).cloned();
        let Some(held) = held else { return Ok(None) };
        if let Some(manifest) = self.read(&held).await? {
            return Ok(Some(manifest));
        }
        // Deleted meanwhile, or gone from the disk.
        let digest = TagOrDigest::from(held.digest());
        if self.state().manifest(repository, &digest).is_none() {
            return Ok(None);
        }
        let path = self.files.blob(held.digest());
        Err(StoreError::Io(format!("{path} is not there")))
    }

    async fn blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<FileBlob>, StoreError> {
        let Some(size) = self.state().blob(repository, digest) else {
            return Ok(None);
        };
        let (files, digest) = (self.files.clone(), digest.clone());
        let file = blocking(move || match files.disk().open_read(&files.blob(&digest)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(store_error(error)),
        });
        let file = file.await?;
        Ok(file.map(|file| FileBlob::new(file, size, Arc::clone(&self.name))))
    }

    async fn tags(&self, repository: &str) -> Result<Vec<String>, StoreError> {
        let state = self.state();
        let here = state.repositories.get(repository);
        Ok(here.map_or_else(Vec::new, |here| here.tags.keys().cloned().collect()))
    }

    async fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, StoreError> {
        let state = self.state();
        let Some(here) = state.repositories.get(repository) else {
            return Ok(Vec::new());
        };
        let all = here
            .manifests
            .values()
            .filter_map(|held| held.referrer.as_ref());
        let referrers = all.filter(|referrer| referrer.subject == *digest);
        Ok(referrers.cloned().collect())
    }

    async fn begin(
        &self,
        repository: &str,
        algorithm: Algorithm,
    ) -> Result<DirectoryUpload, StoreError> {
        let upload = DirectoryUpload::new(&self.files, &self.room, repository, algorithm);
        Ok(upload)
    }

    async fn expect(&self, upload: &mut DirectoryUpload, length: u64) -> Result<(), StoreError> {
        upload.expect(length).await
    }

    async fn append(&self, upload: &mut DirectoryUpload, chunk: Bytes) -> Result<(), StoreError> {
        upload.append(chunk).await
    }

    async fn commit(&self, upload: DirectoryUpload, digest: &Digest) -> Result<(), StoreError> {
        let received = upload.finish(digest).await?;
        let link = Change::Link {
            repository: received.repository,
            digest: digest.clone(),
            size: received.size,
            at: now(),
        };
        self.committer.change(link, Some(received.file)).await?;
        Ok(())
    }

    async fn mount(
        &self,
        repository: &str,
        digest: &Digest,
        from: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mount = Change::Mount {
            repository: repository.to_owned(),
            digest: digest.clone(),
            from: from.map(str::to_owned),
            at: now(),
        };
        self.committer.change(mount, None).await
    }

    async fn put_manifest(
        &self,
        repository: &str,
        manifest: RawManifest,
        tags: &[Arc<str>],
    ) -> Result<(), StoreError> {
        let held = Arc::new(Held::new(&manifest)?);
        let (files, room, content) = (self.files.clone(), Arc::clone(&self.room), manifest.clone());
        let file = blocking(move || {
            let mut announced = Announced::nothing(&room);
            announced.set(content.bytes().len() as u64)?;
            let write = || {
                let (file, temporary) = files.temporary()?;
                file.write_at(0, content.bytes())?;
                files.sync_file(&*file)?;
                Ok(temporary)
            };
            write().map_err(store_error)
        });
        let put = Change::Put {
            repository: repository.to_owned(),
            held,
            tags: tags.to_vec(),
        };
        self.committer.change(put, Some(file.await?)).await?;
        self.known.insert(&manifest);
        Ok(())
    }

    async fn delete_manifest(
        &self,
        repository: &str,
        reference: &TagOrDigest,
    ) -> Result<bool, StoreError> {
        let repository = repository.to_owned();
        let change = match reference {
            TagOrDigest::Tag(tag) => Change::Untag {
                repository,
                tag: tag.clone(),
            },
            TagOrDigest::Digest(digest) => Change::Remove {
                repository,
                digest: digest.clone(),
                at: now(),
            },
        };
        self.committer.change(change, None).await
    }

    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<bool, StoreError> {
        let unlink = Change::Unlink {
            repository: repository.to_owned(),
            digest: digest.clone(),
        };
        self.committer.change(unlink, None).await
    }
}
