//! The checks of a submission, as people read them.

use std::fmt::Write as _;

use super::size::count;
use super::style::Style;
use super::table::Table;
use super::text::hanging;
use crate::submission::{Check, CheckOutcome, CheckReport, FILES};

/// Where the folder lies and one row a check, each with what was found below it; then the counts.
pub fn checks_table(report: &CheckReport) -> String {
    let mut text = String::new();
    if let Some(folder) = &report.folder {
        let files = if report.accepted {
            FILES.join("  ")
        } else {
            String::new()
        };
        let line = format!("{}/  {files}", hanging(folder));
        let _ = writeln!(text, "{}\n", line.trim_end());
    }
    let mut table = Table::new(&["NO", "RESULT", "CHECK"]);
    let mut told: Vec<&str> = Vec::new();
    for check in &report.checks {
        let number = check.number.map_or(String::new(), |n| n.to_string());
        table.row(vec![number, word(check).to_owned(), check.name.to_owned()]);
        for detail in &check.details {
            // Three checks ask for the same title.
            if !told.contains(&detail.as_str()) {
                told.push(detail);
                for line in hanging(detail).lines() {
                    table.row(vec![String::new(), String::new(), format!("  {line}")]);
                }
            }
        }
    }
    text.push_str(&table.render());
    text.push('\n');
    for line in counts(report) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The last line about a submission that is refused.
pub fn refused(report: &CheckReport, consequence: &str, style: Style) -> String {
    let failed = count(report.failed().count(), "check");
    format!("{} {failed} failed: {consequence}", style.error("error:"))
}

fn word(check: &Check) -> &'static str {
    match check.outcome {
        CheckOutcome::Pass => "pass",
        CheckOutcome::Fail => "FAIL",
        CheckOutcome::NotCheckable => "-",
    }
}

fn counts(report: &CheckReport) -> Vec<String> {
    let made = |check: &&Check| check.outcome != CheckOutcome::NotCheckable;
    let passed = |checks: &[&Check]| {
        let passed = checks.iter().filter(|c| c.outcome == CheckOutcome::Pass);
        format!("{} of {}", passed.count(), checks.len())
    };
    let (bot, ours): (Vec<&Check>, Vec<&Check>) = report
        .checks
        .iter()
        .filter(made)
        .partition(|check| check.number.is_some());
    let mut lines = vec![format!(
        "{} checks of the bot pass, {} beyond it",
        passed(&bot),
        passed(&ours)
    )];
    let (request, other): (Vec<&Check>, Vec<&Check>) = report
        .checks
        .iter()
        .filter(|check| !made(check))
        .partition(|check| check.is_about_the_request());
    let mut left = vec![format!(
        "{} about the pull request",
        count(request.len(), "check")
    )];
    if !other.is_empty() {
        left.push(format!("{} that cannot be made here", other.len()));
    }
    lines.push(format!("Not made: {}", left.join(", ")));
    lines
}
