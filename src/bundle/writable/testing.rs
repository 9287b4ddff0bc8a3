//! A disk in memory that forgets what was not synced, and a small world of content to push.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use futures_util::TryStreamExt;

use super::StoreOptions;
use super::files::Files;
use super::state::State;
use super::store::DirectoryStore;
use crate::bundle::disk::{Disk, DiskFile};
use crate::content::{BlobReader, Store, StoreError};
use crate::oci::{Algorithm, Digest, Hasher, RawManifest, TagOrDigest, media_type};

/// What a crash leaves.
#[derive(Debug, Clone, Copy)]
pub(in crate::bundle) enum Crash {
    /// The process died: everything that it wrote is there.
    Kill,
    /// The power was cut, and nothing is there but what was synced.
    Power,
    /// The power was cut, and of what was not synced some is there; by this seed.
    Some(u64),
}

/// Files in memory, each beside what of it would survive.
#[derive(Clone)]
pub(in crate::bundle) struct MemoryDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    names: BTreeMap<Utf8PathBuf, Content>,
    durable: BTreeMap<Utf8PathBuf, Content>,
    folders: BTreeSet<Utf8PathBuf>,
    available: Option<u64>,
    /// Operations that change something, as far as they went.
    log: Vec<String>,
    /// From this operation on nothing works.
    cut_at: Option<usize>,
    /// This operation fails, the next one works again.
    fail_at: Option<usize>,
    /// How long a sync takes.
    slow: Duration,
}

type Content = Arc<Mutex<TwoStates>>;

/// The bytes of a file: as written, and as synced.
#[derive(Default)]
struct TwoStates {
    written: Vec<u8>,
    synced: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics under it")
}

impl MemoryDisk {
    pub(in crate::bundle) fn new() -> Self {
        Self(Arc::default())
    }

    pub(in crate::bundle) fn files(&self) -> Files {
        Files::new(Arc::new(self.clone()), Utf8Path::new("/bundle"), true)
    }

    pub(in crate::bundle) fn open(&self, keep: Duration) -> DirectoryStore {
        let options = StoreOptions { sync: true, keep };
        DirectoryStore::start(self.files(), &options, None).expect("a bundle")
    }

    pub(in crate::bundle) fn set_available(&self, bytes: Option<u64>) {
        lock(&self.0).available = bytes;
    }

    pub(in crate::bundle) fn set_slow(&self, slow: Duration) {
        lock(&self.0).slow = slow;
    }

    /// From the operation `cut_at` on nothing works any more.
    pub(in crate::bundle) fn cut_at(&self, operation: usize) {
        lock(&self.0).cut_at = Some(operation);
    }

    /// The operation fails alone.
    pub(in crate::bundle) fn fail_at(&self, operation: usize) {
        lock(&self.0).fail_at = Some(operation);
    }

    pub(in crate::bundle) fn log(&self) -> Vec<String> {
        lock(&self.0).log.clone()
    }

    /// The names of all files.
    pub(in crate::bundle) fn names(&self) -> Vec<String> {
        let inner = lock(&self.0);
        inner.names.keys().map(ToString::to_string).collect()
    }

    /// Changes a file behind the store's back.
    pub(in crate::bundle) fn tamper(&self, path: &Utf8Path, change: impl FnOnce(&mut Vec<u8>)) {
        let inner = lock(&self.0);
        let content = inner.names.get(path).expect("a file of that name");
        let mut content = lock(content);
        change(&mut content.written);
        content.synced = content.written.clone();
    }

    /// The disk as it is found after a crash.
    pub(in crate::bundle) fn after(&self, crash: Crash) -> Self {
        let inner = lock(&self.0);
        let mut random = Random(match crash {
            Crash::Some(seed) => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            _ => 1,
        });
        let mut pick = || match crash {
            Crash::Kill => true,
            Crash::Power => false,
            Crash::Some(_) => random.next().is_multiple_of(2),
        };
        let all: BTreeSet<&Utf8PathBuf> = inner.names.keys().chain(inner.durable.keys()).collect();
        let mut names = BTreeMap::new();
        for name in all {
            let from = if pick() { &inner.names } else { &inner.durable };
            let Some(content) = from.get(name) else {
                continue;
            };
            let content = lock(content);
            let bytes = if pick() {
                &content.written
            } else {
                &content.synced
            };
            let bytes = TwoStates {
                written: bytes.clone(),
                synced: bytes.clone(),
            };
            names.insert(name.clone(), Arc::new(Mutex::new(bytes)));
        }
        Self(Arc::new(Mutex::new(Inner {
            durable: names.clone(),
            names,
            folders: inner.folders.clone(),
            ..Inner::default()
        })))
    }

    fn step(&self, what: String) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = lock(&self.0);
        let number = inner.log.len();
        if inner.cut_at.is_some_and(|cut| number >= cut) {
            return Err(io::Error::other("the power is cut"));
        }
        inner.log.push(what);
        if inner.fail_at == Some(number) {
            return Err(io::Error::other("the disk failed once"));
        }
        Ok(inner)
    }

    fn find(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let inner = lock(&self.0);
        let content = inner.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryFile {
            disk: self.clone(),
            path: path.to_owned(),
            content: Arc::clone(content),
        }))
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.step(format!("create {path}"))?;
        inner.names.insert(path.to_owned(), Content::default());
        drop(inner);
        self.find(path)
    }

    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        self.find(path)
    }

    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        self.find(path)
    }

    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>> {
        let inner = lock(&self.0);
        let content = inner.names.get(path);
        Ok(content.map(|content| lock(content).written.len() as u64))
    }

    fn allocated(&self, path: &Utf8Path) -> u64 {
        self.size(path).ok().flatten().unwrap_or_default()
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<String>> {
        let inner = lock(&self.0);
        let inside = inner
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        let names = inside.filter_map(|path| path.file_name());
        Ok(names.map(str::to_owned).collect())
    }

    fn create_dir_all(&self, folder: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("make {folder}"))?;
        inner.folders.insert(folder.to_owned());
        Ok(())
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("rename {from} {to}"))?;
        let content = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("remove {path}"))?;
        inner.names.remove(path);
        Ok(())
    }

    fn sync_dir(&self, folder: &Utf8Path) -> io::Result<()> {
        let mut inner = self.step(format!("sync {folder}"))?;
        let names = inner.names.clone();
        inner
            .durable
            .retain(|path, _| path.parent() != Some(folder));
        let inside = names
            .into_iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        inner.durable.extend(inside);
        Ok(())
    }

    fn available(&self, _folder: &Utf8Path) -> Option<u64> {
        lock(&self.0).available
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    path: Utf8PathBuf,
    content: Content,
}

impl DiskFile for MemoryFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let step = self.disk.step(format!("write {}", self.path));
        let mut content = lock(&self.content);
        let offset = usize::try_from(offset).expect("small files");
        // What fails may have got half-way.
        let length = if step.is_ok() { bytes.len() } else { 0 };
        let end = offset + length;
        if content.written.len() < end {
            content.written.resize(end, 0);
        }
        content.written[offset..end].copy_from_slice(&bytes[..length]);
        step.map(drop)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = lock(&self.content);
        let offset = usize::try_from(offset).expect("small files");
        let rest = content.written.get(offset..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).expect("small files");
        lock(&self.content).written.resize(length, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        let inner = self.disk.step(format!("sync {}", self.path))?;
        let slow = inner.slow;
        drop(inner);
        std::thread::sleep(slow);
        let mut content = lock(&self.content);
        content.synced = content.written.clone();
        Ok(())
    }
}

/// xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}

/// Repositories and tags of the world.
pub(in crate::bundle) const REPOSITORIES: [&str; 2] = ["a", "b/c"];
pub(in crate::bundle) const TAGS: [&str; 2] = ["t", "u"];

/// All that a test may push: few things, so that they meet.
pub(in crate::bundle) struct World {
    pub(in crate::bundle) blobs: Vec<(Digest, Bytes)>,
    pub(in crate::bundle) manifests: Vec<RawManifest>,
}

/// One thing that a client does; the numbers are places in the [`World`].
#[derive(Debug, Clone)]
pub(in crate::bundle) enum Act {
    Push(usize, usize),
    Mount(usize, usize, Option<usize>),
    Put(usize, usize, Vec<usize>),
    Untag(usize, usize),
    Remove(usize, usize),
    RemoveBlob(usize, usize),
}

impl World {
    pub(in crate::bundle) fn new() -> Self {
        let mut blobs: Vec<_> = ["zero", "one", "two", "three"]
            .map(|text| {
                (
                    Digest::of(text.as_bytes()),
                    Bytes::from_static(text.as_bytes()),
                )
            })
            .to_vec();
        let mut sha512 = Hasher::new(Algorithm::Sha512);
        sha512.update(b"zero");
        blobs.push((sha512.finish(), Bytes::from_static(b"zero")));
        let blob = |n: usize| blobs[n].0.clone();
        let first = image(&blob(0), &[blob(1), blob(1)], None);
        let second = image(&blob(0), &[blob(2), blob(4)], None);
        let refers = image(&blob(3), &[blob(0)], Some(first.digest()));
        let both = index(&[&first, &second]);
        let nested = index(&[&both]);
        let empty = index(&[]);
        Self {
            blobs,
            manifests: vec![first, second, refers, both, nested, empty],
        }
    }

    /// Does it, and tells how it went.
    pub(in crate::bundle) async fn act<S: Store>(
        &self,
        store: &S,
        act: &Act,
    ) -> Result<bool, StoreError> {
        match act {
            Act::Push(repository, blob) => {
                let (digest, bytes) = &self.blobs[*blob];
                let mut upload = store
                    .begin(REPOSITORIES[*repository], Algorithm::Sha256)
                    .await?;
                store.append(&mut upload, bytes.clone()).await?;
                store.commit(upload, digest).await.map(|()| true)
            }
            Act::Mount(repository, blob, from) => {
                let from = from.map(|from| REPOSITORIES[from]);
                let digest = &self.blobs[*blob].0;
                store.mount(REPOSITORIES[*repository], digest, from).await
            }
            Act::Put(repository, manifest, tags) => {
                let tags: Vec<Arc<str>> = tags.iter().map(|tag| TAGS[*tag].into()).collect();
                let manifest = self.manifests[*manifest].clone();
                let put = store.put_manifest(REPOSITORIES[*repository], manifest, &tags);
                put.await.map(|()| true)
            }
            Act::Untag(repository, tag) => {
                let tag = TagOrDigest::Tag(TAGS[*tag].into());
                store.delete_manifest(REPOSITORIES[*repository], &tag).await
            }
            Act::Remove(repository, manifest) => {
                let digest = self.manifests[*manifest].digest().into();
                store
                    .delete_manifest(REPOSITORIES[*repository], &digest)
                    .await
            }
            Act::RemoveBlob(repository, blob) => {
                let digest = &self.blobs[*blob].0;
                store.delete_blob(REPOSITORIES[*repository], digest).await
            }
        }
    }

    /// All that can be seen of a store, as text; panics when what is seen is not whole.
    pub(in crate::bundle) async fn look<S: Store>(&self, store: &S) -> Vec<String> {
        let all = store.repositories().await.expect("a list");
        let mut seen = vec![format!("{all:?}")];
        for repository in REPOSITORIES {
            let here = store.has_repository(repository).await.expect("an answer");
            seen.push(format!("{repository}: {here}"));
            for tag in store.tags(repository).await.expect("a list") {
                let tagged = TagOrDigest::Tag(tag.as_str().into());
                let manifest = store.manifest(repository, &tagged).await.expect("readable");
                let manifest = manifest.expect("a manifest behind its tag");
                seen.push(format!("{repository}:{tag} {}", manifest.digest()));
            }
            for manifest in &self.manifests {
                let digest = manifest.digest();
                let found = store.manifest(repository, &digest.into()).await;
                if let Some(found) = found.expect("readable") {
                    assert_eq!(&found, manifest);
                    seen.push(format!("{repository}@{digest}"));
                    self.look_below(store, repository, manifest).await;
                }
                let referrers = store.referrers(repository, digest).await.expect("a list");
                seen.extend(referrers.iter().map(|r| format!("{repository}: {r:?}")));
            }
            for (digest, bytes) in &self.blobs {
                if let Some(blob) = store.blob(repository, digest).await.expect("readable") {
                    assert_eq!(blob.size(), bytes.len() as u64);
                    let read: Vec<Bytes> = blob
                        .read(0, blob.size())
                        .try_collect()
                        .await
                        .expect("readable");
                    assert!(read.concat() == bytes[..]);
                    seen.push(format!("{repository}: {digest}"));
                }
            }
        }
        seen
    }

    /// A manifest that is there has everything that it names.
    async fn look_below<S: Store>(&self, store: &S, repository: &str, manifest: &RawManifest) {
        let named = manifest.successors().expect("readable");
        for blob in &named.blobs {
            let found = store
                .blob(repository, &blob.digest)
                .await
                .expect("readable");
            assert!(
                found.is_some(),
                "{} misses {}",
                manifest.digest(),
                blob.digest
            );
        }
        for child in &named.manifests {
            let digest = TagOrDigest::from(&child.digest);
            let found = store.manifest(repository, &digest).await.expect("readable");
            assert!(
                found.is_some(),
                "{} misses {}",
                manifest.digest(),
                child.digest
            );
        }
    }
}

/// An image of these blobs, whose sizes are lies.
pub(in crate::bundle) fn image(
    config: &Digest,
    layers: &[Digest],
    subject: Option<&Digest>,
) -> RawManifest {
    let descriptor = |media_type: &str, digest: &Digest| serde_json::json!({"mediaType": media_type, "digest": digest, "size": 1});
    let layer = |digest| descriptor(media_type::OCI_LAYER_GZIP, digest);
    let mut json = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_CONFIG, config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    });
    if let Some(subject) = subject {
        json["subject"] = descriptor(media_type::OCI_MANIFEST, subject);
    }
    RawManifest::new(json.to_string().into(), None).expect("a manifest")
}

fn index(children: &[&RawManifest]) -> RawManifest {
    let child = |child: &&RawManifest| {
        serde_json::json!({
            "mediaType": child.media_type(),
            "digest": child.digest(),
            "size": child.bytes().len(),
        })
    };
    let json = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": children.iter().map(child).collect::<Vec<_>>(),
    });
    RawManifest::new(json.to_string().into(), None).expect("an index")
}

/// What the directory holds that nobody can reach.
pub(in crate::bundle) fn litter(disk: &MemoryDisk) -> Vec<String> {
    let files = disk.files();
    let entries = super::open::read_index(&files).expect("an index");
    let state: State = super::load(&files, &entries.unwrap_or_default()).expect("a state");
    let blobs = files.list_blobs().expect("a list");
    let unused = blobs
        .into_iter()
        .filter(|(digest, _)| state.is_orphan(digest));
    let mut litter: Vec<String> = unused.map(|(digest, _)| digest.to_string()).collect();
    let names = disk.names().into_iter();
    litter.extend(names.filter(|name| name.contains("/uploads/")));
    litter
}
