//! A bundle as one tar or its volumes: the map is laid when the plan is known, then blobs come in
//! any order to their places.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::content::{self, Content, OCI_LAYOUT};
use super::laid::{Laid, Salvage, Taken, TarUpload};
use super::medium::Medium;
use super::names::{self, Part};
use super::options::{Finished, WriteOptions};
use super::state::{Head, Journal, State};
use super::syncer::Syncer;
use super::{older, tar_commit};
use crate::bundle::disk::{Disk, folder_of};
use crate::bundle::lock::Lock;
use crate::bundle::tar_map::{TarMap, blob_path};
use crate::bundle::{BundleError, index};
use crate::content::{Begun, Code, Failure, Plan};
use crate::oci::{Descriptor, Digest, RawManifest, Reference};

/// Writes a tar.
pub(super) struct TarWriter {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: Utf8PathBuf,
    options: WriteOptions,
    lock: Arc<Lock>,
    sync_every: Duration,
    external: HashSet<Digest>,
    session: Mutex<Option<Session>>,
}

/// What a plan has led to.
struct Session {
    plan: Plan,
    manifests: HashSet<Digest>,
    work: Work,
}

enum Work {
    /// The bundle at the path is this very tar already.
    Done(Finished),
    /// A tar is being filled.
    Laid(Arc<Laid>, Syncer),
}

/// Where a blob stands.
enum Found {
    There,
    Unknown,
    Slot(Arc<Laid>, usize),
}

impl TarWriter {
    pub(super) fn open(
        path: &Utf8Path,
        options: WriteOptions,
        disk: Arc<dyn Disk>,
        sync_every: Duration,
    ) -> Result<Self, BundleError> {
        let folder = folder_of(path);
        disk.create_dir_all(folder)
            .map_err(|e| BundleError::io(folder, "make the folder", e))?;
        let lock = Lock::passing(&names::lock(path)).map_err(|error| error.of(path))?;
        tar_commit::recover(&*disk, path)?;
        Ok(Self {
            disk,
            path: path.to_owned(),
            external: options.external.iter().map(|e| e.digest.clone()).collect(),
            options,
            lock: Arc::new(lock),
            sync_every,
            session: Mutex::new(None),
        })
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays the map of the plan and makes ready to take its blobs.
    pub(super) fn prepare(&self, plan: &Plan) -> Result<(), Failure> {
        let mut session = self.session();
        // Its last sync comes before the state is read.
        drop(session.take());
        let content = Content::of(plan, &self.options, None);
        let map = self.map(&content);
        let work = match self.unchanged(&map)? {
            Some(finished) => {
                tar_commit::sweep(&*self.disk, &self.path)?;
                Work::Done(finished)
            }
            None => self.begin(map)?,
        };
        *session = Some(Session {
            plan: plan.clone(),
            manifests: content.manifests.into_keys().collect(),
            work,
        });
        Ok(())
    }

    fn map(&self, content: &Content) -> TarMap {
        map(content, &self.options)
    }

    fn whole(&self, total: u64) -> Result<Vec<Part>, BundleError> {
        names::whole(&self.path, total, self.options.split)
    }

    /// The bundle that is there, when everything in it but the blobs is what this map says: then
    /// there is nothing to write, and whether its blobs are sound is what `verify` tells.
    fn unchanged(&self, map: &TarMap) -> Result<Option<Finished>, BundleError> {
        let whole = self.whole(map.total())?;
        if older::parts(&*self.disk, &self.path).as_ref() != Some(&whole) {
            return Ok(None);
        }
        let Some(medium) = Medium::open(&*self.disk, &whole, false)? else {
            return Ok(None);
        };
        for (offset, bytes) in map.fixed() {
            let mut found = vec![0; bytes.len()];
            if medium.read_at(*offset, &mut found)? != bytes.len() || found != *bytes {
                return Ok(None);
            }
        }
        Ok(Some(self.finished(&whole, map.total())))
    }

    pub(super) fn finished(&self, whole: &[Part], bytes: u64) -> Finished {
        let mut files: Vec<Utf8PathBuf> = whole.iter().map(|(path, _)| path.clone()).collect();
        if self.options.split.is_some() {
            files.push(names::list(&self.path));
        }
        Finished { files, bytes }
    }

    /// Goes on where an earlier run with the same map ended, or begins anew with what is left of
    /// others.
    fn begin(&self, map: TarMap) -> Result<Work, Failure> {
        let whole = self.whole(map.total())?;
        let state = State::read(&*self.disk, &names::state(&self.path));
        let head = Head::of(&map, self.options.split);
        if let Some(state) = state.filter(|state| state.head == head) {
            let partial = names::partial(&whole);
            if let Some(medium) = Medium::open(&*self.disk, &partial, true)? {
                let taken = partial.iter().map(|(path, _)| self.disk.allocated(path));
                self.check_space(map.total().saturating_sub(taken.sum()))?;
                return self.fill(map, medium, &state.durable, self.older());
            }
        }
        tar_commit::set_aside(&*self.disk, &self.path)?;
        self.check_space(map.total())?;
        let medium = self.create(&whole)?;
        self.fill(map, medium, &HashMap::new(), self.older())
    }

    fn create(&self, whole: &[Part]) -> Result<Medium, BundleError> {
        let partial = names::partial(whole);
        let created = Medium::create(&*self.disk, &partial);
        if created.is_err() {
            // Files without a state are of no use to anyone.
            for (path, _) in &partial {
                let _ = self.disk.remove(path);
            }
        }
        created
    }

    fn fill(
        &self,
        map: TarMap,
        medium: Medium,
        durable: &HashMap<Digest, u64>,
        salvage: Vec<Salvage>,
    ) -> Result<Work, Failure> {
        let laid = Arc::new(self.lay(map, medium, durable, salvage)?);
        laid.write_fixed()?;
        let syncer = Syncer::start(laid.clone(), self.sync_every);
        Ok(Work::Laid(laid, syncer))
    }

    fn lay(
        &self,
        map: TarMap,
        medium: Medium,
        durable: &HashMap<Digest, u64>,
        salvage: Vec<Salvage>,
    ) -> Result<Laid, BundleError> {
        let head = Head::of(&map, self.options.split);
        let known = map.slots().iter().filter_map(|slot| {
            let bytes = durable.get(&slot.digest).filter(|bytes| **bytes > 0)?;
            Some((&slot.digest, *bytes))
        });
        let journal = Journal::begin(&*self.disk, &names::state(&self.path), &head, known)?;
        // Bytes are not durable while the name of their file is not.
        let folder = folder_of(&self.path);
        let synced = self.disk.sync_dir(folder);
        synced.map_err(|e| BundleError::io(folder, "sync", e))?;
        let lock = self.lock.clone();
        Ok(Laid::new(map, medium, journal, durable, salvage, lock))
    }

    /// What other files at this path hold: a partial tar of another plan, and an older bundle.
    fn older(&self) -> Vec<Salvage> {
        let set_aside = tar_commit::set_aside_salvage(&*self.disk, &self.path);
        let whole = older::salvage(&*self.disk, &self.path);
        set_aside.into_iter().chain(whole).collect()
    }

    fn check_space(&self, needed: u64) -> Result<(), BundleError> {
        super::writer::check_space(&*self.disk, folder_of(&self.path), needed)
    }

    fn find(&self, digest: &Digest) -> Found {
        if self.external.contains(digest) {
            return Found::There;
        }
        match &*self.session() {
            Some(session) if session.manifests.contains(digest) => Found::There,
            Some(session) => match &session.work {
                Work::Done(_) => Found::There,
                Work::Laid(laid, _) => match laid.map.index(digest) {
                    Some(index) => Found::Slot(laid.clone(), index),
                    None => Found::Unknown,
                },
            },
            None => Found::Unknown,
        }
    }

    /// Whether the blob is there, whole and hashed.
    pub(super) fn has(&self, blob: &Descriptor) -> Result<bool, Failure> {
        match self.find(&blob.digest) {
            Found::There => Ok(true),
            Found::Unknown => Ok(false),
            Found::Slot(laid, index) if !laid.may_be_whole(index) => Ok(false),
            Found::Slot(laid, index) => Ok(matches!(laid.take(index)?, Taken::Whole)),
        }
    }

    /// Opens the upload of a blob, unless it is there.
    pub(super) fn begin_blob(&self, blob: &Descriptor) -> Result<Begun<TarUpload>, Failure> {
        let (laid, index) = match self.find(&blob.digest) {
            Found::There => return Ok(Begun::Mounted),
            Found::Unknown => return Err(self.unplanned(&blob.digest)),
            Found::Slot(laid, index) => (laid, index),
        };
        match laid.take(index)? {
            Taken::Whole => Ok(Begun::Mounted),
            Taken::Part(held) if held.bytes == 0 => Ok(Begun::Upload(laid.open(index, 0)?)),
            Taken::Part(held) => Ok(Begun::Partial(laid.open(index, held.bytes)?, held)),
        }
    }

    /// Manifests were written with the map; here they are only recognised.
    pub(super) fn put_manifest(&self, manifest: &RawManifest) -> Result<(), Failure> {
        let session = self.session();
        let planned = session
            .as_ref()
            .is_some_and(|session| session.manifests.contains(manifest.digest()));
        if planned {
            Ok(())
        } else {
            Err(self.unplanned(manifest.digest()))
        }
    }

    fn unplanned(&self, digest: &Digest) -> Failure {
        let message = "it is not in the plan of this bundle";
        Failure::new(Code::Local, self.path.as_str(), message).about(&digest.into())
    }

    /// Gives the tar its name when it holds all of `done`; names of the plan that are not among
    /// them are left out, and the tar laid anew without them.
    pub(super) fn finish(&self, done: &[Reference]) -> Result<Finished, BundleError> {
        let Some(session) = self.session().take() else {
            return Err(self.structure("nothing was planned for it"));
        };
        let (laid, syncer) = match session.work {
            Work::Done(finished) => return Ok(finished),
            Work::Laid(laid, syncer) => (laid, syncer),
        };
        drop(syncer);
        let all = session
            .plan
            .roots
            .iter()
            .all(|(name, _)| done.contains(name));
        let laid = if all {
            laid
        } else {
            self.lay_again(&session.plan, done, &laid)?
        };
        self.sound(&laid)?;
        tar_commit::commit(self, &laid, self.options.split)
    }

    fn sound(&self, laid: &Laid) -> Result<(), BundleError> {
        laid.broken().map_err(|failure| BundleError::Structure {
            bundle: self.path.clone(),
            reason: format!("it could not be written: {failure}"),
            hint: failure.hint_text().map(str::to_owned),
        })?;
        match laid.missing() {
            None => Ok(()),
            Some(digest) => Err(BundleError::Missing {
                bundle: self.path.clone(),
                digest: digest.clone(),
            }),
        }
    }

    fn lay_again(
        &self,
        plan: &Plan,
        done: &[Reference],
        full: &Laid,
    ) -> Result<Arc<Laid>, BundleError> {
        let content = Content::of(plan, &self.options, Some(done));
        if content.entries.is_empty() {
            return Err(self.structure("no image of it is complete"));
        }
        let map = self.map(&content);
        let whole = self.whole(map.total())?;
        self.check_space(map.total())?;
        tar_commit::set_aside(&*self.disk, &self.path)?;
        let medium = self.create(&whole)?;
        let laid = self.lay(map, medium, &HashMap::new(), vec![full.salvage()])?;
        let mut slots = 0..laid.map.slots().len();
        let copied = laid
            .write_fixed()
            .and_then(|()| slots.try_for_each(|index| laid.take(index).map(drop)));
        // A failure is remembered where it is asked for next.
        debug_assert!(copied.is_ok() || laid.broken().is_err());
        Ok(Arc::new(laid))
    }

    fn structure(&self, reason: &str) -> BundleError {
        BundleError::Structure {
            bundle: self.path.clone(),
            reason: reason.to_owned(),
            hint: None,
        }
    }
}

/// Where everything of `content` will lie.
pub(super) fn map(content: &Content, options: &WriteOptions) -> TarMap {
    let names = index::to_bytes(&content.entries);
    let record = content::record(options, &content.entries, &content.external);
    let record = record.to_bytes();
    let manifests: Vec<(String, &RawManifest)> = content
        .manifests
        .iter()
        .map(|(digest, manifest)| (blob_path(digest), manifest))
        .collect();
    let first = [
        ("oci-layout", OCI_LAYOUT),
        ("index.json", &names),
        ("airbuoy.json", &record),
    ];
    let manifests = manifests.iter().map(|(n, m)| (n.as_str(), &**m.bytes()));
    let blobs = content.blobs.iter().map(|(digest, size)| (digest, *size));
    TarMap::lay(first.into_iter().chain(manifests), blobs)
}

impl Drop for TarWriter {
    fn drop(&mut self) {
        let session = self.session().take();
        let Some(Work::Laid(laid, syncer)) = session.map(|session| session.work) else {
            return;
        };
        drop(syncer);
        if laid.is_empty() {
            tar_commit::discard(
                &*self.disk,
                &self.path,
                laid.map.total(),
                self.options.split,
            );
        }
    }
}
