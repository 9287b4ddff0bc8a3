//! Everything that can be reached from the names of a bundle: its manifests, hashed and read, and
//! what each of them names. It is bounded, whatever the manifests say.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::bundle::Bundle;
use super::fault::FaultKind;
use crate::content::BlobReader as _;
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Referrer, Successors};

/// The largest manifest that is read: what registries take (distribution-spec, "Pushing
/// Manifests").
pub(super) const MANIFEST_LIMIT: u64 = 4 << 20;

/// All manifests of a bundle together, in bytes. Those of a Kubernetes minor are about 3 MiB.
const MANIFESTS_LIMIT: u64 = 256 << 20;

/// Edges that are followed. Those of a Kubernetes minor are about 10,000; a bundle made to harm
/// can name one large index under many names.
const EDGES: usize = 4_000_000;

/// What the manifests of a bundle say.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<Digest, Node>,
    /// Manifests that cannot be used, and why.
    damaged: BTreeMap<Digest, (FaultKind, String)>,
    /// Blobs that manifests name, with the sizes they give them.
    blobs: BTreeMap<Digest, Named>,
    /// For every manifest and blob the entries of `index.json` that need it, ascending.
    users: HashMap<Digest, Vec<usize>>,
    repositories: BTreeMap<String, Shown>,
    sources: HashMap<Reference, Digest>,
    /// Entries whose name is taken by another manifest.
    ambiguous: Vec<usize>,
    edges: usize,
    bytes: u64,
}

/// A sound manifest.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) manifest: RawManifest,
    pub(super) successors: Successors,
    referrer: Option<Referrer>,
}

/// A blob as manifests speak of it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) size: u64,
    /// Another manifest gives it this size.
    pub(super) contradicted: Option<u64>,
    /// Its bytes live elsewhere: it need not be there.
    pub(super) is_foreign: bool,
}

/// What a repository shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) manifests: HashSet<Digest>,
    pub(super) blobs: HashSet<Digest>,
}

impl Graph {
    pub(super) fn of(bundle: &Bundle) -> Self {
        let mut graph = Self::default();
        for (at, entry) in bundle.entries().iter().enumerate() {
            let mut shown = graph
                .repositories
                .remove(&entry.repository)
                .unwrap_or_default();
            graph.follow(bundle, at, &entry.descriptor, &mut shown);
            let digest = &entry.descriptor.digest;
            if let Some(tag) = &entry.tag {
                let taken = shown.tags.entry(tag.clone());
                if taken.or_insert_with(|| digest.clone()) != digest {
                    graph.ambiguous.push(at);
                }
            }
            if let Some(source) = &entry.source {
                let known = graph.sources.entry(source.clone());
                known.or_insert_with(|| digest.clone());
            }
            graph.repositories.insert(entry.repository.clone(), shown);
        }
        graph
    }

    /// Everything below one entry.
    fn follow(&mut self, bundle: &Bundle, at: usize, root: &Descriptor, shown: &mut Shown) {
        let mut seen = HashSet::new();
        let mut open = vec![root.clone()];
        while let Some(descriptor) = open.pop() {
            let digest = &descriptor.digest;
            if !seen.insert(digest.clone()) {
                continue;
            }
            self.edges += 1;
            if self.edges > EDGES {
                let why = "its names lead to more manifests and blobs than any bundle has";
                self.damage(digest, FaultKind::TooLarge, why.to_owned());
                return;
            }
            use_of(&mut self.users, digest, at);
            if !self.nodes.contains_key(digest) && !self.damaged.contains_key(digest) {
                match self.load(bundle, &descriptor) {
                    Ok(node) => {
                        self.nodes.insert(digest.clone(), node);
                    }
                    Err((kind, why)) => self.damage(digest, kind, why),
                }
            }
            let Some(node) = self.nodes.get(digest) else {
                continue;
            };
            shown.manifests.insert(digest.clone());
            for blob in &node.successors.blobs {
                self.edges += 1;
                use_of(&mut self.users, &blob.digest, at);
                name(&mut self.blobs, blob);
                shown.blobs.insert(blob.digest.clone());
            }
            open.extend(node.successors.manifests.iter().cloned());
        }
    }

    fn damage(&mut self, digest: &Digest, kind: FaultKind, why: String) {
        self.damaged.insert(digest.clone(), (kind, why));
    }

    /// Reads a manifest; it is what its descriptor says, or the reason why not.
    fn load(
        &mut self,
        bundle: &Bundle,
        descriptor: &Descriptor,
    ) -> Result<Node, (FaultKind, String)> {
        let digest = &descriptor.digest;
        let unreadable = |why: String| (FaultKind::Unreadable, why);
        let region = bundle
            .region(digest)
            .map_err(|e| unreadable(e.to_string()))?;
        let Some(region) = region else {
            let why = "the manifest is not in the bundle";
            return Err((FaultKind::Missing, why.to_owned()));
        };
        let size = region.size();
        self.bytes = self.bytes.saturating_add(size);
        if size > MANIFEST_LIMIT || self.bytes > MANIFESTS_LIMIT {
            let why = format!(
                "the manifest has {size} bytes: at most {MANIFEST_LIMIT} are read of one, and \
                 {MANIFESTS_LIMIT} of all"
            );
            return Err((FaultKind::TooLarge, why));
        }
        if size != descriptor.size {
            let why = format!(
                "the manifest has {size} bytes and should have {}",
                descriptor.size
            );
            return Err((FaultKind::Size, why));
        }
        let bytes = region
            .read_all()
            .map_err(|e| unreadable(format!("the manifest cannot be read: {e}")))?;
        if !digest.matches(&bytes) {
            let why = "the bytes of the manifest do not hash to its name";
            return Err((FaultKind::Digest, why.to_owned()));
        }
        let read = || {
            let announced = Some(&*descriptor.media_type);
            let manifest = RawManifest::with_digest(bytes, announced, Some(digest.clone()))?;
            Ok(Node {
                successors: manifest.successors()?,
                referrer: manifest.referrer()?,
                manifest,
            })
        };
        read().map_err(|e: crate::oci::ManifestError| {
            (FaultKind::Manifest, format!("the manifest is refused: {e}"))
        })
    }

    pub(super) fn node(&self, digest: &Digest) -> Option<&Node> {
        self.nodes.get(digest)
    }

    /// Why a manifest cannot be used.
    pub(super) fn damage_of(&self, digest: &Digest) -> Option<&str> {
        self.damaged.get(digest).map(|(_, why)| &**why)
    }

    pub(super) fn damaged(&self) -> &BTreeMap<Digest, (FaultKind, String)> {
        &self.damaged
    }

    pub(super) fn blobs(&self) -> &BTreeMap<Digest, Named> {
        &self.blobs
    }

    pub(super) fn users(&self, digest: &Digest) -> &[usize] {
        self.users.get(digest).map_or(&[], Vec::as_slice)
    }

    pub(super) fn ambiguous(&self) -> &[usize] {
        &self.ambiguous
    }

    pub(super) fn repositories(&self) -> &BTreeMap<String, Shown> {
        &self.repositories
    }

    /// The manifest of an upstream name.
    pub(super) fn source(&self, reference: &Reference) -> Option<&Digest> {
        self.sources.get(reference)
    }

    /// The manifests of a repository that speak of `subject`, by digest.
    pub(super) fn referrers(&self, shown: &Shown, subject: &Digest) -> Vec<Referrer> {
        let nodes = shown.manifests.iter().filter_map(|d| self.nodes.get(d));
        let mut found: Vec<Referrer> = nodes
            .filter_map(|node| node.referrer.as_ref())
            .filter(|referrer| referrer.subject == *subject)
            .cloned()
            .collect();
        found.sort_by(|a, b| a.descriptor.digest.cmp(&b.descriptor.digest));
        found
    }

    /// Every manifest that was read, or should have been.
    pub(super) fn is_manifest(&self, digest: &Digest) -> bool {
        self.nodes.contains_key(digest) || self.damaged.contains_key(digest)
    }
}

fn use_of(users: &mut HashMap<Digest, Vec<usize>>, digest: &Digest, at: usize) {
    let entries = users.entry(digest.clone()).or_default();
    if entries.last() != Some(&at) {
        entries.push(at);
    }
}

fn name(blobs: &mut BTreeMap<Digest, Named>, blob: &Descriptor) {
    let named = blobs.entry(blob.digest.clone()).or_insert_with(|| Named {
        size: blob.size,
        contradicted: None,
        is_foreign: true,
    });
    if named.size != blob.size {
        named.contradicted = Some(blob.size);
    }
    named.is_foreign &= blob.is_foreign();
}
