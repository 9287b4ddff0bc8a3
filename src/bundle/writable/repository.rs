//! What one repository holds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::held::Held;
use crate::bundle::index::Entry;
use crate::oci::{Digest, Reference};

/// Seconds since 1970, by this machine's clock: how old a link is.
pub(in crate::bundle) type Moment = u64;

/// Tags, manifests, and which blobs are visible here.
#[derive(Debug, Clone, Default)]
pub(in crate::bundle) struct Repository {
    pub(super) tags: BTreeMap<String, Tagged>,
    pub(super) manifests: BTreeMap<Digest, Arc<Held>>,
    /// Blobs that no manifest here needs (yet), and since when.
    pub(super) links: BTreeMap<Digest, Moment>,
    /// How many manifests here need the blob.
    needed: HashMap<Digest, u32>,
    /// How many indexes here have the child.
    parents: HashMap<Digest, u32>,
}

/// What a tag points at.
#[derive(Debug, Clone)]
pub(super) struct Tagged {
    pub(super) digest: Digest,
    /// The upstream name that the bundle was made with.
    pub(super) source: Option<Reference>,
}

impl Repository {
    /// Whether the blob belongs to this repository.
    pub(super) fn shows(&self, blob: &Digest) -> bool {
        self.links.contains_key(blob) || self.needed.contains_key(blob)
    }

    pub(super) fn is_needed(&self, blob: &Digest) -> bool {
        self.needed.contains_key(blob)
    }

    /// The first manifest that cannot be without this blob or manifest.
    pub(super) fn needed_by(&self, digest: &Digest) -> Option<&Digest> {
        if !self.needed.contains_key(digest) && !self.parents.contains_key(digest) {
            return None;
        }
        let mut held = self.manifests.values();
        held.find(|held| held.needs(digest))
            .map(|held| held.digest())
    }

    /// Whether a manifest here names it as a foreign layer: then it stays for as long.
    pub(super) fn is_foreign(&self, blob: &Digest) -> bool {
        let mut held = self.manifests.values();
        held.any(|held| held.foreign.contains(blob))
    }

    /// Takes in a manifest that is not here yet.
    pub(super) fn insert(&mut self, held: Arc<Held>) {
        for blob in &held.blobs {
            *self.needed.entry(blob.digest.clone()).or_default() += 1;
        }
        for child in &held.children {
            *self.parents.entry(child.digest.clone()).or_default() += 1;
        }
        self.manifests.insert(held.digest().clone(), held);
    }

    /// Takes a manifest out with its tags.
    pub(super) fn remove(&mut self, digest: &Digest) -> Option<Arc<Held>> {
        let held = self.manifests.remove(digest)?;
        self.tags.retain(|_, tagged| tagged.digest != *digest);
        for blob in &held.blobs {
            give_back(&mut self.needed, &blob.digest);
        }
        for child in &held.children {
            give_back(&mut self.parents, &child.digest);
        }
        Some(held)
    }

    /// What `index.json` has to say of it: every tag, and every manifest that neither a tag nor an
    /// index leads to.
    pub(super) fn entries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Entry> + 'a {
        let tagged = self.tags.iter().filter_map(move |(tag, tagged)| {
            let held = self.manifests.get(&tagged.digest)?;
            Some(Entry {
                descriptor: held.descriptor.clone(),
                source: tagged.source.clone(),
                repository: name.to_owned(),
                tag: Some(tag.clone()),
            })
        });
        let mut led_to: Vec<&Digest> = self.tags.values().map(|tagged| &tagged.digest).collect();
        led_to.sort_unstable();
        let alone = self.manifests.iter().filter(move |(digest, _)| {
            !self.parents.contains_key(*digest) && led_to.binary_search(digest).is_err()
        });
        tagged.chain(alone.map(move |(_, held)| Entry {
            descriptor: held.descriptor.clone(),
            source: None,
            repository: name.to_owned(),
            tag: None,
        }))
    }
}

/// Lowers a count, and forgets it at zero; whether it came to that.
pub(super) fn give_back(counts: &mut HashMap<Digest, u32>, digest: &Digest) -> bool {
    match counts.get_mut(digest) {
        Some(count) if *count > 1 => {
            *count -= 1;
            false
        }
        _ => {
            counts.remove(digest);
            true
        }
    }
}
