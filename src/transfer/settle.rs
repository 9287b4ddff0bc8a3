//! What each finished piece of work means for the plan: what it makes ready, what to try again,
//! what is lost.

use std::time::{Duration, Instant};

use tokio::task::{Id, JoinError};

use super::blob::{Landed, is_about_repository};
use super::graph::{BlobId, Change, ManifestId, PlaceId};
use super::image::CopyError;
use super::queue::{Job, Kind};
use super::run::{Done, Run, home, internal};
use crate::content::{Code, Retry, Source, Target};
use crate::event::{BlobOutcome, Event};
use crate::oci::Repository;

/// The longest own pause between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Bytes that hash wrongly are worth one more try: a proxy may have been cut in the middle.
const MISMATCH_ATTEMPTS: u32 = 2;

impl<S: Source, T: Target> Run<S, T> {
    pub(super) fn ended(&mut self, ended: Result<(Id, Done), JoinError>) {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((job, lane)) = self.running.remove(&id) else {
            return;
        };
        self.queue.release(lane);
        match (job.kind.clone(), done) {
            (Kind::Probe { blob, homes }, Ok(Done::Probed(answers))) => {
                self.probed(blob, &homes, answers);
            }
            (Kind::Copy { blob, homes }, Ok(Done::Copied(results))) => {
                self.copied(job.attempt, blob, &homes, results);
            }
            (Kind::Mount { place, .. } | Kind::Force { place }, Ok(Done::Brought(result))) => {
                self.brought(job, place, result);
            }
            (Kind::Put { manifest }, Ok(Done::Put(result))) => self.put(job, manifest, result),
            // A worker that panicked loses its own images and nobody else's.
            (_, _) => self.lose(&job, &CopyError::target(internal("a worker"))),
        }
    }

    fn probed(&mut self, blob: BlobId, homes: &[PlaceId], answers: Vec<Result<bool, CopyError>>) {
        let mut absent = Vec::new();
        for (&home, answer) in homes.iter().zip(answers) {
            // A HEAD that failed settles nothing: the upload will say what is wrong.
            if matches!(answer, Ok(true)) {
                self.landed(home, Landed::Present);
            } else {
                absent.push(home);
            }
        }
        if !absent.is_empty() {
            let size = self.graph.blobs[blob].descriptor.size;
            self.queue.push(
                Kind::Copy {
                    blob,
                    homes: absent,
                }
                .into(),
                size,
            );
        }
    }

    fn copied(
        &mut self,
        attempt: u32,
        blob: BlobId,
        homes: &[PlaceId],
        results: Vec<Result<Landed, CopyError>>,
    ) {
        for (&home, result) in homes.iter().zip(results) {
            match result {
                Ok(landed) => self.landed(home, landed),
                Err(error) => {
                    let job = Job {
                        kind: Kind::Copy {
                            blob,
                            homes: vec![home],
                        },
                        attempt,
                    };
                    self.failed(job, &error);
                }
            }
        }
    }

    /// The blob is in the first repository of a host: the others can have it from there.
    fn landed(&mut self, home: PlaceId, landed: Landed) {
        let blob = &self.graph.blobs[self.graph.places[home].blob];
        let size = blob.descriptor.size;
        let outcome = if landed == Landed::Sent {
            self.finished.blobs.transferred += 1;
            self.finished.sent += size;
            BlobOutcome::Transferred
        } else {
            self.finished.blobs.present += 1;
            BlobOutcome::Present
        };
        let name = blob.descriptor.digest.to_string();
        self.context.observer.event(Event::BlobFinished {
            blob: name,
            outcome,
            size,
        });
        let (id, host) = (self.graph.places[home].blob, self.graph.places[home].host);
        let from = self.graph.places[home].repository.clone();
        self.spread(id, host, &from);
    }

    /// The blob lies in a repository of the host, which need not be one of the plan's.
    pub(super) fn known(&mut self, blob: BlobId, host: usize, from: &Repository) {
        let descriptor = &self.graph.blobs[blob].descriptor;
        self.finished.blobs.present += 1;
        self.context.observer.event(Event::BlobFinished {
            blob: descriptor.digest.to_string(),
            outcome: BlobOutcome::Present,
            size: descriptor.size,
        });
        self.spread(blob, host, from);
    }

    /// Brings the blob from one repository of a host to all that need it there.
    fn spread(&mut self, blob: BlobId, host: usize, from: &Repository) {
        for place in self.graph.blobs[blob].hosts[host].clone() {
            if self.graph.places[place].repository == *from {
                self.placed(place);
            } else if !self.graph.places[place].done {
                let from = from.clone();
                self.queue.push(Kind::Mount { place, from }.into(), 0);
            }
        }
    }

    fn brought(&mut self, job: Job, place: PlaceId, result: Result<Landed, CopyError>) {
        match result {
            Ok(landed) => {
                if landed == Landed::Mounted {
                    self.finished.blobs.mounted += 1;
                } else {
                    self.finished.sent += self.size(&job);
                }
                self.placed(place);
            }
            Err(error) => self.failed(job, &error),
        }
    }

    fn put(&mut self, job: Job, manifest: ManifestId, result: Result<(), CopyError>) {
        match result {
            Ok(()) => {
                let change = self.graph.stored(manifest);
                self.apply(change, None);
            }
            Err(error) => {
                let missing = error.failure.code() == Code::ManifestBlobUnknown;
                if missing && !self.repaired.contains(&manifest) {
                    self.repair(manifest);
                } else {
                    self.failed(job, &self.explain(manifest, error));
                }
            }
        }
    }

    /// The registry had said that everything is there and now misses something: bring every part
    /// again, asking and not trusting what was learnt.
    fn repair(&mut self, manifest: ManifestId) {
        self.repaired.push(manifest);
        let (places, children) = self.graph.reopen(manifest);
        for child in children {
            self.queue.push(Kind::Put { manifest: child }.into(), 0);
        }
        for place in places {
            self.queue.push(Kind::Force { place }.into(), 0);
        }
        if self.graph.manifests[manifest].places.is_empty()
            && self.graph.manifests[manifest].children.is_empty()
        {
            self.queue.push(Kind::Put { manifest }.into(), 0);
        }
    }

    fn explain(&self, manifest: ManifestId, error: CopyError) -> CopyError {
        let foreign = self
            .content
            .get(&self.graph.manifests[manifest].digest)
            .is_some_and(|n| n.foreign);
        let refused = matches!(
            error.failure.code(),
            Code::ManifestInvalid | Code::ManifestBlobUnknown
        );
        if !(foreign && refused) {
            return error;
        }
        let hint = "the image has layers that are downloaded from elsewhere (`urls`), and this registry \
                    refuses such manifests; in Distribution allow them with \
                    validation.manifests.urls.allow, or leave the image out with --exclude";
        CopyError {
            failure: error.failure.hint(hint),
            ..error
        }
    }

    /// Tries again later, or gives the job's images up.
    fn failed(&mut self, mut job: Job, error: &CopyError) {
        job.attempt += 1;
        let backoff = (self.options.first_backoff * 2u32.saturating_pow(job.attempt - 1))
            .min(LONGEST_BACKOFF);
        let (pause, attempts) = match (error.failure.retry_class(), error.failure.code()) {
            (Retry::Never, Code::DigestMismatch | Code::SizeMismatch) => {
                (Some(backoff), MISMATCH_ATTEMPTS)
            }
            (Retry::Never, _) => (None, 0),
            (Retry::Backoff, _) => (Some(backoff), self.options.attempts),
            (Retry::After(pause), _) => (Some(pause.max(backoff)), self.options.attempts),
        };
        match pause {
            Some(pause) if job.attempt < attempts => {
                tracing::debug!(?job, %error, ?pause, "trying again");
                let size = self.size(&job);
                self.queue.push_later(job, size, Instant::now() + pause);
            }
            _ => self.lose(&job, error),
        }
    }

    fn lose(&mut self, job: &Job, error: &CopyError) {
        let mut changes = Vec::new();
        match &job.kind {
            Kind::Probe { homes, .. } | Kind::Copy { homes, .. } => {
                for &home in homes {
                    changes.extend(self.lose_blob(home, error));
                }
            }
            Kind::Mount { place, .. } | Kind::Force { place } => {
                changes.push(self.graph.lost_place(*place));
            }
            Kind::Put { manifest } => changes.push(self.graph.lost_manifest(*manifest)),
        }
        for change in changes {
            self.apply(change, Some(error));
        }
    }

    /// A repository that refuses does not speak for its neighbours: the next one of the host
    /// becomes the one that the bytes are sent to.
    fn lose_blob(&mut self, refusing: PlaceId, error: &CopyError) -> Vec<Change> {
        let (blob, host) = (
            self.graph.places[refusing].blob,
            self.graph.places[refusing].host,
        );
        if is_about_repository(error) {
            let change = self.graph.lost_place(refusing);
            if let Some(next) = home(&self.graph, blob, host) {
                let size = self.graph.blobs[blob].descriptor.size;
                self.queue.push(
                    Kind::Copy {
                        blob,
                        homes: vec![next],
                    }
                    .into(),
                    size,
                );
                return vec![change];
            }
            self.blob_failed(blob);
            return vec![change];
        }
        self.blob_failed(blob);
        let places = self.graph.blobs[blob].hosts[host].clone();
        places
            .into_iter()
            .map(|place| self.graph.lost_place(place))
            .collect()
    }

    fn blob_failed(&self, blob: BlobId) {
        let blob = self.graph.blobs[blob].descriptor.digest.to_string();
        self.context.observer.event(Event::BlobFailed { blob });
    }

    fn placed(&mut self, place: PlaceId) {
        let change = self.graph.placed(place);
        self.apply(change, None);
    }

    pub(super) fn apply(&mut self, change: Change, error: Option<&CopyError>) {
        for manifest in change.ready {
            self.queue.push(Kind::Put { manifest }.into(), 0);
        }
        for row in change.finished {
            (self.on_row)(row, None);
            self.finished.done.push(row);
        }
        for row in change.failed {
            if let Some(error) = error
                && !self.finished.errors.contains_key(&row)
            {
                (self.on_row)(row, Some(error));
                self.finished.errors.insert(row, error.clone());
            }
        }
    }
}
