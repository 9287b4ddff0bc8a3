//! All that a store knows: repositories, and which files they need. In memory only; the rules of
//! every change are here, and nothing of the disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::change::{Change, Effect};
use super::held::Held;
use super::links::Line;
use super::repository::{Moment, Repository, Tagged, give_back};
use crate::bundle::index::Entry;
use crate::content::StoreError;
use crate::oci::{Digest, RawManifest, TagOrDigest};

/// A link that is pushed again counts as new only when it is older than so many seconds: it saves
/// the write.
const FRESH: u64 = 600;

/// Repositories and files.
#[derive(Debug, Clone, Default)]
pub(in crate::bundle) struct State {
    pub(super) repositories: BTreeMap<String, Repository>,
    /// The files in the folders of blobs, and their sizes in bytes.
    pub(super) present: HashMap<Digest, u64>,
    /// How many repositories' manifests and links need the file.
    uses: HashMap<Digest, u32>,
    /// Files that nobody needs, and since when that is known.
    pub(super) orphans: BTreeMap<Digest, Moment>,
}

impl State {
    /// The size of a file that is there and that somebody needs: then its bytes were verified.
    pub(super) fn settled(&self, digest: &Digest) -> Option<u64> {
        let size = self.present.get(digest).copied();
        size.filter(|_| self.uses.contains_key(digest))
    }

    /// The size of a blob that the repository shows.
    pub(super) fn blob(&self, repository: &str, digest: &Digest) -> Option<u64> {
        let shown = self.repositories.get(repository)?.shows(digest);
        shown.then(|| self.present.get(digest).copied()).flatten()
    }

    pub(super) fn manifest(&self, repository: &str, reference: &TagOrDigest) -> Option<&Arc<Held>> {
        let repository = self.repositories.get(repository)?;
        let digest = match reference {
            TagOrDigest::Tag(tag) => &repository.tags.get(&**tag)?.digest,
            TagOrDigest::Digest(digest) => digest,
        };
        repository.manifests.get(digest)
    }

    /// The entries of `index.json`.
    pub(in crate::bundle) fn entries(&self) -> Vec<Entry> {
        let all = self.repositories.iter();
        all.flat_map(|(name, repository)| repository.entries(name))
            .collect()
    }

    /// Everything that only the file of links says.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let orphans = self.orphans.iter();
        let orphans = orphans.map(|(digest, at)| Line::Orphan { digest, at: *at });
        let repositories = self.repositories.iter();
        repositories
            .flat_map(|(name, repository)| {
                let bare = repository.links.is_empty() && repository.manifests.is_empty();
                let links = repository.links.iter();
                links
                    .map(move |(digest, at)| Line::Link {
                        repository: name,
                        digest,
                        at: *at,
                    })
                    .chain(bare.then_some(Line::Repository { name }))
            })
            .chain(orphans)
    }

    /// Whether the change can be made; false when there is nothing to do for it.
    pub(super) fn check(&self, change: &Change) -> Result<bool, StoreError> {
        let repository = |name: &str| self.repositories.get(name);
        match change {
            Change::Link { .. } | Change::Sweep { .. } => Ok(true),
            Change::Mount { digest, from, .. } => Ok(match from {
                Some(from) => self.blob(from, digest).is_some(),
                None => self
                    .repositories
                    .keys()
                    .any(|name| self.blob(name, digest).is_some()),
            }),
            Change::Put {
                repository: name,
                held,
                ..
            } => {
                let mut blobs = held.blobs.iter().map(|blob| &blob.digest);
                if let Some(missing) = blobs.find(|blob| self.blob(name, blob).is_none()) {
                    return Err(StoreError::Missing(missing.clone()));
                }
                for child in &held.children {
                    let here = repository(name).and_then(|here| here.manifests.get(&child.digest));
                    let here = here.ok_or_else(|| StoreError::Missing(child.digest.clone()))?;
                    RawManifest::check_child(child, &here.descriptor.media_type)?;
                }
                Ok(true)
            }
            Change::Untag {
                repository: name,
                tag,
            } => Ok(repository(name).is_some_and(|here| here.tags.contains_key(&**tag))),
            Change::Remove {
                repository: name,
                digest,
                ..
            } => {
                self.refuse_needed(name, digest)?;
                Ok(repository(name).is_some_and(|here| here.manifests.contains_key(digest)))
            }
            Change::Unlink {
                repository: name,
                digest,
            } => {
                self.refuse_needed(name, digest)?;
                Ok(repository(name).is_some_and(|here| here.links.contains_key(digest)))
            }
        }
    }

    fn refuse_needed(&self, repository: &str, digest: &Digest) -> Result<(), StoreError> {
        let here = self.repositories.get(repository);
        match here.and_then(|here| here.needed_by(digest)) {
            Some(by) => Err(StoreError::Needed {
                digest: digest.clone(),
                by: by.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Makes a change that was [checked](Self::check).
    pub(super) fn apply(&mut self, change: &Change) -> Effect {
        let mut effect = Effect::default();
        match change {
            Change::Link {
                repository,
                digest,
                size,
                at,
            } => {
                self.present.insert(digest.clone(), *size);
                self.link(repository, digest, *at, &mut effect);
            }
            Change::Mount {
                repository,
                digest,
                at,
                ..
            } => self.link(repository, digest, *at, &mut effect),
            Change::Put {
                repository,
                held,
                tags,
            } => {
                let digest = held.digest();
                self.present.insert(digest.clone(), held.descriptor.size);
                effect.index = self.hold(repository, held);
                for tag in tags {
                    effect.index |= self.tag(repository, tag, digest);
                }
            }
            Change::Untag { repository, tag } => {
                let here = self.repositories.get_mut(repository);
                effect.index = here.is_some_and(|here| here.tags.remove(&**tag).is_some());
            }
            Change::Remove {
                repository,
                digest,
                at,
            } => self.remove(repository, digest, *at, &mut effect),
            Change::Unlink { repository, digest } => {
                let here = self.repositories.get_mut(repository);
                if here.is_some_and(|here| here.links.remove(digest).is_some()) {
                    let line = Line::Unlink { repository, digest };
                    line.write(&mut effect.lines);
                    self.unused(digest, &mut effect);
                }
            }
            Change::Sweep { found, before, at } => self.sweep(found, *before, *at, &mut effect),
        }
        effect
    }

    /// Shows a blob in a repository.
    pub(super) fn link(&mut self, name: &str, digest: &Digest, at: Moment, effect: &mut Effect) {
        let here = self.repositories.entry(name.to_owned()).or_default();
        if here.is_needed(digest) {
            return;
        }
        let old = here.links.get(digest).copied();
        if old.is_some_and(|old| old.saturating_add(FRESH) >= at) {
            return;
        }
        here.links.insert(digest.clone(), at);
        let repository = name;
        let line = Line::Link {
            repository,
            digest,
            at,
        };
        line.write(&mut effect.lines);
        if old.is_none() {
            self.used(digest);
        }
    }

    /// Takes a link back, as a line of the links says.
    pub(super) fn unlink(&mut self, name: &str, digest: &Digest) {
        let here = self.repositories.entry(name.to_owned()).or_default();
        if here.links.remove(digest).is_some() {
            give_back(&mut self.uses, digest);
        }
    }

    /// Takes back every link that the other does not have.
    pub(in crate::bundle) fn keep_links_of(&mut self, other: &Self) {
        let links = self.repositories.iter().flat_map(|(name, repository)| {
            let other = other.repositories.get(name);
            let links = repository.links.keys();
            let new = links
                .filter(move |digest| other.is_none_or(|here| !here.links.contains_key(*digest)));
            new.map(move |digest| (name.clone(), digest.clone()))
        });
        for (name, digest) in links.collect::<Vec<_>>() {
            self.unlink(&name, &digest);
        }
    }

    /// Whether a manifest or a link leads to it, be it there or not.
    pub(in crate::bundle) fn needs(&self, digest: &Digest) -> bool {
        self.uses.contains_key(digest)
    }

    /// The files that nobody needs, and their sizes in bytes.
    pub(in crate::bundle) fn unneeded(&self) -> Vec<(Digest, u64)> {
        let present = self.present.iter();
        let unneeded = present.filter(|(digest, _)| !self.uses.contains_key(*digest));
        unneeded
            .map(|(digest, size)| (digest.clone(), *size))
            .collect()
    }

    /// Whether the file is there and nobody needs it.
    pub(super) fn is_orphan(&self, digest: &Digest) -> bool {
        self.present.contains_key(digest) && !self.uses.contains_key(digest)
    }

    /// Takes a manifest in; false when it was there.
    pub(super) fn hold(&mut self, name: &str, held: &Arc<Held>) -> bool {
        let here = self.repositories.entry(name.to_owned()).or_default();
        if here.manifests.contains_key(held.digest()) {
            return false;
        }
        here.insert(Arc::clone(held));
        // What a manifest needs stays for as long as the manifest; the link has done its work.
        let blobs = held.blobs.iter().map(|blob| &blob.digest);
        let unlinked: Vec<&Digest> = blobs
            .filter(|blob| here.links.remove(*blob).is_some())
            .collect();
        self.used(held.digest());
        for named in held.blobs.iter().chain(&held.children) {
            self.used(&named.digest);
        }
        for blob in unlinked {
            give_back(&mut self.uses, blob);
        }
        true
    }

    /// Points a tag at a manifest; false when it did so already.
    fn tag(&mut self, name: &str, tag: &str, digest: &Digest) -> bool {
        let here = self.repositories.entry(name.to_owned()).or_default();
        if here.tags.get(tag).is_some_and(|old| old.digest == *digest) {
            return false;
        }
        let tagged = Tagged {
            digest: digest.clone(),
            source: None,
        };
        here.tags.insert(tag.to_owned(), tagged);
        true
    }

    fn remove(&mut self, name: &str, digest: &Digest, at: Moment, effect: &mut Effect) {
        let Some(here) = self.repositories.get_mut(name) else {
            return;
        };
        let Some(held) = here.remove(digest) else {
            return;
        };
        effect.index = true;
        // Its blobs stay in the repository until someone deletes them, or the sweep comes.
        for blob in &held.blobs {
            if self.present.contains_key(&blob.digest) {
                self.link(name, &blob.digest, at, effect);
            }
        }
        let repository = Line::Repository { name };
        repository.write(&mut effect.lines);
        for named in held.blobs.iter().chain(&held.children) {
            self.unused(&named.digest, effect);
        }
        self.unused(digest, effect);
    }

    fn sweep(&mut self, found: &[(Digest, u64)], before: Moment, at: Moment, effect: &mut Effect) {
        effect.relink = true;
        let mut expired = Vec::new();
        for repository in self.repositories.values_mut() {
            let old: Vec<Digest> = repository
                .links
                .iter()
                .filter(|(digest, at)| **at <= before && !repository.is_foreign(digest))
                .map(|(digest, _)| digest.clone())
                .collect();
            for digest in &old {
                repository.links.remove(digest);
            }
            expired.extend(old);
        }
        for digest in &expired {
            self.unused(digest, effect);
        }
        // What is needed and counts as missing is damaged, and stays so until it is pushed again.
        for (digest, size) in found {
            if !self.uses.contains_key(digest) {
                self.present.entry(digest.clone()).or_insert(*size);
            }
        }
        let present = self.present.keys();
        for digest in present.filter(|digest| !self.uses.contains_key(*digest)) {
            self.orphans.entry(digest.clone()).or_insert(at);
        }
        let old: Vec<Digest> = self
            .orphans
            .iter()
            .filter(|(_, at)| **at <= before)
            .map(|(digest, _)| digest.clone())
            .collect();
        for digest in old {
            self.orphans.remove(&digest);
            self.present.remove(&digest);
            effect.gone.push(digest);
        }
    }

    fn used(&mut self, digest: &Digest) {
        *self.uses.entry(digest.clone()).or_default() += 1;
        self.orphans.remove(digest);
    }

    fn unused(&mut self, digest: &Digest, effect: &mut Effect) {
        if give_back(&mut self.uses, digest) && self.present.remove(digest).is_some() {
            effect.gone.push(digest.clone());
        }
    }
}
