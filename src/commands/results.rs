//! `airbuoy results TARBALL`.

use super::ExitStatus;
use super::files::{self, NewFile};
use crate::cli::{Format, ResultsArgs};
use crate::results::{Results, Verdict, html};
use crate::settings::ResultsSettings;
use crate::ui::{self, Printer};

pub(super) fn run(args: &ResultsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ResultsSettings {
        tarball,
        html: page,
        output,
    } = ResultsSettings::resolve(args)?;
    let summary = Results::open(&tarball)?.summary();
    if let Some(path) = &page {
        files::write_all(&[NewFile {
            path: path.clone(),
            text: html::render(&summary),
            executable: false,
        }])?;
    }
    printer.document(&match output {
        Format::Table => ui::results_table(&summary),
        Format::Json => serde_json::to_string_pretty(&summary)? + "\n",
    })?;
    for warning in &summary.warnings {
        printer.warn(warning);
    }
    if let Some(path) = &page {
        printer.say(&format!("Wrote {path}"));
    }
    Ok(status_of_verdict(summary.verdict))
}

/// How a run's verdict ends the program.
pub(super) fn status_of_verdict(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Passed => ExitStatus::Done,
        Verdict::Failed
        | Verdict::Timeout
        | Verdict::Infrastructure
        | Verdict::Incomplete
        | Verdict::DryRun => ExitStatus::CheckFailed,
    }
}
