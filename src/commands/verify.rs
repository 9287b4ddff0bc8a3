//! `airbuoy verify TARGET`.

use std::sync::Arc;
use std::time::Instant;

use super::interrupt::cancel_on_signal;
use super::live_lists::read_lists;
use super::notices::say_about;
use super::{ExitStatus, reporting, runtime};
use crate::cli::VerifyArgs;
use crate::registry::Registry;
use crate::relocate::Relocation;
use crate::settings::{Environment, VerifySettings};
use crate::transfer::{Check, VerifyOptions, verify};
use crate::ui::{self, Printer};

pub(super) fn run(
    args: &VerifyArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let mut settings = VerifySettings::resolve(args, environment)?;
    read_lists(
        &mut settings.placement.release,
        &settings.access.source,
        &args.catalog.live,
        environment,
        printer,
    )?;
    let relocation = settings.placement.relocation(Some(&settings.target))?;
    say_about(printer, &settings.placement.release, &relocation);
    let checks = checks(&relocation, &settings, printer);
    runtime::block_on(check(&settings, &checks, printer))
}

/// What should be at the target. An image that the report does not know is checked without a
/// digest, and that is said.
fn checks(relocation: &Relocation, settings: &VerifySettings, printer: &Printer) -> Vec<Check> {
    let mut checks = Vec::new();
    for (source, target) in relocation.pulls() {
        let known = settings.expected.as_ref().map(|e| e.digest(&target));
        if known == Some(None) {
            printer.warn(&format!(
                "{target} is not in the report: its digest is not compared"
            ));
        }
        checks.push(Check {
            expected: known.flatten().cloned(),
            source,
            target,
        });
    }
    checks
}

async fn check(
    settings: &VerifySettings,
    checks: &[Check],
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let started = Instant::now();
    let progress = Arc::new(printer.progress(settings.placement.release.title()));
    let cancel = cancel_on_signal(progress.clone());
    let registry = Registry::with_observer(settings.access.target.clone(), progress.clone())?;
    let options = VerifyOptions {
        platforms: settings.placement.platforms.clone(),
        deep: settings.deep,
        jobs: settings.access.jobs,
    };
    let outcome = verify(
        Arc::new(registry.clone()),
        checks,
        &options,
        progress.clone(),
        &cancel,
    )
    .await;
    progress.finish();
    let report = reporting::report(&outcome, &[&registry], started.elapsed());
    reporting::deliver(
        &report,
        settings.report.as_deref(),
        settings.output,
        printer,
    )?;
    printer.errors(&ui::failures(&report.images, printer.style()));
    if outcome.cancelled {
        printer.say("Stopped before everything was checked.");
    } else {
        printer.say(&ui::verified(&report, settings.deep));
    }
    Ok(reporting::status_of_check(&outcome))
}
