//! What is told while a run goes on, and how following it ends.

use std::time::Duration;

use super::pull::PullTrouble;
use crate::sonobuoy::status::Status;

/// Something happened in the run. Every event is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEvent {
    /// The aggregator is not up yet, and why.
    Waiting {
        /// One line.
        reason: String,
    },
    /// What the aggregator says that it does: `running`, `post-processing`, `complete`.
    Stage(String),
    /// The counts have changed.
    Progress(Progress),
    /// A test failed.
    TestFailed {
        /// Its name.
        name: String,
    },
    /// A test passed, but not at its first try.
    TestFlaky {
        /// Its name.
        name: String,
    },
    /// The tests have ended; results are being packed.
    SuiteEnded {
        /// The suite's own verdict.
        passed: bool,
    },
    /// An image that the run needs cannot be pulled.
    CannotPull(PullTrouble),
    /// The scheduler finds no node for a pod.
    Unschedulable {
        /// `namespace/name`.
        pod: String,
        /// The scheduler's words.
        reason: String,
    },
    /// A plugin delivered no results. Final for that plugin.
    PluginFailed {
        /// `e2e`, `systemd-logs`.
        plugin: String,
        /// `global` for e2e.
        node: String,
        /// `--timeout` was reached.
        timed_out: bool,
    },
    /// The cluster does not answer; the run goes on all the same.
    ConnectionLost {
        /// Why.
        reason: String,
        /// What could be done.
        hint: Option<String>,
    },
    /// It answers again.
    ConnectionBack {
        /// How long it did not.
        after: Duration,
    },
    /// Something cannot be seen for want of rights; the rest goes on.
    Limited {
        /// What, and why.
        reason: String,
    },
}

/// How far the tests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Tests that will run; none before the log says it.
    pub total: Option<u32>,
    /// Passed, as far as the log shows. Some container runtimes show a line only when it is
    /// complete, and passed tests make one long line: then this stands still for long.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Passed, but not at the first try; counted in `passed` too.
    pub flaky: u32,
    /// Namespaces that tests of this run have made: about one for each test begun.
    pub begun: u32,
    /// An estimate from the pace so far.
    pub left: Option<Duration>,
}

impl Progress {
    /// Tests with an outcome.
    pub fn done(&self) -> u32 {
        self.passed + self.failed
    }

    /// Whether [`Self::about_done`] is more than is known for sure.
    pub fn is_estimate(&self) -> bool {
        self.about_done() > self.done()
    }

    /// Tests with an outcome, as far as can be told: the log's count, or one less than tests have
    /// begun where the log lags behind.
    pub fn about_done(&self) -> u32 {
        let begun = self.begun.saturating_sub(1);
        let about = self
            .total
            .map_or(begun, |total| begun.min(total.saturating_sub(1)));
        self.done().max(about)
    }
}

/// Why following a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEnd {
    /// The run is over: its results can be retrieved, and [`Status::verdict`] says what it says.
    Over(Status),
    /// The aggregator never got to work.
    NotStarted {
        /// Why, as far as is known.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The run was removed while it was followed; there is nothing to retrieve.
    Gone {
        /// What is missing: `namespace sonobuoy`.
        what: String,
    },
    /// The aggregator stopped without finishing.
    Stopped {
        /// Its pod's phase.
        phase: String,
    },
    /// Whoever followed stopped doing so; the run goes on.
    Detached,
    /// The cluster did not answer for so long that following made no sense; the run may go on.
    Lost {
        /// The last reason.
        reason: String,
    },
}
