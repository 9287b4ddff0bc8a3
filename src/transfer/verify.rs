//! Whether a target really holds what it should: every manifest read and hashed, every blob
//! there with its size, and on demand every byte read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::content::Node;
use super::image::{CopyError, Outcome};
use super::report::{ErrorRow, ImageRow};
use super::resolve::unreadable;
use crate::bundle::External;
use crate::content::{Code, Failure, Retry, Source, Target, Verified};
use crate::event::{BlobOutcome, Event, ImageStatus, Observer};
use crate::oci::{Descriptor, Digest, PlatformSelection, Reference, Repository};

/// Requests that are prepared at once; the registry client bounds what is really sent.
const CHECKING: usize = 64;

/// Readings of one blob before it counts as unreadable.
const READINGS: u32 = 3;

/// One image to check.
#[derive(Debug, Clone)]
pub struct Check {
    /// The upstream name, for the report.
    pub source: Reference,
    /// Where it should be.
    pub target: Reference,
    /// The digest it should have, when that is known.
    pub expected: Option<Digest>,
}

/// How to check.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// Children of an index for other platforms are not looked for.
    pub platforms: PlatformSelection,
    /// Read and hash every blob instead of asking for its size.
    pub deep: bool,
    /// Blobs read at once.
    pub jobs: usize,
}

/// An image's manifests in the order they were read.
type Tree = Vec<Arc<Node>>;

/// Checks images at a target. A row is `present` when it is sound and `failed` otherwise.
pub async fn verify<R: Source + Target>(
    registry: Arc<R>,
    images: &[Check],
    options: &VerifyOptions,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
) -> Outcome {
    let checking = check(registry, images, options, observer.clone());
    let mut outcome = tokio::select! {
        outcome = checking => outcome,
        () = cancel.cancelled() => Outcome::default(),
    };
    outcome.cancelled = cancel.is_cancelled();
    outcome
}

async fn check<R: Source + Target>(
    registry: Arc<R>,
    images: &[Check],
    options: &VerifyOptions,
    observer: Arc<dyn Observer>,
) -> Outcome {
    observer.event(Event::Resolving {
        images: images.len(),
    });
    let trees: Vec<Result<Tree, Failure>> = futures_util::stream::iter(images)
        .map(|image| {
            let (registry, observer) = (&registry, &observer);
            async move {
                let tree = read_tree(&**registry, image, &options.platforms).await;
                observer.event(Event::Resolved {
                    image: image.target.to_string(),
                });
                tree
            }
        })
        .buffered(CHECKING)
        .collect()
        .await;

    let blobs = Blobs::of(images, &trees);
    let mut outcome = Outcome::default();
    outcome.bytes.unique = blobs.unique.values().map(|(_, blob)| blob.size).sum();
    outcome.bytes.logical = trees
        .iter()
        .flatten()
        .flatten()
        .map(|node| node.logical)
        .sum();
    observer.event(Event::Planned {
        images: images.len(),
        to_copy: 0,
        platforms: 0,
        blobs: blobs.unique.len(),
        bytes: if options.deep {
            outcome.bytes.unique
        } else {
            0
        },
        logical: outcome.bytes.logical,
    });
    let mut damage = absent(&*registry, &blobs).await;
    if options.deep {
        let sound = |(place, _): &(&(String, Digest), _)| !damage.contains_host(place);
        let readable = blobs
            .unique
            .iter()
            .filter(sound)
            .map(|(_, blob)| blob.clone())
            .collect();
        damage.read = unreadable_blobs(&registry, readable, options.jobs, &observer).await;
    }

    outcome.blobs.present = blobs
        .unique
        .keys()
        .filter(|place| !damage.contains_host(place))
        .count() as u64;
    outcome.blobs.unique = outcome.blobs.present;
    let mut held = Held::default();
    for (index, (image, tree)) in images.iter().zip(&trees).enumerate() {
        let verdict = judge(image, tree, &damage);
        if verdict.is_ok() {
            held.add(image, tree.iter().flatten());
        }
        let error = verdict.err().map(CopyError::target);
        let root = tree.as_ref().ok().and_then(|tree| tree.first());
        let status = if error.is_some() {
            ImageStatus::Failed
        } else {
            ImageStatus::Present
        };
        observer.event(Event::ImageFinished {
            image: image.source.to_string(),
            target: image.target.to_string(),
            status,
            error: error.as_ref().map(|error| error.failure.to_string()),
        });
        outcome.images.push(ImageRow {
            source: image.source.to_string(),
            target: Some(image.target.to_string()),
            source_digest: image.expected.as_ref().map(Digest::to_string),
            target_digest: root.map(|node| node.manifest.digest().to_string()),
            status,
            error: error.as_ref().map(ErrorRow::from),
        });
        outcome.errors.extend(error.map(|error| (index, error)));
    }
    outcome.held = held.into_rows();
    outcome
}

/// Blobs that were found where they should be: digest ▶ size, upstream repositories.
#[derive(Default)]
struct Held(BTreeMap<Digest, (u64, BTreeSet<String>)>);

impl Held {
    fn add<'a>(&mut self, image: &Check, tree: impl Iterator<Item = &'a Arc<Node>>) {
        let repository = image.source.repository().to_string();
        for blob in tree.flat_map(|node| &node.blobs) {
            let row = self.0.entry(blob.digest.clone());
            let (_, repositories) = row.or_insert_with(|| (blob.size, BTreeSet::new()));
            repositories.insert(repository.clone());
        }
    }

    fn into_rows(self) -> Vec<External> {
        let rows = self.0.into_iter();
        rows.map(|(digest, (size, repositories))| External {
            digest,
            size,
            repositories: repositories.into_iter().collect(),
        })
        .collect()
    }
}

/// Reads an image's manifests from the top down.
async fn read_tree<R: Source>(
    registry: &R,
    image: &Check,
    platforms: &PlatformSelection,
) -> Result<Tree, Failure> {
    let root = registry.manifest(&image.target).await?;
    if let Some(expected) = image
        .expected
        .as_ref()
        .filter(|digest| *digest != root.digest())
    {
        let message = format!(
            "the tag names {} where {expected} is expected",
            root.digest()
        );
        return Err(
            Failure::new(Code::DigestMismatch, image.target.host(), message)
                .at(&image.target)
                .hint("mirror again to bring the tag back to what was mirrored"),
        );
    }
    let mut tree = Tree::new();
    let node = Node::new(root, image.target.repository().clone())
        .map_err(|error| unreadable(&image.target, &error))?;
    let mut open = vec![Arc::new(node)];
    // Digests cannot form a cycle; a child that stands in two indexes is read once.
    let mut seen: HashSet<Digest> = HashSet::new();
    while let Some(node) = open.pop() {
        let children = node.children.iter().filter(|child| {
            let wanted = child
                .platform
                .as_ref()
                .is_none_or(|p| p.is_unknown() || platforms.wants(p));
            wanted && seen.insert(child.digest.clone())
        });
        let reading = children.map(|child| read_child(registry, image.target.repository(), child));
        open.extend(futures_util::future::try_join_all(reading).await?);
        tree.push(node);
    }
    Ok(tree)
}

fn read_child<'a, R: Source>(
    registry: &'a R,
    repository: &'a Repository,
    child: &'a Descriptor,
) -> BoxFuture<'a, Result<Arc<Node>, Failure>> {
    async move {
        let at = repository.at(&child.digest);
        let manifest = registry.manifest(&at).await?;
        Node::new(manifest, repository.clone())
            .map(Arc::new)
            .map_err(|e| unreadable(&at, &e))
    }
    .boxed()
}

/// The blobs to ask for.
struct Blobs {
    /// Each in each repository.
    places: HashSet<(Repository, Digest)>,
    /// Sizes by digest.
    descriptors: HashMap<Digest, Descriptor>,
    /// Each once a host, with one repository to read it from.
    unique: HashMap<(String, Digest), (Repository, Descriptor)>,
}

impl Blobs {
    fn of(images: &[Check], trees: &[Result<Tree, Failure>]) -> Self {
        let mut blobs = Self {
            places: HashSet::new(),
            descriptors: HashMap::new(),
            unique: HashMap::new(),
        };
        for (image, tree) in images.iter().zip(trees) {
            let repository = image.target.repository();
            for blob in tree.iter().flatten().flat_map(|node| &node.blobs) {
                blobs
                    .places
                    .insert((repository.clone(), blob.digest.clone()));
                blobs.descriptors.insert(blob.digest.clone(), blob.clone());
                let place = (repository.host().to_owned(), blob.digest.clone());
                blobs
                    .unique
                    .entry(place)
                    .or_insert_with(|| (repository.clone(), blob.clone()));
            }
        }
        blobs
    }
}

/// What is wrong with which blobs.
#[derive(Default)]
struct Damage {
    absent: HashMap<(Repository, Digest), Failure>,
    read: HashMap<(String, Digest), Failure>,
}

impl Damage {
    fn of(&self, repository: &Repository, digest: &Digest) -> Option<&Failure> {
        let absent = self.absent.get(&(repository.clone(), digest.clone()));
        absent.or_else(|| {
            self.read
                .get(&(repository.host().to_owned(), digest.clone()))
        })
    }

    fn contains_host(&self, place: &(String, Digest)) -> bool {
        self.read.contains_key(place)
            || self
                .absent
                .keys()
                .any(|(r, digest)| r.host() == place.0 && *digest == place.1)
    }
}

async fn absent<R: Target>(registry: &R, blobs: &Blobs) -> Damage {
    let asked = futures_util::stream::iter(&blobs.places).map(|(repository, digest)| async move {
        let blob = blobs.descriptors.get(digest)?;
        let failure = match registry.has_blob(repository, blob).await {
            Ok(true) => return None,
            Ok(false) => {
                let message = format!(
                    "the blob of {} bytes is missing or has another size",
                    blob.size
                );
                Failure::new(Code::NotFound, repository.host(), message)
                    .at(&repository.at(digest))
                    .hint("mirror again: what is missing is sent, what is there is not")
            }
            Err(failure) => failure,
        };
        Some(((repository.clone(), digest.clone()), failure))
    });
    let absent = asked
        .buffer_unordered(CHECKING)
        .filter_map(std::future::ready)
        .collect()
        .await;
    Damage {
        absent,
        ..Damage::default()
    }
}

/// Reads blobs to their end, some at once, on all cores.
async fn unreadable_blobs<R: Source>(
    registry: &Arc<R>,
    blobs: Vec<(Repository, Descriptor)>,
    jobs: usize,
    observer: &Arc<dyn Observer>,
) -> HashMap<(String, Digest), Failure> {
    let mut damage = HashMap::new();
    let mut readers: JoinSet<Option<((String, Digest), Failure)>> = JoinSet::new();
    let mut blobs = blobs.into_iter();
    loop {
        while readers.len() < jobs.max(1)
            && let Some((repository, blob)) = blobs.next()
        {
            let (registry, observer) = (registry.clone(), observer.clone());
            readers.spawn(async move {
                let failure = read_blob(&*registry, &repository, &blob, &*observer)
                    .await
                    .err()?;
                Some(((repository.host().to_owned(), blob.digest), failure))
            });
        }
        match readers.join_next().await {
            Some(Ok(read)) => damage.extend(read),
            Some(Err(error)) => tracing::error!(%error, "a reader ended unexpectedly"),
            None => return damage,
        }
    }
}

async fn read_blob<R: Source>(
    registry: &R,
    repository: &Repository,
    blob: &Descriptor,
    observer: &dyn Observer,
) -> Result<(), Failure> {
    let name = blob.digest.to_string();
    let mut attempt = 0;
    loop {
        attempt += 1;
        match read_once(registry, repository, blob, &name, observer).await {
            Ok(()) => {
                let (outcome, size) = (BlobOutcome::Present, blob.size);
                observer.event(Event::BlobFinished {
                    blob: name,
                    outcome,
                    size,
                });
                return Ok(());
            }
            Err(failure) if attempt < READINGS && failure.retry_class() != Retry::Never => {
                if let Retry::After(pause) = failure.retry_class() {
                    tokio::time::sleep(pause).await;
                }
            }
            Err(failure) => return Err(failure.at(&repository.at(&blob.digest))),
        }
    }
}

async fn read_once<R: Source>(
    registry: &R,
    repository: &Repository,
    blob: &Descriptor,
    name: &str,
    observer: &dyn Observer,
) -> Result<(), Failure> {
    let mut verified = Verified::new(blob);
    if blob.size > 0 {
        let mut stream = registry.blob(repository, blob, 0).await?;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            let bytes = chunk.len() as u64;
            verified.push(chunk, repository.host())?;
            observer.event(Event::BlobProgress {
                blob: name.to_owned(),
                bytes,
            });
        }
    }
    verified.finish(repository.host()).map(drop)
}

fn judge(image: &Check, tree: &Result<Tree, Failure>, damage: &Damage) -> Result<(), Failure> {
    let repository = image.target.repository();
    let tree = tree.as_ref().map_err(Failure::clone)?;
    let mut blobs = tree.iter().flat_map(|node| &node.blobs);
    match blobs.find_map(|blob| damage.of(repository, &blob.digest)) {
        Some(failure) => Err(failure.clone()),
        None => Ok(()),
    }
}
