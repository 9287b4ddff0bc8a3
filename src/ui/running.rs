//! A conformance run, as people follow it: what was looked at before, what happens, how far it is.

use std::fmt::Write as _;
use std::time::Duration;

use super::error::hint_line;
use super::size::duration;
use super::style::Style;
use super::text::{clean, one_line};
use crate::sonobuoy::preflight::{Finding, Grade};
use crate::sonobuoy::{Progress, RunEvent, Status};

use super::table::Table;

/// `Preflight`, then one line a finding, its hint below. Writing to a String cannot fail.
pub fn preflight(findings: &[Finding], style: Style) -> String {
    let mut text = String::from("Preflight\n");
    for finding in findings {
        let mark = match finding.grade {
            Grade::Ok => "✓".to_owned(),
            Grade::Warn => style.warning("!"),
            Grade::Fail => style.error("✗"),
        };
        let _ = writeln!(
            text,
            "  {mark} {}",
            clean(&finding.text).replace('\n', "\n      ")
        );
        if let Some(hint) = &finding.hint {
            let _ = write!(text, "  {}", hint_line(hint, style));
        }
    }
    text
}

/// What happened, in one line; none for what only moves the counts.
pub fn run_event(event: &RunEvent) -> Option<String> {
    Some(match event {
        RunEvent::Waiting { reason } => format!("waiting: {}", one_line(reason)),
        RunEvent::Stage(stage) => format!("sonobuoy: {}", one_line(stage)),
        RunEvent::Progress(_) => return None,
        RunEvent::TestFailed { name } => format!("FAILED {}", one_line(name)),
        RunEvent::TestFlaky { name } => format!("passed at a second try: {}", one_line(name)),
        RunEvent::SuiteEnded { passed: true } => "the tests have ended: all passed".to_owned(),
        RunEvent::SuiteEnded { passed: false } => "the tests have ended: some failed".to_owned(),
        RunEvent::CannotPull(trouble) => {
            let node = if trouble.node.is_empty() {
                "a node"
            } else {
                &trouble.node
            };
            let hint = trouble
                .hint()
                .map_or(String::new(), |h| format!("\n            hint: {h}"));
            format!(
                "{node} cannot pull {}: {}{hint}",
                trouble.image,
                one_line(trouble.cause())
            )
        }
        RunEvent::Unschedulable { pod, reason } => {
            format!("no node takes pod {pod}: {}", one_line(reason))
        }
        RunEvent::PluginFailed {
            plugin,
            node,
            timed_out,
        } => {
            let why = if *timed_out {
                "its time was over"
            } else {
                "it delivered no results"
            };
            format!("plugin {plugin} ({node}) failed: {why}")
        }
        RunEvent::ConnectionLost { reason, hint } => {
            let hint = hint.as_deref().map_or(String::new(), |h| format!(" ({h})"));
            format!(
                "the cluster does not answer, the run goes on: {}{hint}",
                one_line(reason)
            )
        }
        RunEvent::ConnectionBack { after } => {
            format!("the cluster answers again, after {}", duration(*after))
        }
        RunEvent::Limited { reason } => one_line(reason),
    })
}

/// `213 of 446 passed, 0 failed, about 48 min left`; none before anything is known.
pub fn progress_line(progress: &Progress) -> Option<String> {
    let total = progress.total?;
    let about = if progress.is_estimate() { "about " } else { "" };
    let done = progress.about_done().saturating_sub(progress.failed);
    let mut text = format!(
        "{about}{done} of {total} passed, {} failed",
        progress.failed
    );
    if progress.flaky > 0 {
        let _ = write!(text, ", {} at a second try", progress.flaky);
    }
    if let Some(left) = progress.left {
        let _ = write!(text, ", about {} left", whole_minutes(left));
    }
    Some(text)
}

/// `48 min`, `1 h 52 min`: an estimate has no seconds.
fn whole_minutes(time: Duration) -> String {
    match time.as_secs().div_ceil(60) {
        minutes @ 0..60 => format!("{} min", minutes.max(1)),
        minutes => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// One row a plugin and node.
pub fn status_table(status: &Status) -> String {
    let mut table = Table::new(&["PLUGIN", "NODE", "STATUS", "RESULT"]);
    for plugin in &status.plugins {
        let result = match plugin.result_status.as_str() {
            "" => "-",
            word => word,
        };
        let cells = [plugin.plugin.as_str(), &plugin.node, &plugin.status, result];
        table.row(cells.map(one_line).to_vec());
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_marked_and_hints_stand_below() {
        let finding = |grade, text: &str, hint: Option<&str>| Finding {
            grade,
            text: text.to_owned(),
            hint: hint.map(str::to_owned),
        };
        let findings = [
            finding(Grade::Ok, "sonobuoy v0.57.5", None),
            finding(Grade::Fail, "two:\none", Some("name one with --context")),
        ];
        assert_eq!(
            preflight(&findings, Style::PLAIN),
            "Preflight\n  ✓ sonobuoy v0.57.5\n  ✗ two:\n      one\n    hint: name one with --context\n"
        );
    }

    #[test]
    fn progress_says_what_is_known() {
        let mut progress = Progress::default();
        assert_eq!(progress_line(&progress), None);
        progress.total = Some(446);
        progress.passed = 213;
        progress.left = Some(Duration::from_mins(48));
        assert_eq!(
            progress_line(&progress).as_deref(),
            Some("213 of 446 passed, 0 failed, about 48 min left")
        );
    }
}
