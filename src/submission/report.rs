//! The table of checks: what the bot will say, and what it will not.

use serde::Serialize;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// Fine.
    Pass,
    /// The submission would be refused.
    Fail,
    /// Cannot be said here.
    NotCheckable,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The number of the bot's scenario; null for checks of our own.
    pub number: Option<u8>,
    /// The bot's scenario, or what is checked beyond it.
    pub name: &'static str,
    /// What came of it.
    pub outcome: CheckOutcome,
    /// What was found: every reason of a failure, or what was counted.
    pub details: Vec<String>,
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The document's version: 1.
    pub format: u32,
    /// `v1.36/turbo`; null when the folder lies elsewhere.
    pub folder: Option<String>,
    /// The title that the pull request must have.
    pub title: Option<String>,
    /// Whether nothing failed.
    pub accepted: bool,
    /// The bot's checks by number, then ours.
    pub checks: Vec<Check>,
    /// What people should know besides.
    pub notes: Vec<String>,
}

impl Check {
    pub(super) fn pass(number: Option<u8>, name: &'static str, found: impl Into<String>) -> Self {
        Self::with(number, name, CheckOutcome::Pass, vec![found.into()])
    }

    pub(super) fn fail(number: Option<u8>, name: &'static str, reason: impl Into<String>) -> Self {
        Self::with(number, name, CheckOutcome::Fail, vec![reason.into()])
    }

    pub(super) fn unchecked(
        number: Option<u8>,
        name: &'static str,
        why: impl Into<String>,
    ) -> Self {
        Self::with(number, name, CheckOutcome::NotCheckable, vec![why.into()])
    }

    /// Fails for each of the reasons; passes when there is none.
    pub(super) fn of(number: Option<u8>, name: &'static str, reasons: Vec<String>) -> Self {
        let outcome = if reasons.is_empty() {
            CheckOutcome::Pass
        } else {
            CheckOutcome::Fail
        };
        Self::with(number, name, outcome, reasons)
    }

    /// Whether it is one of the bot's that no folder can answer: those of title and commits.
    pub fn is_about_the_request(&self) -> bool {
        matches!(self.number, Some(1 | 6 | 11 | 15))
    }

    fn with(
        number: Option<u8>,
        name: &'static str,
        outcome: CheckOutcome,
        details: Vec<String>,
    ) -> Self {
        let empty = |text: &String| !text.is_empty();
        Self {
            number,
            name,
            outcome,
            details: details.into_iter().filter(empty).collect(),
        }
    }
}

impl CheckReport {
    pub(super) fn new(folder: Option<String>, checks: Vec<Check>, notes: Vec<String>) -> Self {
        Self {
            format: 1,
            title: folder.as_ref().map(|folder| title(folder)),
            folder,
            accepted: checks
                .iter()
                .all(|check| check.outcome != CheckOutcome::Fail),
            checks,
            notes,
        }
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        let failed = |check: &&Check| check.outcome == CheckOutcome::Fail;
        self.checks.iter().filter(failed)
    }

    /// Puts a later answer in the place of one that could not be given before, such as that of
    /// [`super::check_urls`].
    pub fn replace(&mut self, check: Check) {
        if let Some(place) = self.checks.iter_mut().find(|c| c.name == check.name) {
            *place = check;
        }
        let failed = self.failed().next().is_some();
        self.accepted = !failed;
    }
}

/// The title that makes the bot treat a pull request as a submission, and finds it well-formed.
fn title(folder: &str) -> String {
    format!("Conformance results for {folder}")
}
