//! Asking the cluster again and again, and reading the log in between.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::event::{RunEvent, WatchEnd};
use super::pods::e2e_container;
use super::state::{Look, RunState, Subject};
use crate::cluster::{Cluster, ClusterError, LogStream};
use crate::oci::Reference;

/// What is followed, and how patiently.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// The run's namespace.
    pub namespace: String,
    /// The run's images at the target: pods that cannot pull one of these are told.
    pub images: HashSet<Reference>,
    /// Between two looks at the cluster.
    pub interval: Duration,
    /// The longest wait between two tries while the cluster does not answer.
    pub longest_pause: Duration,
    /// How long the aggregator may take to start.
    pub start_patience: Duration,
    /// How long a pod of a test may be without a node before it is told.
    pub pending_patience: Duration,
    /// How long the cluster may be silent before following ends.
    pub give_up_after: Duration,
}

impl WatchOptions {
    /// For people: a look every five seconds, which is how often the aggregator speaks.
    pub fn new(namespace: &str, images: HashSet<Reference>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            images,
            interval: Duration::from_secs(5),
            longest_pause: Duration::from_mins(1),
            start_patience: Duration::from_mins(5),
            pending_patience: Duration::from_mins(3),
            give_up_after: Duration::from_hours(1),
        }
    }
}

/// Follows the run until it is over, or `stop` is cancelled, which leaves the run alone.
pub async fn watch(
    cluster: &Cluster,
    options: &WatchOptions,
    stop: &CancellationToken,
    mut observe: impl FnMut(RunEvent) + Send,
) -> WatchEnd {
    let follower = Follower::new(cluster, options);
    tokio::select! {
        end = follower.run(&mut observe) => end,
        () = stop.cancelled() => WatchEnd::Detached,
    }
}

struct Follower<'a> {
    cluster: &'a Cluster,
    options: &'a WatchOptions,
    state: RunState,
    log: Option<LogStream>,
    /// The log has been read to the end of its container, or may not be read.
    log_done: bool,
    failures: u32,
}

impl<'a> Follower<'a> {
    fn new(cluster: &'a Cluster, options: &'a WatchOptions) -> Self {
        let subject = Subject {
            namespace: options.namespace.clone(),
            plan: options.images.clone(),
            start_patience: options.start_patience,
            pending_patience: options.pending_patience,
            give_up_after: options.give_up_after,
        };
        Self {
            cluster,
            options,
            state: RunState::new(subject, Timestamp::now()),
            log: None,
            log_done: false,
            failures: 0,
        }
    }

    async fn run(mut self, observe: &mut (impl FnMut(RunEvent) + Send)) -> WatchEnd {
        loop {
            let events = self.look().await;
            events.into_iter().for_each(&mut *observe);
            if let Some(end) = self.state.end() {
                return end.clone();
            }
            let wait = tokio::time::sleep(self.pause());
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    piece = next_piece(&mut self.log) => {
                        let events = self.log_piece(piece);
                        events.into_iter().for_each(&mut *observe);
                    }
                }
            }
        }
    }

    /// The interval; while the cluster does not answer, twice as long each time.
    fn pause(&self) -> Duration {
        let doubled = self.options.interval * 2_u32.saturating_pow(self.failures.min(16));
        let longest = self.options.longest_pause.max(self.options.interval);
        doubled.min(longest)
    }

    async fn look(&mut self) -> Vec<RunEvent> {
        let (mut events, look) = match self.ask().await {
            Ok(asked) => asked,
            Err(error) => {
                self.failures += 1;
                return self.state.no_answer(Timestamp::now(), &error);
            }
        };
        self.failures = 0;
        events.extend(self.state.looked(Timestamp::now(), &look));
        events.extend(self.open_log(&look).await);
        events
    }

    async fn ask(&mut self) -> Result<(Vec<RunEvent>, Look), ClusterError> {
        let (pods, pending, tests) = tokio::join!(
            self.cluster.pods(&self.options.namespace),
            self.cluster.pending_pods(),
            self.cluster.test_namespaces(),
        );
        let pods = pods?;
        let mut events = Vec::new();
        let pending = self.unless_forbidden(pending, &mut events)?;
        let tests = self.unless_forbidden(tests, &mut events)?;
        let namespace = if pods.is_empty() {
            Some(self.cluster.namespace(&self.options.namespace).await?)
        } else {
            None
        };
        let look = Look {
            namespace,
            pods,
            pending,
            tests,
        };
        Ok((events, look))
    }

    fn unless_forbidden<T>(
        &mut self,
        answer: Result<Vec<T>, ClusterError>,
        events: &mut Vec<RunEvent>,
    ) -> Result<Vec<T>, ClusterError> {
        match answer {
            Err(error) if error.is_forbidden() => {
                events.extend(self.state.limited(&error));
                Ok(Vec::new())
            }
            answer => answer,
        }
    }

    /// Opens the log of the tests when it is there and not being read.
    async fn open_log(&mut self, look: &Look) -> Vec<RunEvent> {
        if self.log.is_some() || self.log_done {
            return Vec::new();
        }
        let Some((pod, container)) = e2e_container(&look.pods) else {
            return Vec::new();
        };
        if container.waiting.is_some() || pod.phase == "Pending" {
            return Vec::new();
        }
        let opened = self
            .cluster
            .follow_log(&pod.namespace, &pod.name, &container.name)
            .await;
        match opened {
            Ok(log) => {
                self.log = Some(log);
                self.state.log_opened();
                // The log of a container that has ended is read once.
                self.log_done = container.started.is_none();
                Vec::new()
            }
            Err(error) if error.is_forbidden() => {
                self.log_done = true;
                self.state.limited(&error)
            }
            // Not there yet, or the connection: the next look tries again.
            Err(_) => Vec::new(),
        }
    }

    fn log_piece(&mut self, piece: std::io::Result<Option<Bytes>>) -> Vec<RunEvent> {
        if let Ok(Some(piece)) = piece {
            return self.state.log_piece(Timestamp::now(), &piece);
        }
        // The end of the tests, or of the connection: the next look opens it again.
        self.log = None;
        self.log_done |= self.state.suite_ended();
        Vec::new()
    }
}

/// The next piece of the log; for ever pending while there is none.
async fn next_piece(log: &mut Option<LogStream>) -> std::io::Result<Option<Bytes>> {
    match log {
        Some(log) => log.next().await,
        None => std::future::pending().await,
    }
}
