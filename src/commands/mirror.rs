//! `airbuoy mirror`.

use std::sync::Arc;

use super::config_files::ConfigFiles;
use super::copying::{Copying, images, shared_names};
use super::interrupt::cancel_on_signal;
use super::live_lists::read_lists;
use super::notices::say_about;
use super::{ExitStatus, files, reporting, runtime};
use crate::cli::{Format, MirrorArgs};
use crate::relocate::Relocation;
use crate::settings::{Environment, MirrorSettings};
use crate::transfer::{CopyOptions, Outcome, Report};
use crate::ui::{self, Printer};

pub(super) fn run(
    args: &MirrorArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let mut settings = MirrorSettings::resolve(args, environment)?;
    read_lists(
        &mut settings.placement.release,
        &settings.access.source,
        &args.catalog.live,
        environment,
        printer,
    )?;
    let placement = &settings.placement;
    let targets = std::iter::once(&settings.target).chain(&settings.also);
    let relocations = targets
        .map(|target| placement.relocation(Some(target)))
        .collect::<Result<Vec<_>, _>>()?;
    let [first, ..] = relocations.as_slice() else {
        unreachable!("there is a first target");
    };
    say_about(printer, &placement.release, first);
    // Made now, so that nothing about the files can fail after an hour of copying but the disk.
    let config = ConfigFiles::new(&placement.release, first, &settings.out_dir)?;
    runtime::block_on(mirror(&settings, &relocations, &config, printer))
}

async fn mirror(
    settings: &MirrorSettings,
    relocations: &[Relocation],
    config: &ConfigFiles,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let progress = Arc::new(printer.progress(settings.placement.release.title()));
    let cancel = cancel_on_signal(progress.clone());
    let copying = Copying {
        source: settings.access.source.clone(),
        target: settings.access.target.clone(),
        images: images(relocations),
        options: CopyOptions {
            platforms: settings.placement.platforms.clone(),
            jobs: settings.access.jobs,
            dry_run: settings.dry_run,
            ..CopyOptions::default()
        },
    };
    let shared = shared_names(relocations);
    let collided = copying
        .collisions(&shared, progress.clone(), &cancel)
        .await?;
    if let Some((outcome, report)) = collided {
        progress.finish();
        return refuse(&outcome, &report, settings, printer);
    }
    let copied = copying.run(progress.clone(), &cancel).await;
    progress.finish();
    let (outcome, report) = copied?;
    finish(&outcome, report, settings, config, printer)
}

/// Two images would take one name: nothing was copied, not even the others.
fn refuse(
    outcome: &Outcome,
    report: &Report,
    settings: &MirrorSettings,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    reporting::deliver(report, settings.report.as_deref(), settings.output, printer)?;
    printer.errors(&ui::failures(&outcome.images, printer.style()));
    printer.say("Nothing was copied.");
    Ok(ExitStatus::Usage)
}

fn finish(
    outcome: &Outcome,
    mut report: Report,
    settings: &MirrorSettings,
    config: &ConfigFiles,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let complete = outcome.is_complete() && !settings.dry_run;
    let writing = complete.then(|| files::write_config(config.files()));
    let written = matches!(writing, Some(Ok(())));
    if written {
        report.files = config.paths();
    }
    reporting::deliver(
        &report,
        settings.report.as_deref(),
        settings.output,
        printer,
    )?;
    printer.errors(&ui::failures(&report.images, printer.style()));
    if settings.dry_run {
        if settings.output == Format::Table {
            printer.document(&ui::plan_table(&report.images))?;
        }
        printer.say(&ui::planned(&report));
        return Ok(reporting::status_of_copy(outcome));
    }
    printer.say(&if outcome.cancelled {
        ui::stopped(&report)
    } else {
        ui::mirrored(&report)
    });
    if written {
        for line in config.told() {
            printer.say(line);
        }
        for other in &settings.also {
            printer.say(&format!(
                "Files for {other}: airbuoy config {other}, with the same flags and an --out-dir of its own"
            ));
        }
    } else if let Some(failed) = writing {
        failed?;
    } else {
        printer.say(
            "No config files were written. Run the same command again: what arrived is not sent \
             again.",
        );
    }
    Ok(reporting::status_of_copy(outcome))
}
