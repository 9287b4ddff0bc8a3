//! The second half of a copy: work through the plan. One task owns the graph and the queue;
//! workers only do I/O and report back, so there are no locks and no permits to deadlock on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinError, JoinSet};

use super::blob::{BlobWork, Context, Landed, is_about_repository};
use super::content::Content;
use super::graph::{BlobId, Change, Graph, ManifestId, PlaceId, RowId};
use super::image::{CopyError, CopyOptions};
use super::queue::{Job, Kind, LARGE, Lane, Queue};
use super::report::Blobs;
use crate::content::{Code, Failure, Retry, Source, Target};
use crate::event::{BlobOutcome, Event};
use crate::oci::Repository;

/// After a stop, requests under way get this long to end by themselves.
const GRACE: Duration = Duration::from_secs(3);

/// The longest own pause between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Bytes that hash wrongly are worth one more try: a proxy may have been cut in the middle.
const MISMATCH_ATTEMPTS: u32 = 2;

/// What a worker reports.
enum Done {
    Probed(Vec<Result<bool, CopyError>>),
    Copied(Vec<Result<Landed, CopyError>>),
    Brought(Result<Landed, CopyError>),
    Put(Result<(), CopyError>),
}

/// What became of the plan.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) errors: HashMap<RowId, CopyError>,
    pub(super) done: Vec<RowId>,
    pub(super) blobs: Blobs,
    pub(super) sent: u64,
}

pub(super) struct Run<S, T> {
    context: Arc<Context<S, T>>,
    content: Arc<Content>,
    graph: Graph,
    queue: Queue,
    options: CopyOptions,
    /// The source reference of each row, for people.
    names: Vec<String>,
    workers: JoinSet<Done>,
    running: HashMap<Id, (Job, Lane)>,
    /// Manifests that were repaired once after the registry missed one of their parts.
    repaired: Vec<ManifestId>,
    finished: Finished,
    /// Called for each row as it ends.
    on_row: Box<dyn Fn(RowId, Option<&CopyError>) + Send + Sync>,
}

impl<S: Source, T: Target> Run<S, T> {
    pub(super) fn new(
        context: Arc<Context<S, T>>,
        content: Arc<Content>,
        graph: Graph,
        options: CopyOptions,
        names: Vec<String>,
        on_row: Box<dyn Fn(RowId, Option<&CopyError>) + Send + Sync>,
    ) -> Self {
        let queue = Queue::new(options.jobs);
        Self {
            context,
            content,
            graph,
            queue,
            options,
            names,
            workers: JoinSet::new(),
            running: HashMap::new(),
            repaired: Vec::new(),
            finished: Finished::default(),
            on_row,
        }
    }

    /// Works until everything is done or lost, or the run is cancelled.
    pub(super) async fn work(mut self) -> Finished {
        self.try_projects().await;
        self.enqueue_all();
        let cancel = self.context.cancel.clone();
        loop {
            self.start_ready();
            if self.running.is_empty() && self.queue.next_delayed().is_none() {
                break;
            }
            let delayed = self.queue.next_delayed();
            let wake = tokio::time::Instant::from_std(delayed.unwrap_or_else(Instant::now));
            tokio::select! {
                Some(ended) = self.workers.join_next_with_id() => self.ended(ended),
                () = tokio::time::sleep_until(wake), if delayed.is_some() => {}
                () = cancel.cancelled() => {
                    self.stop().await;
                    break;
                }
            }
        }
        self.finished.blobs.unique = self.finished.blobs.transferred + self.finished.blobs.present;
        self.finished
    }

    /// Lets small requests end, so that what they achieved is known; bodies stop by the token.
    async fn stop(&mut self) {
        let deadline = tokio::time::Instant::now() + GRACE;
        while let Ok(Some(ended)) =
            tokio::time::timeout_at(deadline, self.workers.join_next_with_id()).await
        {
            self.ended(ended);
        }
        self.workers.shutdown().await;
    }

    /// Before the first big byte, each project is asked whether it takes anything at all: a
    /// missing Harbor project or a read-only account should not show after ten gigabytes.
    async fn try_projects(&mut self) {
        let mut projects: HashMap<(String, String), Repository> = HashMap::new();
        for manifest in &self.graph.manifests {
            let repository = manifest.at.repository();
            let project = repository
                .path()
                .split('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            projects
                .entry((repository.host().to_owned(), project))
                .or_insert_with(|| repository.clone());
        }
        let target = &self.context.target;
        let asked = projects
            .into_iter()
            .map(|(project, repository)| async move {
                (project, target.try_repository(&repository).await)
            });
        for (project, answer) in futures_util::future::join_all(asked).await {
            if let Err(failure) = answer {
                let error = CopyError::target(failure);
                for id in 0..self.graph.manifests.len() {
                    let repository = self.graph.manifests[id].at.repository();
                    let first = repository.path().split('/').next().unwrap_or_default();
                    if repository.host() == project.0 && first == project.1 {
                        let change = self.graph.lost_manifest(id);
                        self.apply(change, Some(&error));
                    }
                }
            }
        }
    }

    fn enqueue_all(&mut self) {
        let mut order: Vec<BlobId> = (0..self.graph.blobs.len()).collect();
        order.sort_by_key(|&id| std::cmp::Reverse(self.graph.blobs[id].descriptor.size));
        for blob in order {
            let size = self.graph.blobs[blob].descriptor.size;
            let homes = self.graph.blobs[blob]
                .hosts
                .iter()
                .filter_map(|h| h.first().copied())
                .collect();
            let kind = if size >= LARGE {
                Kind::Probe { blob, homes }
            } else {
                Kind::Copy { blob, homes }
            };
            self.queue.push(kind.into(), size);
        }
        for manifest in self.graph.ready_at_start() {
            self.queue.push(Kind::Put { manifest }.into(), 0);
        }
    }

    fn start_ready(&mut self) {
        let now = Instant::now();
        while let Some((job, lane)) = self.queue.pop(now) {
            let Some(job) = self.still_needed(job) else {
                self.queue.release(lane);
                continue;
            };
            if let Some(at) = self.paused_until(&job).filter(|at| *at > now) {
                self.queue.release(lane);
                let size = self.size(&job);
                self.queue.push_later(job, size, at);
                continue;
            }
            self.spawn(job, lane);
        }
    }

    /// Drops what only lost images wanted; a home that is lost gives way to the next repository
    /// of its host.
    fn still_needed(&self, mut job: Job) -> Option<Job> {
        let graph = &self.graph;
        match &mut job.kind {
            Kind::Probe { blob, homes } | Kind::Copy { blob, homes } => {
                let current = homes.iter().filter_map(|&place| {
                    if graph.needs(place) {
                        Some(place)
                    } else {
                        home(graph, *blob, graph.places[place].host)
                    }
                });
                *homes = current.collect();
                (!homes.is_empty()).then_some(job)
            }
            Kind::Mount { place, .. } | Kind::Force { place } => graph.needs(*place).then_some(job),
            Kind::Put { manifest } => graph.is_open(*manifest).then_some(job),
        }
    }

    fn paused_until(&self, job: &Job) -> Option<Instant> {
        let target = |place: PlaceId| {
            self.context
                .target
                .paused_until(&self.graph.places[place].repository)
        };
        let source = |blob: BlobId| {
            let repository = self.graph.blobs[blob].sources.first()?;
            self.context.source.paused_until(repository)
        };
        match &job.kind {
            Kind::Probe { homes, .. } => homes.iter().filter_map(|&place| target(place)).max(),
            Kind::Copy { blob, homes } => homes
                .iter()
                .filter_map(|&place| target(place))
                .chain(source(*blob))
                .max(),
            Kind::Mount { place, .. } | Kind::Force { place } => target(*place),
            Kind::Put { manifest } => self
                .context
                .target
                .paused_until(self.graph.manifests[*manifest].at.repository()),
        }
    }

    fn spawn(&mut self, job: Job, lane: Lane) {
        let context = self.context.clone();
        let handle = match &job.kind {
            Kind::Probe { blob, homes } => {
                let (work, homes) = (self.work_of(*blob), self.repositories(homes));
                self.workers
                    .spawn(async move { Done::Probed(context.probe(&work, &homes).await) })
            }
            Kind::Copy { blob, homes } => {
                let (work, homes) = (self.work_of(*blob), self.repositories(homes));
                self.workers
                    .spawn(async move { Done::Copied(context.copy(&work, &homes).await) })
            }
            Kind::Mount { place, from } => {
                let work = self.work_of(self.graph.places[*place].blob);
                let to = self.graph.places[*place].repository.clone();
                let from = self.graph.places[*from].repository.clone();
                self.workers.spawn(async move {
                    Done::Brought(context.mount(&work, &to, Some(&from)).await)
                })
            }
            Kind::Force { place } => {
                let work = self.work_of(self.graph.places[*place].blob);
                let to = self.graph.places[*place].repository.clone();
                self.workers
                    .spawn(async move { Done::Brought(context.mount(&work, &to, None).await) })
            }
            Kind::Put { manifest } => {
                let at = self.graph.manifests[*manifest].at.clone();
                let node = self
                    .content
                    .get(&self.graph.manifests[*manifest].digest)
                    .cloned();
                self.workers.spawn(async move {
                    Done::Put(match node {
                        Some(node) => context
                            .target
                            .put_manifest(&at, &node.manifest)
                            .await
                            .map_err(CopyError::target),
                        None => Err(CopyError::source(internal(&at.to_string()))),
                    })
                })
            }
        };
        self.running.insert(handle.id(), (job, lane));
    }

    fn ended(&mut self, ended: Result<(Id, Done), JoinError>) {
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
                self.probed(blob, &homes, answers)
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
        for &place in &blob.hosts[self.graph.places[home].host] {
            if place != home && !self.graph.places[place].done {
                self.queue.push(Kind::Mount { place, from: home }.into(), 0);
            }
        }
        self.placed(home);
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
                changes.push(self.graph.lost_place(*place))
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

    fn apply(&mut self, change: Change, error: Option<&CopyError>) {
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

    fn work_of(&self, blob: BlobId) -> BlobWork {
        let blob = &self.graph.blobs[blob];
        BlobWork {
            descriptor: blob.descriptor.clone(),
            sources: blob.sources.clone(),
            image: self.names.get(blob.row).cloned().unwrap_or_default(),
        }
    }

    fn repositories(&self, places: &[PlaceId]) -> Vec<Repository> {
        places
            .iter()
            .map(|&place| self.graph.places[place].repository.clone())
            .collect()
    }

    fn size(&self, job: &Job) -> u64 {
        let blob = match &job.kind {
            Kind::Probe { blob, .. } | Kind::Copy { blob, .. } => *blob,
            Kind::Mount { place, .. } | Kind::Force { place } => self.graph.places[*place].blob,
            Kind::Put { .. } => return 0,
        };
        self.graph.blobs[blob].descriptor.size
    }
}

/// The repository of a host that a blob is sent to: the first that still needs it.
fn home(graph: &Graph, blob: BlobId, host: usize) -> Option<PlaceId> {
    graph.blobs[blob].hosts[host]
        .iter()
        .copied()
        .find(|&place| graph.needs(place))
}

fn internal(what: &str) -> Failure {
    Failure::new(Code::Local, "airbuoy", format!("{what} ended unexpectedly"))
        .hint("this is a bug in airbuoy: please report it with the output of -vv")
}

impl<S, T> Context<S, T> {
    /// Bytes that came to nothing.
    pub(super) fn wasted(&self) -> u64 {
        self.wasted.load(Ordering::Relaxed)
    }
}
