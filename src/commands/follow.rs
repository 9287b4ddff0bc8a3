//! Following a run to its end: events as lines, then results retrieved and judged. What `run` and
//! `status --watch` share.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::ExitStatus;
use super::interrupt::Stop;
use super::results::status_of_verdict;
use crate::cluster::Cluster;
use crate::oci::Reference;
use crate::results::{Results, Summary};
use crate::sonobuoy::{
    Program, Progress, RetrieveOptions, Retrieved, RunEvent, Status, WatchEnd, WatchOptions,
    shell_word, watch,
};
use crate::ui::{self, Printer};

/// Counts are told at most this often, unless a test fails.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// What is followed.
pub(super) struct Following<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) program: &'a Program,
    pub(super) namespace: &'a str,
    /// The run's images: pods that cannot pull one of these are told.
    pub(super) images: HashSet<Reference>,
    pub(super) out_dir: &'a Utf8Path,
}

impl Following<'_> {
    /// Follows the run, retrieves its results and says what they say.
    pub(super) async fn run(
        self,
        stop: &mut Stop,
        printer: &Printer,
    ) -> anyhow::Result<ExitStatus> {
        let mut counts = Counts::default();
        let options = WatchOptions::new(self.namespace, self.images.clone());
        let never = CancellationToken::new();
        let watching = watch(self.cluster, &options, &never, |event| {
            tell(&event, &mut counts, printer);
        });
        let end = stop.unless_asked(watching).await;
        match end.unwrap_or(WatchEnd::Detached) {
            WatchEnd::Over(status) => {
                let judging = stop.unless_asked(self.judge(&status, printer)).await;
                judging.unwrap_or_else(|| {
                    printer.say(&format!(
                        "The results stay in the cluster. To fetch them: {}",
                        self.come_back()
                    ));
                    Ok(ExitStatus::Interrupted)
                })
            }
            WatchEnd::Detached => {
                printer.say(&format!(
                    "The run goes on. To come back: {}",
                    self.come_back()
                ));
                Ok(ExitStatus::Interrupted)
            }
            WatchEnd::Lost { reason } => {
                printer.warn(&format!(
                    "the cluster did not answer for an hour ({reason}); the run may go on all the same: {}",
                    self.come_back()
                ));
                Ok(ExitStatus::Cluster)
            }
            WatchEnd::NotStarted { reason, hint } => {
                printer.warn(&format!("the run did not start: {reason}"));
                if let Some(hint) = hint {
                    printer.say(&format!("  hint: {hint}"));
                }
                printer.say("Next: mend that, then `airbuoy clean` and run again");
                Ok(ExitStatus::Cluster)
            }
            WatchEnd::Gone { what } => {
                printer.warn(&format!(
                    "the run was removed while it was followed: {what} is gone"
                ));
                Ok(ExitStatus::Cluster)
            }
            WatchEnd::Stopped { phase } => {
                printer.warn(&format!(
                    "the aggregator stopped without finishing: its pod is {phase}"
                ));
                printer.say("Next: `sonobuoy logs`, then `airbuoy clean` and run again");
                Ok(ExitStatus::Cluster)
            }
        }
    }

    async fn judge(&self, status: &Status, printer: &Printer) -> anyhow::Result<ExitStatus> {
        let Some(tarball) = &status.tarball else {
            printer.warn("the run is over and names no results");
            printer.say("Next: `sonobuoy logs`, then `airbuoy clean` and run again");
            return Ok(ExitStatus::Cluster);
        };
        let options = RetrieveOptions::new(self.namespace, self.out_dir);
        let retrieved = self.program.retrieve(tarball, &options, |reason, pause| {
            printer.say(&format!(
                "  the results did not arrive ({reason}), again in {}",
                ui::duration(pause)
            ));
        });
        let retrieved = retrieved.await?;
        let path = retrieved.path.clone();
        let summary =
            tokio::task::spawn_blocking(move || Results::open(&path).map(|r| r.summary()));
        let summary = summary
            .await
            .context("reading the results ended unexpectedly")??;
        say_verdict(&summary, &retrieved, printer);
        Ok(status_of_verdict(summary.verdict))
    }

    fn come_back(&self) -> String {
        match self.namespace {
            "sonobuoy" => "airbuoy status --watch".to_owned(),
            other => format!("airbuoy status --watch --namespace {other}"),
        }
    }
}

fn say_verdict(summary: &Summary, retrieved: &Retrieved, printer: &Printer) {
    let checked = if retrieved.checked {
        " (sha256 checked)"
    } else {
        ""
    };
    let path = retrieved.path.strip_prefix(".").unwrap_or(&retrieved.path);
    printer.say(&format!(
        "{} passed, {} failed: {} → {path}{checked}",
        summary.tests.passed,
        summary.tests.failed,
        summary.verdict.as_str()
    ));
    if let Some(reason) = &summary.reason {
        printer.say(&format!("  {reason}"));
    }
    for failed in &summary.failed {
        printer.say(&format!("  FAILED {}", failed.name));
    }
    for warning in &summary.warnings {
        printer.warn(warning);
    }
    printer.say(&match status_of_verdict(summary.verdict) {
        ExitStatus::Done => format!("Next: airbuoy submission {}", shell_word(path.as_str())),
        _ => format!("Next: airbuoy results {}", shell_word(path.as_str())),
    });
}

/// What was last told of the counts.
#[derive(Default)]
struct Counts {
    told: Option<Instant>,
    failed: u32,
}

fn tell(event: &RunEvent, counts: &mut Counts, printer: &Printer) {
    let line = match event {
        RunEvent::Progress(progress) => counts
            .due(progress)
            .then(|| ui::progress_line(progress))
            .flatten(),
        other => ui::run_event(other),
    };
    if let Some(line) = line {
        let now = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        printer.say(&format!("  {now}  {line}"));
    }
}

impl Counts {
    fn due(&mut self, progress: &Progress) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY)
            || progress.failed > self.failed;
        if due && progress.total.is_some() {
            self.told = Some(Instant::now());
            self.failed = progress.failed;
        }
        due
    }
}
