//! What a delta relies on: blobs that its bundle leaves out because the target is said to have
//! them. They are looked for before anything is written, mounted where that works, and otherwise
//! copied inside the target.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;

use crate::content::{BlobStream, Failure, Source, Target};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// Blobs that are looked for at once; the registry client bounds the requests below.
const LOOKING: usize = 64;

/// A blob that one host must have somewhere.
#[derive(Debug, Clone)]
pub struct Relied {
    /// Which.
    pub blob: Descriptor,
    /// Repositories of that host where it may be, the likeliest first.
    pub candidates: Vec<Repository>,
}

/// Where blobs are known to lie at a target: one repository a host.
#[derive(Debug, Clone, Default)]
pub struct AtTarget(HashMap<Digest, Vec<Repository>>);

impl AtTarget {
    /// Adds a place.
    pub fn insert(&mut self, digest: Digest, repository: Repository) {
        self.0.entry(digest).or_default().push(repository);
    }

    /// Adds the places of another target.
    pub fn extend(&mut self, other: Self) {
        for (digest, places) in other.0 {
            self.0.entry(digest).or_default().extend(places);
        }
    }

    /// A repository of `host` that holds the blob.
    pub fn on_host(&self, digest: &Digest, host: &str) -> Option<&Repository> {
        let places = self.0.get(digest)?;
        places.iter().find(|place| place.host() == host)
    }

    fn any(&self, digest: &Digest) -> Option<&Repository> {
        self.0.get(digest)?.first()
    }
}

/// Looks for every blob in its candidates, in order, until it is found. Returns where they are,
/// and the indexes of those that are nowhere.
pub async fn locate<T: Target>(
    target: &T,
    relied: &[Relied],
) -> Result<(AtTarget, Vec<usize>), Failure> {
    let looking = futures_util::stream::iter(relied).map(|relied| async move {
        for candidate in &relied.candidates {
            if target.has_blob(candidate, &relied.blob).await? {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    });
    let found: Vec<Result<Option<&Repository>, Failure>> =
        looking.buffered(LOOKING).collect().await;
    let mut places = AtTarget::default();
    let mut missing = Vec::new();
    for (index, found) in found.into_iter().enumerate() {
        match found? {
            Some(place) => places.insert(relied[index].blob.digest.clone(), place.clone()),
            None => missing.push(index),
        }
    }
    Ok((places, missing))
}

/// A source whose missing blobs are read from the target itself: for a target that does not mount.
pub struct WithTarget<S, R> {
    source: Arc<S>,
    target: Arc<R>,
    at_target: AtTarget,
}

impl<S, R> WithTarget<S, R> {
    /// `source` for everything but the blobs in `at_target`.
    pub fn new(source: Arc<S>, target: Arc<R>, at_target: AtTarget) -> Self {
        Self {
            source,
            target,
            at_target,
        }
    }
}

impl<S: Source, R: Source> Source for WithTarget<S, R> {
    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        self.source.resolve(reference).await
    }

    async fn manifest(&self, reference: &Reference) -> Result<RawManifest, Failure> {
        self.source.manifest(reference).await
    }

    async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        match self.at_target.any(&descriptor.digest) {
            Some(place) => self.target.blob(place, descriptor, offset).await,
            None => self.source.blob(repository, descriptor, offset).await,
        }
    }

    fn explain(&self, blob: &Descriptor, failure: Failure) -> Failure {
        match self.at_target.any(&blob.digest) {
            Some(_) => failure,
            None => self.source.explain(blob, failure),
        }
    }

    fn paused_until(&self, repository: &Repository) -> Option<Instant> {
        self.source.paused_until(repository)
    }
}
