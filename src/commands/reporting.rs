//! The JSON report, on standard output and in a file, and the exit code that goes with it.

use std::time::Duration;

use camino::Utf8Path;

use super::exit::ExitStatus;
use super::files::{self, NewFile};
use crate::cli::Format;
use crate::content::Code;
use crate::registry::Registry;
use crate::transfer::{Outcome, Report};
use crate::ui::{self, Printer};

/// The version of the report's format.
pub(super) const FORMAT: u32 = 1;

/// The report of an outcome; it names no files yet.
pub(super) fn report(outcome: &Outcome, registries: &[&Registry], time: Duration) -> Report {
    let requests = registries.iter().flat_map(|registry| registry.requests());
    Report {
        format: FORMAT,
        images: outcome.images.clone(),
        blobs: outcome.blobs,
        bytes: outcome.bytes,
        requests: requests.collect(),
        seconds: time.as_secs_f64(),
        files: Vec::new(),
    }
}

/// Hands the report to programs: the file that was asked for, and standard output for `-o json`.
pub(super) fn deliver(
    report: &impl serde::Serialize,
    file: Option<&Utf8Path>,
    output: Format,
    printer: &Printer,
) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)? + "\n";
    if output == Format::Json {
        printer.document(&text)?;
    }
    if let Some(path) = file {
        files::write_all(&[NewFile {
            path: path.to_owned(),
            text,
            executable: false,
        }])?;
    }
    Ok(())
}

/// Says what failed: each image, or once that the target takes none of them.
pub(super) fn say_failures(outcome: &Outcome, report: &Report, printer: &Printer) {
    match &outcome.refused {
        Some(refused) => printer.error(&refused.failure.clone().into()),
        None => printer.errors(&ui::failures(&report.images, printer.style())),
    }
}

/// How a copy ends: whatever failed on this machine comes first, because trying again will not
/// mend it.
pub(super) fn status_of_copy(outcome: &Outcome) -> ExitStatus {
    if outcome.cancelled {
        ExitStatus::Interrupted
    } else if let Some(refused) = &outcome.refused {
        refused.failure.code().into()
    } else if outcome.is_complete() {
        ExitStatus::Done
    } else if outcome.failed_locally() {
        ExitStatus::Local
    } else {
        ExitStatus::Registry
    }
}

/// How a check ends: "not sound" is the check's own answer; only when nothing worse than a
/// registry that did not answer was found is it the registry's fault.
pub(super) fn status_of_check(outcome: &Outcome) -> ExitStatus {
    let unsound = outcome
        .errors
        .iter()
        .any(|(_, error)| is_unsound(error.failure.code()));
    match status_of_copy(outcome) {
        ExitStatus::Registry | ExitStatus::Local if unsound => ExitStatus::CheckFailed,
        status => status,
    }
}

fn is_unsound(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound
            | Code::DigestMismatch
            | Code::SizeMismatch
            | Code::ManifestInvalid
            | Code::ManifestBlobUnknown
            | Code::PlatformMissing
            | Code::Schema1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Failure;
    use crate::event::ImageStatus;
    use crate::registry::Side;
    use crate::transfer::{CopyError, ErrorRow, ImageRow};

    fn failed(codes: &[Code]) -> Outcome {
        let mut outcome = Outcome::default();
        for (index, &code) in codes.iter().enumerate() {
            let error = CopyError {
                side: Side::Target,
                failure: Failure::new(code, "reg:5000", "x"),
            };
            outcome.images.push(ImageRow {
                source: format!("h/x:{index}"),
                target: None,
                source_digest: None,
                target_digest: None,
                status: ImageStatus::Failed,
                error: Some(ErrorRow::from(&error)),
            });
            outcome.errors.push((index, error));
        }
        outcome
    }

    #[test]
    fn a_check_says_no_only_to_what_it_saw() {
        use ExitStatus::{CheckFailed, Done, Local, Registry};
        for (codes, copy, check) in [
            (&[][..], Done, Done),
            (&[Code::Unreachable], Registry, Registry),
            (&[Code::NotFound], Registry, CheckFailed),
            (
                &[Code::Unreachable, Code::SizeMismatch],
                Registry,
                CheckFailed,
            ),
            (&[Code::Unreachable, Code::Local], Local, Local),
        ] {
            let outcome = failed(codes);
            assert_eq!(status_of_copy(&outcome), copy, "{codes:?}");
            assert_eq!(status_of_check(&outcome), check, "{codes:?}");
        }
        let stopped = Outcome {
            cancelled: true,
            ..Outcome::default()
        };
        assert_eq!(status_of_check(&stopped), ExitStatus::Interrupted);
    }
}
