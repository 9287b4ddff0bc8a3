//! What is known of a run, and what is new in what was just heard. Pure: clocks and connections
//! are the caller's.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{Progress, RunEvent, WatchEnd};
use super::pods::{aggregator, e2e_container, why_waiting};
use super::pull::PullTrouble;
use crate::cluster::{ClusterError, Container, NamespaceState, Pod, TestNamespace, Waiting};
use crate::oci::Reference;
use crate::sonobuoy::progress::{LogEvent, LogReader, Tally};
use crate::sonobuoy::status::{STATUS_ANNOTATION, Status};

/// What does not change while a run is followed.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The run's namespace.
    pub(super) namespace: String,
    /// The images at the target. Tests also pull images that must fail, which are not among them.
    pub(super) plan: HashSet<Reference>,
    /// How long the aggregator may take to start.
    pub(super) start_patience: Duration,
    /// How long a test's pod may be without a node: some tests want it to be, for a while.
    pub(super) pending_patience: Duration,
    /// How long the cluster may be silent.
    pub(super) give_up_after: Duration,
}

/// What one look at the cluster showed.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Asked only when no aggregator was seen.
    pub(super) namespace: Option<NamespaceState>,
    /// The run's own pods.
    pub(super) pods: Vec<Pod>,
    /// Pods of all namespaces in phase `Pending`; none without the right to see them.
    pub(super) pending: Vec<Pod>,
    /// Namespaces of tests; none without the right to see them.
    pub(super) tests: Vec<TestNamespace>,
}

#[derive(Debug)]
pub(super) struct RunState {
    subject: Subject,
    begun_at: Timestamp,
    heard_at: Timestamp,
    lost: bool,
    seen: bool,
    aggregator_created: Option<Timestamp>,
    tests_started: Option<Timestamp>,
    last_status: Option<Status>,
    waiting: String,
    cannot_start: Option<PullTrouble>,
    told: BTreeSet<(&'static str, String)>,
    log: LogReader,
    log_was_read: bool,
    best: Tally,
    namespaces: HashSet<String>,
    progress: Progress,
    end: Option<WatchEnd>,
}

impl RunState {
    pub(super) fn new(subject: Subject, now: Timestamp) -> Self {
        Self {
            subject,
            begun_at: now,
            heard_at: now,
            lost: false,
            seen: false,
            aggregator_created: None,
            tests_started: None,
            last_status: None,
            waiting: String::new(),
            cannot_start: None,
            told: BTreeSet::new(),
            log: LogReader::default(),
            log_was_read: false,
            best: Tally::default(),
            namespaces: HashSet::new(),
            progress: Progress::default(),
            end: None,
        }
    }

    /// How it ended, once it did.
    pub(super) fn end(&self) -> Option<&WatchEnd> {
        self.end.as_ref()
    }

    /// Whether the log has told its end.
    pub(super) fn suite_ended(&self) -> bool {
        self.best.ended.is_some()
    }

    /// The cluster answered.
    pub(super) fn looked(&mut self, now: Timestamp, look: &Look) -> Vec<RunEvent> {
        let mut events = Vec::new();
        if std::mem::take(&mut self.lost) {
            let after = since(self.heard_at, now);
            events.push(RunEvent::ConnectionBack { after });
        }
        self.heard_at = now;
        match aggregator(&look.pods) {
            Some(pod) => self.aggregator(now, pod, &mut events),
            None => self.no_aggregator(now, look),
        }
        if let Some((_, container)) = e2e_container(&look.pods) {
            self.tests_started = container.started.or(self.tests_started);
        }
        self.trouble(now, look, &mut events);
        self.count_namespaces(&look.tests);
        self.update_progress(now, &mut events);
        events
    }

    /// The cluster did not answer.
    pub(super) fn no_answer(&mut self, now: Timestamp, error: &ClusterError) -> Vec<RunEvent> {
        if since(self.heard_at, now) >= self.subject.give_up_after {
            self.end = Some(WatchEnd::Lost {
                reason: error.to_string(),
            });
        }
        if std::mem::replace(&mut self.lost, true) {
            return Vec::new();
        }
        vec![RunEvent::ConnectionLost {
            reason: error.to_string(),
            hint: error.hint(),
        }]
    }

    /// Something may not be seen.
    pub(super) fn limited(&mut self, error: &ClusterError) -> Vec<RunEvent> {
        let reason = error.to_string();
        if self.told.insert(("limited", reason.clone())) {
            return vec![RunEvent::Limited { reason }];
        }
        Vec::new()
    }

    /// The log is read from its beginning, for the first time or again.
    pub(super) fn log_opened(&mut self) {
        self.log = LogReader::default();
        self.log_was_read = true;
    }

    /// More of the log.
    pub(super) fn log_piece(&mut self, now: Timestamp, piece: &[u8]) -> Vec<RunEvent> {
        let mut events = Vec::new();
        for event in self.log.feed(piece) {
            match event {
                LogEvent::Failed(name) => self.once("failed", name, &mut events, |name| {
                    RunEvent::TestFailed { name }
                }),
                LogEvent::Flaky(name) => self.once("flaky", name, &mut events, |name| {
                    RunEvent::TestFlaky { name }
                }),
                LogEvent::Ended { passed } => {
                    self.once("ended", String::new(), &mut events, |_| {
                        RunEvent::SuiteEnded { passed }
                    });
                }
                LogEvent::Total(_) => {}
            }
        }
        // Read again after a broken connection, the log is behind what is known for a moment; and
        // its beginning may have been rotated away.
        let tally = self.log.tally();
        if tally.done() >= self.best.done() {
            let (total, run) = (self.best.total, self.best.run.take());
            self.best = tally.clone();
            self.best.total = self.best.total.or(total);
            self.best.run = self.best.run.take().or(run);
        }
        self.update_progress(now, &mut events);
        events
    }

    fn aggregator(&mut self, now: Timestamp, pod: &Pod, events: &mut Vec<RunEvent>) {
        self.seen = true;
        self.aggregator_created = pod.created;
        let told = pod.annotations.get(STATUS_ANNOTATION);
        if let Some(status) = told.and_then(|text| Status::parse(text)) {
            self.status(&status, events);
            self.last_status = Some(status);
            return;
        }
        if matches!(pod.phase.as_str(), "Failed" | "Succeeded") {
            self.end = Some(WatchEnd::Stopped {
                phase: pod.phase.clone(),
            });
            return;
        }
        let reason = why_waiting(pod);
        if reason != self.waiting {
            self.waiting.clone_from(&reason);
            events.push(RunEvent::Waiting { reason });
        }
        let for_image = |c: &&Container| c.waiting.as_ref().is_some_and(Waiting::is_for_image);
        let stuck = pod.containers.iter().find(for_image);
        self.cannot_start = stuck.and_then(|container| {
            let waiting = container.waiting.as_ref()?;
            Some(PullTrouble::of(pod, &container.image, waiting))
        });
        if since(self.begun_at, now) >= self.subject.start_patience {
            self.end = Some(match &self.cannot_start {
                Some(trouble) => WatchEnd::NotStarted {
                    reason: format!(
                        "{} cannot pull {}: {}",
                        trouble.node,
                        trouble.image,
                        trouble.cause()
                    ),
                    hint: trouble.hint().map(str::to_owned),
                },
                None => WatchEnd::NotStarted {
                    reason: self.waiting.clone(),
                    hint: None,
                },
            });
        }
    }

    fn status(&mut self, status: &Status, events: &mut Vec<RunEvent>) {
        let before = self.last_status.as_ref().map(|s| s.status.as_str());
        if !status.status.is_empty() && before != Some(status.status.as_str()) {
            events.push(RunEvent::Stage(status.status.clone()));
        }
        for plugin in status.plugins.iter().filter(|p| p.status == "failed") {
            let key = format!("{} {}", plugin.plugin, plugin.node);
            let timed_out = plugin
                .result_counts
                .iter()
                .any(|(word, _)| word == "timeout");
            self.once("plugin", key, events, |_| RunEvent::PluginFailed {
                plugin: plugin.plugin.clone(),
                node: plugin.node.clone(),
                timed_out,
            });
        }
        // Before Kubernetes 1.29 the tests post what they do; useful where the log may not be read.
        if let (false, Some(progress)) = (
            self.log_was_read,
            status.e2e().and_then(|e2e| e2e.progress.as_ref()),
        ) {
            for name in &progress.failures {
                self.once("failed", name.clone(), events, |name| {
                    RunEvent::TestFailed { name }
                });
            }
            let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            self.best.total = Some(number(progress.total))
                .filter(|t| *t > 0)
                .or(self.best.total);
            self.best.passed = self.best.passed.max(number(progress.completed));
            self.best.failed.clone_from(&progress.failures);
        }
        if status.is_over() {
            self.end = Some(WatchEnd::Over(status.clone()));
        }
    }

    fn no_aggregator(&mut self, now: Timestamp, look: &Look) {
        let namespace = &self.subject.namespace;
        if self.seen {
            let what = match look.namespace {
                Some(NamespaceState::Active { .. }) | None => {
                    format!("sonobuoy's aggregator in namespace {namespace}")
                }
                _ => format!("namespace {namespace}"),
            };
            self.end = Some(WatchEnd::Gone { what });
        } else if since(self.begun_at, now) >= self.subject.start_patience {
            self.end = Some(WatchEnd::NotStarted {
                reason: format!("there is no sonobuoy aggregator in namespace {namespace}"),
                hint: None,
            });
        }
    }

    /// Pods that cannot pull, and pods without a node.
    fn trouble(&mut self, now: Timestamp, look: &Look, events: &mut Vec<RunEvent>) {
        let tests: HashSet<&str> = look.tests.iter().map(|t| t.name.as_str()).collect();
        let own = self.subject.namespace.clone();
        let others = look.pending.iter().filter(|pod| pod.namespace != own);
        let others = others.filter(|pod| tests.contains(pod.namespace.as_str()));
        for pod in look.pods.iter().chain(others) {
            let is_own = pod.namespace == own;
            for container in &pod.containers {
                let Some(waiting) = container.waiting.as_ref().filter(|w| w.is_for_image()) else {
                    continue;
                };
                if is_own || self.is_planned(&container.image) {
                    let trouble = PullTrouble::of(pod, &container.image, waiting);
                    let key = format!("{} {}", trouble.node, trouble.image);
                    self.once("pull", key, events, |_| RunEvent::CannotPull(trouble));
                }
            }
            let age = pod
                .created
                .map_or(Duration::ZERO, |created| since(created, now));
            if let Some(reason) = &pod.unschedulable
                && (is_own || age >= self.subject.pending_patience)
            {
                let name = format!("{}/{}", pod.namespace, pod.name);
                self.once("pending", name, events, |pod| RunEvent::Unschedulable {
                    pod,
                    reason: reason.clone(),
                });
            }
        }
    }

    fn is_planned(&self, image: &str) -> bool {
        image
            .parse()
            .is_ok_and(|image: Reference| self.subject.plan.contains(&image))
    }

    fn count_namespaces(&mut self, tests: &[TestNamespace]) {
        let run = self.best.run.clone();
        let ours = tests.iter().filter(|test| match &run {
            Some(run) => test.run == *run,
            None => match (test.created, self.aggregator_created) {
                (Some(test), Some(aggregator)) => test >= aggregator,
                _ => false,
            },
        });
        self.namespaces.extend(ours.map(|test| test.uid.clone()));
    }

    fn update_progress(&mut self, now: Timestamp, events: &mut Vec<RunEvent>) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut progress = Progress {
            total: self.best.total,
            passed: self.best.passed,
            failed: number(self.best.failed.len()),
            flaky: number(self.best.flaky.len()),
            begun: number(self.namespaces.len()),
            left: self.progress.left,
        };
        if progress == self.progress {
            return;
        }
        let elapsed = self.tests_started.map(|started| since(started, now));
        progress.left = elapsed.and_then(|elapsed| left(&progress, elapsed));
        self.progress = progress;
        events.push(RunEvent::Progress(progress));
    }

    fn once(
        &mut self,
        kind: &'static str,
        key: String,
        events: &mut Vec<RunEvent>,
        event: impl FnOnce(String) -> RunEvent,
    ) {
        if self.told.insert((kind, key.clone())) {
            events.push(event(key));
        }
    }
}

/// From the pace so far; none while too few tests are done to speak of a pace.
fn left(progress: &Progress, elapsed: Duration) -> Option<Duration> {
    let (total, done) = (progress.total?, progress.about_done());
    if done < (total / 50).max(3) || total < done {
        return None;
    }
    Some(elapsed.mul_f64(f64::from(total - done) / f64::from(done)))
}

fn since(before: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(before).try_into().unwrap_or_default()
}
