//! `airbuoy verify TARGET`; a bundle is `verify_bundle`'s business.

use std::sync::Arc;
use std::time::Instant;

use super::files::{self, NewFile};
use super::interrupt::cancel_on_signal;
use super::live_lists::read_lists;
use super::notices::say_about;
use super::{ExitStatus, reporting, runtime, verify_bundle};
use crate::bundle::inventory_text;
use crate::cli::VerifyArgs;
use crate::registry::Registry;
use crate::relocate::Relocation;
use crate::settings::{Environment, VerifyRegistry, VerifySettings};
use crate::transfer::{Check, VerifyOptions, verify};
use crate::ui::{self, Printer};

pub(super) fn run(
    args: &VerifyArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let mut settings = match VerifySettings::resolve(args, environment)? {
        VerifySettings::Registry(settings) => *settings,
        VerifySettings::Bundle(settings) => return verify_bundle::run(&settings, printer),
    };
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
fn checks(relocation: &Relocation, settings: &VerifyRegistry, printer: &Printer) -> Vec<Check> {
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
    settings: &VerifyRegistry,
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
    let mut report = reporting::report(&outcome, &[&registry], started.elapsed());
    // A base that lacks something would leave a hole in every delta that relies on it.
    let listed = settings
        .inventory
        .as_ref()
        .filter(|_| outcome.is_complete());
    if let Some(path) = listed {
        let text = inventory_text(&settings.target.to_string(), outcome.held.iter().cloned());
        files::write_all(&[NewFile {
            path: path.clone(),
            text,
            executable: false,
        }])?;
        report.files.push(path.to_string());
    }
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
    match (&settings.inventory, listed) {
        (_, Some(path)) => printer.say(&format!(
            "Wrote {path} ({}): a base for airbuoy pull --base {path}",
            ui::count(outcome.held.len(), "blob")
        )),
        (Some(path), None) => printer.say(&format!("{path} was not written")),
        (None, None) => {}
    }
    Ok(reporting::status_of_check(&outcome))
}
