//! The second half of a copy: work through the plan. One task owns the graph and the queue;
//! workers only do I/O and report back, so there are no locks and no permits to deadlock on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};

use super::blob::{BlobWork, Context, Landed};
use super::content::Content;
use super::graph::{BlobId, Graph, ManifestId, PlaceId, RowId};
use super::image::{CopyError, CopyOptions};
use super::queue::{Job, Kind, LARGE, Lane, Queue};
use super::report::Blobs;
use crate::content::{Code, Failure, Source, Target};
use crate::oci::Repository;

/// After a stop, requests under way get this long to end by themselves.
const GRACE: Duration = Duration::from_secs(3);

/// What a worker reports.
pub(super) enum Done {
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

/// Called for each row as it ends, with what it failed of.
pub(super) type OnRow = Box<dyn Fn(RowId, Option<&CopyError>) + Send + Sync>;

/// A plan at work.
pub(super) struct Run<S, T> {
    pub(super) context: Arc<Context<S, T>>,
    pub(super) content: Arc<Content>,
    pub(super) graph: Graph,
    pub(super) queue: Queue,
    pub(super) options: CopyOptions,
    /// The source reference of each row, for people.
    names: Vec<String>,
    workers: JoinSet<Done>,
    pub(super) running: HashMap<Id, (Job, Lane)>,
    /// Manifests that were repaired once after the registry missed one of their parts.
    pub(super) repaired: Vec<ManifestId>,
    pub(super) finished: Finished,
    pub(super) on_row: OnRow,
}

impl<S: Source, T: Target> Run<S, T> {
    pub(super) fn new(
        context: Arc<Context<S, T>>,
        content: Arc<Content>,
        graph: Graph,
        options: CopyOptions,
        names: Vec<String>,
        on_row: OnRow,
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
            let mut homes = Vec::new();
            for host in 0..self.graph.blobs[blob].hosts.len() {
                let Some(&first) = self.graph.blobs[blob].hosts[host].first() else {
                    continue;
                };
                let digest = &self.graph.blobs[blob].descriptor.digest;
                let on = self.graph.places[first].repository.host();
                match self.options.at_target.on_host(digest, on).cloned() {
                    Some(from) => self.known(blob, host, &from),
                    None => homes.push(first),
                }
            }
            if homes.is_empty() {
                continue;
            }
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
                let from = from.clone();
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

    pub(super) fn work_of(&self, blob: BlobId) -> BlobWork {
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

    pub(super) fn size(&self, job: &Job) -> u64 {
        let blob = match &job.kind {
            Kind::Probe { blob, .. } | Kind::Copy { blob, .. } => *blob,
            Kind::Mount { place, .. } | Kind::Force { place } => self.graph.places[*place].blob,
            Kind::Put { .. } => return 0,
        };
        self.graph.blobs[blob].descriptor.size
    }
}

/// The repository of a host that a blob is sent to: the first that still needs it.
pub(super) fn home(graph: &Graph, blob: BlobId, host: usize) -> Option<PlaceId> {
    graph.blobs[blob].hosts[host]
        .iter()
        .copied()
        .find(|&place| graph.needs(place))
}

pub(super) fn internal(what: &str) -> Failure {
    Failure::new(Code::Local, "airbuoy", format!("{what} ended unexpectedly"))
        .hint("this is a bug in airbuoy: please report it with the output of -vv")
}
