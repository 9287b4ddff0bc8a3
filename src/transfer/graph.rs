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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::content::Node;
    use super::super::testing::{image_manifest, reference};
    use super::*;
    use crate::oci::{RawManifest, media_type};

    /// Images over a few shared blobs, indexes over a few images, names over all of them.
    fn plan(images: &[Vec<u8>], indexes: &[Vec<usize>], names: &[(usize, u8)]) -> (Graph, usize) {
        let mut content = Content::new();
        let mut roots: Vec<Digest> = Vec::new();
        let mut add = |manifest: RawManifest| {
            let digest = manifest.digest().clone();
            let repository = reference("up.io/x").repository().clone();
            let node = Node::new(manifest, repository).expect("a readable manifest");
            content.insert(digest.clone(), Arc::new(node));
            digest
        };
        for (number, layers) in images.iter().enumerate() {
            let blob = |b: &u8| Descriptor::new("layer", Digest::of(&[*b]), u64::from(*b));
            let config = Descriptor::new("config", Digest::of(&number.to_le_bytes()), 1);
            let layers: Vec<Descriptor> = layers.iter().map(blob).collect();
            roots.push(add(image_manifest(&config, &layers)));
        }
        for (number, children) in indexes.iter().enumerate() {
            let entry = |&child: &usize| {
                serde_json::json!({"mediaType": media_type::OCI_MANIFEST, "size": 1,
                    "digest": roots[child % images.len()]})
            };
            let entries: Vec<_> = children.iter().map(entry).collect();
            let body = serde_json::json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX,
                "manifests": entries, "number": number});
            roots.push(add(
                RawManifest::new(body.to_string().into(), None).expect("an index")
            ));
        }
        let wanted: Vec<Wanted> = names
            .iter()
            .enumerate()
            .map(|(row, (root, repository))| Wanted {
                row,
                root: roots[root % roots.len()].clone(),
                target: reference(&format!(
                    "t{}.io/r{}:tag{row}",
                    repository % 2,
                    repository / 2
                )),
            })
            .collect();
        (Graph::build(&wanted, &content), wanted.len())
    }

    proptest! {
        /// Whatever order work ends in and whatever is lost: a manifest becomes ready once and
        /// only when all its parts are there, and every row ends, in one way.
        #[test]
        fn every_row_ends_once_and_nothing_is_written_early(
            images in prop::collection::vec(prop::collection::vec(0u8..6, 0..4), 1..4),
            indexes in prop::collection::vec(prop::collection::vec(0usize..4, 0..4), 0..4),
            names in prop::collection::vec((0usize..8, 0u8..6), 1..6),
            order in prop::collection::vec(any::<u32>(), 200),
            lost in prop::collection::vec(0usize..40, 0..3),
        ) {
            let (mut graph, rows) = plan(&images, &indexes, &names);
            let mut work: Vec<Result<PlaceId, ManifestId>> = (0..graph.places.len()).map(Ok).collect();
            work.extend(graph.ready_at_start().into_iter().map(Err));
            let mut ready_before: HashSet<ManifestId> = graph.ready_at_start().into_iter().collect();
            let (mut placed, mut stored) = (HashSet::new(), HashSet::new());
            let (mut finished, mut failed) = (Vec::new(), Vec::new());
            let mut order = order.into_iter().cycle();
            while !work.is_empty() {
                let pick = order.next().expect("cycles") as usize % work.len();
                let change = match work.swap_remove(pick) {
                    Ok(place) if lost.contains(&place) => graph.lost_place(place),
                    Ok(place) => {
                        placed.insert(place);
                        graph.placed(place)
                    }
                    Err(manifest) if !graph.is_open(manifest) => continue,
                    Err(manifest) => {
                        let Manifest { places, children, .. } = &graph.manifests[manifest];
                        prop_assert!(places.iter().all(|p| placed.contains(p)));
                        prop_assert!(children.iter().all(|c| stored.contains(c)));
                        stored.insert(manifest);
                        graph.stored(manifest)
                    }
                };
                for manifest in change.ready {
                    prop_assert!(ready_before.insert(manifest), "ready twice");
                    work.push(Err(manifest));
                }
                finished.extend(change.finished);
                failed.extend(change.failed);
            }
            let mut ended: Vec<RowId> = finished.iter().chain(&failed).copied().collect();
            ended.sort_unstable();
            prop_assert_eq!(ended, (0..rows).collect::<Vec<_>>());
            if lost.iter().all(|&place| place >= graph.places.len()) {
                prop_assert!(failed.is_empty());
            }
        }

        /// A blob has exactly one place a repository, and its hosts part its places.
        #[test]
        fn a_digest_is_in_the_plan_once(
            images in prop::collection::vec(prop::collection::vec(0u8..6, 0..4), 1..4),
            names in prop::collection::vec((0usize..4, 0u8..6), 1..6),
        ) {
            let (graph, _) = plan(&images, &[], &names);
            let digests: HashSet<&Digest> = graph.blobs.iter().map(|b| &b.descriptor.digest).collect();
            prop_assert_eq!(digests.len(), graph.blobs.len());
            let places: HashSet<_> = graph.places.iter().map(|p| (p.blob, &p.repository)).collect();
            prop_assert_eq!(places.len(), graph.places.len());
            for (id, place) in graph.places.iter().enumerate() {
                prop_assert!(graph.blobs[place.blob].hosts[place.host].contains(&id));
            }
        }
    }
}
