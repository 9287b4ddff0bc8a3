//! What a run says about the cluster. Never from an exit code: sonobuoy's commands exit 0 when tests
//! fail, and its own status calls a dry run passed (v0.57.5).

use super::found::{E2E, Results};
use super::junit::{Case, Outcome};

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every test that ran passed, and the run came to its end.
    Passed,
    /// At least one test failed.
    Failed,
    /// Sonobuoy's `--timeout` ended the run; there are no results.
    Timeout,
    /// The tests could not be run: an image missing, a pod that could not start.
    Infrastructure,
    /// The run broke off, or part of its results is missing.
    Incomplete,
    /// Tests are listed as passed, but none was run.
    DryRun,
}

/// A verdict and its ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The answer.
    pub verdict: Verdict,
    /// Why, where the numbers alone do not tell. Foreign text, cut to a sane length.
    pub reason: Option<String>,
    /// What to do next.
    pub hint: Option<&'static str>,
}

/// Longest quoted error.
const QUOTED: usize = 2000;

impl Verdict {
    /// As in the JSON document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Infrastructure => "infrastructure",
            Self::Incomplete => "incomplete",
            Self::DryRun => "dry-run",
        }
    }

    fn with(self, reason: impl Into<String>, hint: &'static str) -> Ruling {
        Ruling {
            verdict: self,
            reason: Some(reason.into()),
            hint: Some(hint),
        }
    }
}

impl Ruling {
    pub(super) fn of(results: &Results) -> Self {
        let plain = |verdict| Self {
            verdict,
            reason: None,
            hint: None,
        };
        if let Some(ruling) = no_results(results) {
            return ruling;
        }
        if let Some(tell) = dry_run(results) {
            let hint = "run it again without E2E_DRYRUN";
            return Verdict::DryRun.with(format!("nothing was run: {tell}"), hint);
        }
        if cases(results).any(|case| case.outcome == Outcome::Failed) {
            return plain(Verdict::Failed);
        }
        match missing(results) {
            Some(what) => {
                Verdict::Incomplete.with(what, "look at the end of e2e.log, and run it again")
            }
            None => plain(Verdict::Passed),
        }
    }
}

/// The rulings for a run without a `JUnit` file.
fn no_results(results: &Results) -> Option<Ruling> {
    if !results.junit.is_empty() {
        return None;
    }
    let status = results.statuses.get(E2E);
    if status.is_some_and(super::status::PluginStatus::timed_out) {
        let limit = results.timeout.map_or_else(
            || "sonobuoy's --timeout was reached".to_owned(),
            |seconds| format!("sonobuoy's --timeout of {seconds} s was reached"),
        );
        return Some(Verdict::Timeout.with(limit, "give the run a longer --timeout"));
    }
    if let Some(error) = results.errors.get(E2E) {
        let hint = if error.contains("pull image") {
            "the image is missing from the registry, or the node cannot log in: `airbuoy verify` tells"
        } else {
            "the pod's own log is in podlogs/ of the tarball"
        };
        let error = error.trim();
        let quoted = &error[..error.floor_char_boundary(QUOTED)];
        return Some(Verdict::Infrastructure.with(quoted, hint));
    }
    let end = match &results.log {
        Some(_) => "there is no JUnit file, only e2e.log: the tests broke off",
        None => "there is neither a JUnit file nor e2e.log",
    };
    Some(Verdict::Incomplete.with(end, "look at the pods' logs in podlogs/, and run it again"))
}

/// What tells that nothing was run.
fn dry_run(results: &Results) -> Option<&'static str> {
    if results.junit.iter().any(|file| file.junit.is_dry_run()) {
        return Some("the JUnit file says DryRun");
    }
    if results.is_dry_run() {
        return Some("E2E_DRYRUN was set");
    }
    let none = results.junit.iter().any(|file| file.junit.took_no_time());
    none.then_some("every test took 0 seconds")
}

/// Why a run without a failed test is still no passed one.
fn missing(results: &Results) -> Option<String> {
    for file in &results.junit {
        if let Some(defect) = &file.junit.defect {
            return Some(format!("{}: {defect}", file.path));
        }
    }
    if !tests(results).any(|case| case.outcome == Outcome::Passed) {
        return Some("no test was run".into());
    }
    let succeeded = |file: &super::JunitFile| {
        let property = file.junit.properties.get("SuiteSucceeded");
        property.is_none_or(|value| value == "true")
    };
    if !results.junit.iter().all(succeeded) {
        return Some("the JUnit file says that the suite did not succeed".into());
    }
    let log = &results.log_summary;
    match (&results.log, &log.closing) {
        (None, _) => return Some("e2e.log is missing".into()),
        (Some(_), None) => return Some("e2e.log has no closing line: it breaks off".into()),
        (Some(_), Some(closing)) if !closing.success || log.suite_passed == Some(false) => {
            return Some("e2e.log ends with FAIL although no test failed".into());
        }
        _ => {}
    }
    // Without its file nothing is known: a bare folder of results has none.
    let status = results.statuses.get(E2E).map(|s| s.status.as_str());
    match status {
        None | Some("passed") => None,
        Some(other) => Some(format!(
            "sonobuoy calls the plugin `{}`",
            other.escape_debug()
        )),
    }
}

/// All cases of all files.
pub(super) fn cases(results: &Results) -> impl Iterator<Item = &Case> {
    results.junit.iter().flat_map(|file| &file.junit.cases)
}

/// The cases that are tests.
pub(super) fn tests(results: &Results) -> impl Iterator<Item = &Case> {
    results.junit.iter().flat_map(|file| file.junit.tests())
}
