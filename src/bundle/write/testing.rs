//! A disk that writes down what is done in which order and stops where a test wants, an image set
//! to pull, and the part of the engine in between.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};

use super::options::{Finished, WriteOptions};
use super::writer::Writer;
use crate::bundle::disk::{Disk, DiskFile, RealDisk};
use crate::bundle::{BUNDLE_HOST, BundleError, External, ImageRecord, Record};
use crate::catalog::{Catalog, Conformance, Role};
use crate::content::{Begun, BlobStream, Code, Failure, Plan, Retry, Target as _, Verified};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, media_type};

/// One operation that changes something, with paths as they were opened, below the test's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Create(String),
    SetLen(String),
    /// With the offset and the bytes.
    Write(String, u64, Vec<u8>),
    Sync(String),
    Rename(String, String),
    Remove(String),
    SyncDir(String),
    MakeDir(String),
}

impl Op {
    fn what(&self) -> String {
        match self {
            Self::Create(name) => format!("create {name}"),
            Self::SetLen(name) => format!("size {name}"),
            Self::Write(name, _, _) => format!("write {name}"),
            Self::Sync(name) => format!("sync {name}"),
            Self::Rename(from, to) => format!("rename {from} {to}"),
            Self::Remove(name) => format!("remove {name}"),
            Self::SyncDir(name) => format!("sync folder {name}"),
            Self::MakeDir(name) => format!("make {name}"),
        }
    }
}

/// The disk of this machine in one folder, every change of it written down. Syncs are written
/// down only: the tests stop processes, not machines.
#[derive(Clone)]
pub(super) struct RecordingDisk(Arc<Recorded>);

struct Recorded {
    root: Utf8PathBuf,
    free: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    log: Vec<Op>,
    /// The number of operations so far, and at which all end.
    count: usize,
    stop_at: Option<usize>,
    /// An error for the operation that has the text in it, once.
    refuse: Option<(String, io::ErrorKind)>,
}

impl RecordingDisk {
    pub(super) fn new(root: &Utf8Path) -> Self {
        Self::with_free(root, None)
    }

    pub(super) fn with_free(root: &Utf8Path, free: Option<u64>) -> Self {
        Self(Arc::new(Recorded {
            root: root.to_owned(),
            free,
            state: Mutex::default(),
        }))
    }

    /// As if the process were killed at operation `number`: a write is cut in two, and nothing
    /// happens afterwards.
    pub(super) fn dies_at(root: &Utf8Path, number: usize) -> Self {
        let disk = Self::new(root);
        disk.state().stop_at = Some(number);
        disk
    }

    /// The next operation fails that holds `what`, such as `write set.tar`; a space behind it
    /// ends the name.
    pub(super) fn refuse(&self, what: &str, kind: io::ErrorKind) {
        self.state().refuse = Some((what.to_owned(), kind));
    }

    pub(super) fn log(&self) -> Vec<Op> {
        self.state().log.clone()
    }

    pub(super) fn died(&self) -> bool {
        let state = self.state();
        state.stop_at.is_some_and(|at| state.count > at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, path: &Utf8Path) -> String {
        let below = path.strip_prefix(&self.0.root).unwrap_or(path);
        below.to_string()
    }

    /// Counts an operation and says whether it may happen; `Ok(true)` for the first half of it.
    fn step(&self, what: &str) -> io::Result<bool> {
        let mut state = self.state();
        let number = state.count;
        state.count += 1;
        let matches =
            |(part, _): &mut (String, io::ErrorKind)| format!("{what} ").contains(part.as_str());
        if let Some((_, kind)) = state.refuse.take_if(matches) {
            return Err(kind.into());
        }
        match state.stop_at {
            Some(at) if number > at => Err(io::Error::other("killed")),
            Some(at) if number == at => Ok(true),
            _ => Ok(false),
        }
    }

    /// Syncs count from before they begin and other operations when they are done, so that the
    /// order in the log is one that a crash could not have bettered.
    fn record<T>(&self, op: Op, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.step(&op.what())? {
            return Err(io::Error::other("killed"));
        }
        let before = matches!(op, Op::Sync(_) | Op::SyncDir(_));
        if before {
            self.state().log.push(op);
            return act();
        }
        let done = act()?;
        self.state().log.push(op);
        Ok(done)
    }

    fn file(&self, path: &Utf8Path, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(RecordingFile {
            name: self.name(path),
            inner,
            disk: self.clone(),
        })
    }
}

impl Disk for RecordingDisk {
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let name = self.name(path);
        let inner = self.record(Op::Create(name), || RealDisk.create(path))?;
        Ok(self.file(path, inner))
    }

    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(path, RealDisk.open(path)?))
    }

    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open_read(path)
    }

    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>> {
        RealDisk.size(path)
    }

    fn allocated(&self, path: &Utf8Path) -> u64 {
        RealDisk.allocated(path)
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }

    fn create_dir_all(&self, folder: &Utf8Path) -> io::Result<()> {
        let name = self.name(folder);
        self.record(Op::MakeDir(name), || RealDisk.create_dir_all(folder))
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        let (name, new) = (self.name(from), self.name(to));
        let op = Op::Rename(name, new);
        self.record(op, || RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        let name = self.name(path);
        self.record(Op::Remove(name), || RealDisk.remove(path))
    }

    fn sync_dir(&self, folder: &Utf8Path) -> io::Result<()> {
        let name = self.name(folder);
        self.record(Op::SyncDir(name), || Ok(()))
    }

    fn available(&self, _folder: &Utf8Path) -> Option<u64> {
        self.0.free
    }
}

struct RecordingFile {
    name: String,
    inner: Arc<dyn DiskFile>,
    disk: RecordingDisk,
}

impl DiskFile for RecordingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.disk.step(&format!("write {}", self.name))? {
            self.inner.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::other("killed"));
        }
        self.inner.write_at(offset, bytes)?;
        let op = Op::Write(self.name.clone(), offset, bytes.to_vec());
        self.disk.state().log.push(op);
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk
            .record(Op::SetLen(self.name.clone()), || self.inner.set_len(length))
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.record(Op::Sync(self.name.clone()), || Ok(()))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A folder of its own for each test.
pub(super) struct Folder {
    _held: tempfile::TempDir,
    pub(super) path: Utf8PathBuf,
}

pub(super) fn folder() -> Folder {
    let held = tempfile::tempdir().expect("a folder");
    let path = Utf8PathBuf::from_path_buf(held.path().to_owned()).expect("UTF-8");
    Folder { _held: held, path }
}

/// Images to pull.
#[derive(Clone, Default)]
pub(super) struct Images {
    pub(super) plan: Plan,
    pub(super) rows: Vec<ImageRecord>,
    blobs: Vec<(Descriptor, Bytes)>,
}

impl Images {
    /// Adds `repository:1` with one layer for each `(seed, size)`.
    pub(super) fn with(mut self, repository: &str, layers: &[(u8, usize)]) -> Self {
        let config = self.blob(format!("{{\"for\":\"{repository}\"}}").into());
        let layers: Vec<String> = layers
            .iter()
            .map(|(seed, size)| {
                let noise = (0..*size).scan(u32::from(*seed) + 1, |state, _| {
                    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    Some(state.to_be_bytes()[0])
                });
                let blob = self.blob(noise.collect::<Vec<u8>>().into());
                json(media_type::OCI_LAYER_GZIP, &blob)
            })
            .collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            media_type::OCI_MANIFEST,
            json(media_type::OCI_CONFIG, &config),
            layers.join(","),
        );
        let manifest = RawManifest::new(text.into(), None).expect("a manifest");
        let source: Reference = format!("registry.k8s.io/{repository}:1")
            .parse()
            .expect("a reference");
        self.rows.push(ImageRecord {
            source,
            repository: repository.to_owned(),
            tag: Some("1".to_owned()),
            digest: None,
            role: Role::Test,
            key: Some("gcRegistry".to_owned()),
            conformance: Some(Conformance::Yes),
            versions: Vec::new(),
        });
        self.plan
            .roots
            .push((name(repository), manifest.digest().clone()));
        self.plan.manifests.push(manifest);
        self.plan.blobs = self.blobs.iter().map(|(blob, _)| blob.clone()).collect();
        self
    }

    fn blob(&mut self, bytes: Bytes) -> Descriptor {
        let digest = Digest::of(&bytes);
        let blob = Descriptor::new(media_type::OCI_LAYER_GZIP, digest, bytes.len() as u64);
        if self.blobs.iter().all(|(known, _)| *known != blob) {
            self.blobs.push((blob.clone(), bytes));
        }
        blob
    }

    /// Bytes of all blobs.
    pub(super) fn unique(&self) -> u64 {
        self.blobs.iter().map(|(blob, _)| blob.size).sum()
    }

    /// All names.
    pub(super) fn names(&self) -> Vec<Reference> {
        self.plan
            .roots
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn reversed(mut self) -> Self {
        self.blobs.reverse();
        self.plan.blobs.reverse();
        self.plan.manifests.reverse();
        self.plan.roots.reverse();
        self.rows.reverse();
        self
    }

    /// The blob with the most bytes.
    pub(super) fn largest(&self) -> Descriptor {
        let blobs = self.blobs.iter().map(|(blob, _)| blob);
        blobs.max_by_key(|blob| blob.size).expect("one").clone()
    }

    pub(super) fn options(&self) -> WriteOptions {
        WriteOptions {
            split: None,
            external: Vec::new(),
            record: Record {
                format: crate::bundle::record::FORMAT,
                tool: "airbuoy 0.0.0".to_owned(),
                platforms: "all".to_owned(),
                images: self.rows.clone(),
                releases: Vec::new(),
                sonobuoy: Catalog::embedded().sonobuoy(None).expect("the default"),
                external: Vec::new(),
            },
        }
    }

    pub(super) fn external(&self, blob: &Descriptor) -> External {
        External {
            digest: blob.digest.clone(),
            size: blob.size,
            repositories: vec!["registry.k8s.io/pause".to_owned()],
        }
    }
}

fn json(media_type: &str, blob: &Descriptor) -> String {
    format!(
        r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
        blob.digest, blob.size
    )
}

/// The name of an image in the bundle.
pub(super) fn name(repository: &str) -> Reference {
    format!("{BUNDLE_HOST}/{repository}:1")
        .parse()
        .expect("a reference")
}

/// Brings all images to the writer as the engine does, and counts the bytes that the source was
/// asked for. With `limit`, the source breaks for good after so many bytes.
pub(super) async fn bring(
    writer: &Writer,
    images: &Images,
    limit: Option<u64>,
    asked: &mut u64,
) -> Result<(), Failure> {
    writer.prepare(&images.plan).await?;
    bring_blobs(writer, images, limit, asked).await?;
    for manifest in &images.plan.manifests {
        let (name, _) = &images.plan.roots[0];
        let at = name.repository().at(manifest.digest());
        writer.put_manifest(&at, manifest).await?;
    }
    Ok(())
}

/// The part of it that brings the blobs.
pub(super) async fn bring_blobs(
    writer: &Writer,
    images: &Images,
    limit: Option<u64>,
    asked: &mut u64,
) -> Result<(), Failure> {
    let home = images.plan.roots[0].0.repository().clone();
    for (blob, bytes) in &images.blobs {
        if writer.has_blob(&home, blob).await? {
            continue;
        }
        // A blob whose beginning was damaged is brought once more.
        for attempt in 0.. {
            let (upload, mut verified) = match writer.begin(&home, blob, Some(&home)).await? {
                Begun::Mounted => break,
                Begun::Upload(upload) => (upload, Verified::new(blob)),
                Begun::Partial(upload, held) => (upload, Verified::resume(blob, held)),
            };
            let mut at = usize::try_from(verified.offset()).expect("small");
            let mut body = Vec::new();
            while at < bytes.len() {
                let chunk = bytes.slice(at..bytes.len().min(at + 100_000));
                at += chunk.len();
                *asked += chunk.len() as u64;
                if limit.is_some_and(|limit| *asked > limit) {
                    let broken = Failure::new(Code::Interrupted, "source", "reset");
                    body.push(Err(broken.retry(Retry::Backoff)));
                    break;
                }
                body.extend(verified.push(chunk, "source").expect("it fits").map(Ok));
            }
            if body.last().is_none_or(Result::is_ok) {
                match verified.finish("source") {
                    Ok(last) => body.extend(last.map(Ok)),
                    Err(failure) => body.push(Err(failure)),
                }
            }
            let body: BlobStream = Box::pin(futures_util::stream::iter(body));
            match writer.upload(upload, blob, body).await {
                Ok(()) => break,
                Err(failure) if failure.code() == Code::DigestMismatch && attempt == 0 => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(())
}

/// Opens, brings and finishes.
pub(super) async fn pull(
    path: &Utf8Path,
    images: &Images,
    options: WriteOptions,
    disk: RecordingDisk,
    asked: &mut u64,
) -> Result<Finished, Trouble> {
    let every = Duration::from_millis(1);
    let writer = Writer::open_and_sync(path, options, disk, every)?;
    bring(&writer, images, None, asked).await?;
    Ok(writer.finish(&images.names())?)
}

/// Where a pull ended.
#[derive(Debug)]
pub(super) enum Trouble {
    Bundle(BundleError),
    Copy(Failure),
}

impl From<BundleError> for Trouble {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Copy(failure)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundle(error) => error.fmt(f),
            Self::Copy(failure) => failure.fmt(f),
        }
    }
}
