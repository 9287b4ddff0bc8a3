//! From a directory to the state: `index.json`, every manifest that it leads to, the files that
//! are there, and the links.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::change::Effect;
use super::files::Files;
use super::held::Held;
use super::links::{self, Fact};
use super::repository::Tagged;
use super::state::State;
use crate::bundle::disk::{DiskFile, read_full};
use crate::bundle::error::BundleError;
use crate::bundle::index::Entry;
use crate::oci::{Descriptor, Digest, Hasher, ManifestError, RawManifest};

/// Larger manifests are taken by no registry.
pub(super) const MANIFEST_LIMIT: usize = 4 << 20;

/// Reads the state of a directory whose `index.json` has these entries. Nothing is written, and
/// nobody else may write meanwhile.
pub(in crate::bundle) fn load(files: &Files, entries: &[Entry]) -> Result<State, BundleError> {
    let failed =
        |path: &str, action, error| BundleError::io(files.root().join(path), action, error);
    let mut loader = Loader {
        files,
        state: State::default(),
        read: HashMap::new(),
    };
    let found = files.list_blobs().map_err(|e| failed("blobs", "list", e))?;
    loader.state.present.extend(found);
    for entry in entries {
        loader.entry(entry)?;
    }
    let facts = links::read(files).map_err(|e| failed(".airbuoy/links", "read", e))?;
    for fact in facts {
        loader.fact(fact);
    }
    loader.show_foreign();
    loader
        .hide_damaged()
        .map_err(|e| failed("blobs", "read", e))?;
    Ok(loader.state)
}

struct Loader<'a> {
    files: &'a Files,
    state: State,
    /// Every manifest that was looked for.
    read: HashMap<Digest, Result<Arc<Held>, Trouble>>,
}

/// Why a manifest is of no use.
#[derive(Clone)]
enum Trouble {
    Absent,
    /// It is there, and nobody can say what it needs.
    Unusable(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("is not there"),
            Self::Unusable(reason) => f.write_str(reason),
        }
    }
}

impl Loader<'_> {
    fn entry(&mut self, entry: &Entry) -> Result<(), BundleError> {
        let descriptor = &entry.descriptor;
        // Without it nobody can say which blobs are needed.
        let held = self.manifest(descriptor).map_err(|trouble| {
            self.unusable(&format!("the manifest of {} {trouble}", entry.name()))
        })?;
        self.hold(entry, &held)?;
        if let Some(tag) = &entry.tag {
            let name = entry.repository.clone();
            let here = self.state.repositories.entry(name).or_default();
            let tagged = Tagged {
                digest: held.digest().clone(),
                source: entry.source.clone(),
            };
            here.tags.insert(tag.clone(), tagged);
        }
        Ok(())
    }

    fn unusable(&self, reason: &str) -> BundleError {
        let hint = "`airbuoy verify DIR --repair` fetches what is damaged again";
        BundleError::Structure {
            bundle: self.files.root().to_owned(),
            reason: reason.to_owned(),
            hint: Some(hint.to_owned()),
        }
    }

    /// A manifest and everything below it. Children that are not there are no error: some tools
    /// leave out platforms. One that is there and cannot be read needs blobs that would look like
    /// nobody's.
    fn hold(&mut self, entry: &Entry, root: &Arc<Held>) -> Result<(), BundleError> {
        let repository = &*entry.repository;
        let mut waiting = vec![Arc::clone(root)];
        while let Some(held) = waiting.pop() {
            if !self.state.hold(repository, &held) {
                continue;
            }
            for child in &held.children {
                match self.manifest(child) {
                    Ok(child) => waiting.push(child),
                    Err(trouble @ Trouble::Absent) => {
                        tracing::warn!(%repository, "{} {trouble}", child.digest);
                    }
                    Err(trouble) => {
                        let (name, digest) = (entry.name(), &child.digest);
                        let reason = format!("the manifest {digest} below {name} {trouble}");
                        return Err(self.unusable(&reason));
                    }
                }
            }
        }
        Ok(())
    }

    fn manifest(&mut self, descriptor: &Descriptor) -> Result<Arc<Held>, Trouble> {
        let digest = &descriptor.digest;
        if let Some(known) = self.read.get(digest) {
            return known.clone();
        }
        let held = self.read_manifest(descriptor);
        self.read.insert(digest.clone(), held.clone());
        held
    }

    fn read_manifest(&self, descriptor: &Descriptor) -> Result<Arc<Held>, Trouble> {
        let digest = &descriptor.digest;
        let path = self.files.blob(digest);
        let bytes = match self.files.read(&path, MANIFEST_LIMIT) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(Trouble::Absent),
            Err(error) => return Err(Trouble::Unusable(format!("cannot be read: {error}"))),
        };
        if !digest.matches(&bytes) {
            let reason = format!("is damaged: {path} does not hash to its name");
            return Err(Trouble::Unusable(reason));
        }
        let typed =
            |announced| RawManifest::with_digest(bytes.clone(), announced, Some(digest.clone()));
        let manifest = match typed(Some(&*descriptor.media_type)) {
            // Other tools let this pass. What it needs is known all the same.
            Err(error @ ManifestError::TypeConflict { .. }) => {
                tracing::warn!(%digest, "a manifest is taken for what it is: {error}");
                typed(None)
            }
            manifest => manifest,
        };
        let held = manifest.and_then(|manifest| Held::new(&manifest));
        held.map(Arc::new)
            .map_err(|error| Trouble::Unusable(format!("cannot be used: {error}")))
    }

    fn fact(&mut self, fact: Fact) {
        let nothing = &mut Effect::default();
        match fact {
            Fact::Link(repository, digest, at) => {
                let here = self
                    .state
                    .repositories
                    .entry(repository.clone())
                    .or_default();
                let there = self.state.present.contains_key(&digest);
                if let Some(old) = here.links.get_mut(&digest) {
                    *old = at;
                } else if there {
                    self.state.link(&repository, &digest, at, nothing);
                }
            }
            Fact::Unlink(repository, digest) => self.state.unlink(&repository, &digest),
            Fact::Repository(name) => {
                self.state.repositories.entry(name).or_default();
            }
            Fact::Orphan(digest, at) => {
                if self.state.is_orphan(&digest) {
                    self.state.orphans.insert(digest, at);
                }
            }
        }
    }

    /// Foreign layers that are here all the same, in a layout that another tool wrote.
    fn show_foreign(&mut self) {
        let mut found = Vec::new();
        for (name, repository) in &self.state.repositories {
            let foreign = repository.manifests.values().flat_map(|held| &held.foreign);
            let there = foreign.filter(|digest| self.state.present.contains_key(*digest));
            found.extend(there.map(|digest| (name.clone(), digest.clone())));
        }
        for (name, digest) in found {
            self.state.link(&name, &digest, 0, &mut Effect::default());
        }
    }

    /// A file that is not as long as a manifest says was cut, unless it is the manifest that is
    /// wrong: then its hash is right. What was cut counts as missing, and can be pushed again.
    fn hide_damaged(&mut self) -> io::Result<()> {
        let held = self.read.values().filter_map(|held| held.as_ref().ok());
        let named = held.flat_map(|held| &held.blobs);
        let doubtful: Vec<Digest> = named
            .filter(|blob| {
                let size = self.state.present.get(&blob.digest);
                size.is_some_and(|size| *size != blob.size)
            })
            .map(|blob| blob.digest.clone())
            .collect();
        for digest in doubtful {
            if !self.is_sound(&digest)? {
                tracing::warn!(%digest, "a blob is damaged and counts as missing");
                self.state.present.remove(&digest);
            }
        }
        Ok(())
    }

    fn is_sound(&self, digest: &Digest) -> io::Result<bool> {
        let file = self.files.disk().open_read(&self.files.blob(digest))?;
        let found = hash(&*file, Hasher::new(digest.algorithm()))?;
        Ok(found == *digest)
    }
}

/// The digest of a whole file.
pub(super) fn hash(file: &dyn DiskFile, mut hasher: Hasher) -> io::Result<Digest> {
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        let read = read_full(file, offset, &mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
        offset += read as u64;
    }
}
