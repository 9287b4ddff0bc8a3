//! The plan of a copy as a graph: blobs in repositories below manifests below tags. Pure: it
//! tells what is ready, done and lost as its parts report in, and does nothing itself.

use std::collections::HashMap;

use super::content::Content;
use crate::oci::{Descriptor, Digest, Reference, Repository};

pub(super) type BlobId = usize;
pub(super) type PlaceId = usize;
pub(super) type ManifestId = usize;
pub(super) type RowId = usize;

/// One image that has to get to one target.
pub(super) struct Wanted {
    /// Whose row in the report.
    pub(super) row: RowId,
    /// The manifest that the tag will name.
    pub(super) root: Digest,
    /// The tag.
    pub(super) target: Reference,
}

/// A blob, each digest once.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) descriptor: Descriptor,
    /// Repositories that hold it at the source, best first.
    pub(super) sources: Vec<Repository>,
    /// The first row that needs it.
    pub(super) row: RowId,
    /// The repositories that need it, gathered by target host. The first of each host is where
    /// the bytes are sent; the others are mounted from it.
    pub(super) hosts: Vec<Vec<PlaceId>>,
}

/// A blob in one target repository.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) blob: BlobId,
    /// Index into the blob's `hosts`.
    pub(super) host: usize,
    pub(super) repository: Repository,
    pub(super) done: bool,
    dependents: Vec<ManifestId>,
}

/// A manifest in one target repository, by digest or, for a root, by tag.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) at: Reference,
    pub(super) digest: Digest,
    pub(super) places: Vec<PlaceId>,
    pub(super) children: Vec<ManifestId>,
    /// Rows that are finished when this is.
    pub(super) rows: Vec<RowId>,
    state: State,
    parents: Vec<ManifestId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many blobs and children are not there yet.
    Waiting(usize),
    Done,
    Failed,
}

/// The plan and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) blobs: Vec<Blob>,
    pub(super) places: Vec<Place>,
    pub(super) manifests: Vec<Manifest>,
}

/// What became of manifests when something reported in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Manifests whose parts are all there: to be written now.
    pub(super) ready: Vec<ManifestId>,
    /// Rows that are finished.
    pub(super) finished: Vec<RowId>,
    /// Rows that are lost.
    pub(super) failed: Vec<RowId>,
}

#[derive(Default)]
struct Builder<'a> {
    graph: Graph,
    blobs: HashMap<&'a Digest, BlobId>,
    places: HashMap<(Repository, &'a Digest), PlaceId>,
    manifests: HashMap<Reference, ManifestId>,
}

impl Graph {
    /// Lays the plan. Every root and everything below it must be in `content`; what two images
    /// share is in the plan once.
    pub(super) fn build(wanted: &[Wanted], content: &Content) -> Self {
        let mut builder = Builder::default();
        for wanted in wanted {
            if let Some((root, node)) = content.get_key_value(&wanted.root) {
                let id = builder.manifest(&wanted.target, root, node, content, wanted.row);
                builder.graph.manifests[id].rows.push(wanted.row);
            }
        }
        builder.graph
    }

    /// Manifests that need nothing first, such as an index without children.
    pub(super) fn ready_at_start(&self) -> Vec<ManifestId> {
        let ready = |&id: &ManifestId| self.manifests[id].state == State::Waiting(0);
        (0..self.manifests.len()).filter(ready).collect()
    }

    /// The blob is in that repository now.
    pub(super) fn placed(&mut self, place: PlaceId) -> Change {
        let mut change = Change::default();
        if !std::mem::replace(&mut self.places[place].done, true) {
            for manifest in self.places[place].dependents.clone() {
                self.one_less(manifest, &mut change);
            }
        }
        change
    }

    /// The manifest is written.
    pub(super) fn stored(&mut self, manifest: ManifestId) -> Change {
        let mut change = Change::default();
        if self.manifests[manifest].state == State::Waiting(0) {
            self.manifests[manifest].state = State::Done;
            change.finished.clone_from(&self.manifests[manifest].rows);
            for parent in self.manifests[manifest].parents.clone() {
                self.one_less(parent, &mut change);
            }
        }
        change
    }

    /// The blob will not come to that repository.
    pub(super) fn lost_place(&mut self, place: PlaceId) -> Change {
        let mut change = Change::default();
        for manifest in self.places[place].dependents.clone() {
            self.fail(manifest, &mut change);
        }
        change
    }

    /// The manifest will not be written.
    pub(super) fn lost_manifest(&mut self, manifest: ManifestId) -> Change {
        let mut change = Change::default();
        self.fail(manifest, &mut change);
        change
    }

    /// Parts of a manifest turned out not to be there after all: they count as open again for
    /// everyone who waits, and the manifest becomes ready when they have reported in once more.
    pub(super) fn reopen(&mut self, manifest: ManifestId) -> (Vec<PlaceId>, Vec<ManifestId>) {
        let Manifest {
            places, children, ..
        } = &self.manifests[manifest];
        let (places, children) = (places.clone(), children.clone());
        self.manifests[manifest].state = State::Waiting(0);
        for &place in &places {
            if std::mem::take(&mut self.places[place].done) {
                for dependent in self.places[place].dependents.clone() {
                    self.one_more(dependent);
                }
            }
        }
        for &child in &children {
            if self.manifests[child].state == State::Done {
                self.manifests[child].state = State::Waiting(0);
                for parent in self.manifests[child].parents.clone() {
                    self.one_more(parent);
                }
            }
        }
        (places, children)
    }

    /// Whether anything that can still succeed needs the blob in that repository.
    pub(super) fn needs(&self, place: PlaceId) -> bool {
        let alive = |&id: &ManifestId| matches!(self.manifests[id].state, State::Waiting(_));
        self.places[place].dependents.iter().any(alive)
    }

    /// Whether the manifest can still be written.
    pub(super) fn is_open(&self, manifest: ManifestId) -> bool {
        matches!(self.manifests[manifest].state, State::Waiting(_))
    }

    /// Bytes to bring to the targets, each digest once a host.
    pub(super) fn unique_bytes(&self) -> u64 {
        self.blobs
            .iter()
            .map(|blob| blob.descriptor.size * blob.hosts.len() as u64)
            .sum()
    }

    fn one_less(&mut self, manifest: ManifestId, change: &mut Change) {
        if let State::Waiting(open) = &mut self.manifests[manifest].state {
            *open = open.saturating_sub(1);
            if *open == 0 {
                change.ready.push(manifest);
            }
        }
    }

    fn one_more(&mut self, manifest: ManifestId) {
        if let State::Waiting(open) = &mut self.manifests[manifest].state {
            *open += 1;
        }
    }

    fn fail(&mut self, manifest: ManifestId, change: &mut Change) {
        if !self.is_open(manifest) {
            return;
        }
        self.manifests[manifest].state = State::Failed;
        change.failed.extend(&self.manifests[manifest].rows);
        for parent in self.manifests[manifest].parents.clone() {
            self.fail(parent, change);
        }
    }
}

impl<'a> Builder<'a> {
    fn manifest(
        &mut self,
        at: &Reference,
        digest: &'a Digest,
        node: &'a super::content::Node,
        content: &'a Content,
        row: RowId,
    ) -> ManifestId {
        if let Some(&known) = self.manifests.get(at) {
            return known;
        }
        let mut children = Vec::new();
        for child in &node.children {
            if let Some(below) = content.get(&child.digest) {
                let at = at.repository().at(&child.digest);
                children.push(self.manifest(&at, &child.digest, below, content, row));
            }
        }
        let places: Vec<PlaceId> = node
            .blobs
            .iter()
            .map(|blob| self.place(at.repository(), blob, node, row))
            .collect();

        let id = self.graph.manifests.len();
        for &child in &children {
            self.graph.manifests[child].parents.push(id);
        }
        for &place in &places {
            self.graph.places[place].dependents.push(id);
        }
        self.graph.manifests.push(Manifest {
            at: at.clone(),
            digest: digest.clone(),
            state: State::Waiting(places.len() + children.len()),
            places,
            children,
            rows: Vec::new(),
            parents: Vec::new(),
        });
        self.manifests.insert(at.clone(), id);
        id
    }

    fn place(
        &mut self,
        repository: &Repository,
        descriptor: &'a Descriptor,
        node: &super::content::Node,
        row: RowId,
    ) -> PlaceId {
        let graph = &mut self.graph;
        let blob = *self.blobs.entry(&descriptor.digest).or_insert_with(|| {
            let descriptor = descriptor.clone();
            graph.blobs.push(Blob {
                descriptor,
                sources: Vec::new(),
                row,
                hosts: Vec::new(),
            });
            graph.blobs.len() - 1
        });
        let sources = &mut graph.blobs[blob].sources;
        if !sources.contains(&node.repository) {
            sources.push(node.repository.clone());
        }
        *self
            .places
            .entry((repository.clone(), &descriptor.digest))
            .or_insert_with(|| {
                let id = graph.places.len();
                let hosts = &mut graph.blobs[blob].hosts;
                let on_host = |places: &Vec<PlaceId>| {
                    places
                        .first()
                        .is_some_and(|&p| graph.places[p].repository.host() == repository.host())
                };
                let host = hosts.iter().position(on_host).unwrap_or_else(|| {
                    hosts.push(Vec::new());
                    hosts.len() - 1
                });
                hosts[host].push(id);
                let repository = repository.clone();
                graph.places.push(Place {
                    blob,
                    host,
                    repository,
                    done: false,
                    dependents: Vec::new(),
                });
                id
            })
    }
}
