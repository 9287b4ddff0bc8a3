//! `airbuoy push BUNDLE TARGET`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::bundle_check::{Checked, structure, whole};
use super::config_files::ConfigFiles;
use super::copying::{collided, images_of, rivals};
use super::in_bundle::show_sources;
use super::interrupt::cancel_on_signal;
use super::relied::relied;
use super::shelf::Shelf;
use super::{ExitStatus, files, reporting, runtime};
use crate::bundle::Bundle;
use crate::cli::{Format, PushArgs};
use crate::content::{Code, Failure, Source, Target};
use crate::event::Observer;
use crate::registry::{Registry, Side};
use crate::relocate::{Relocation, TargetPrefix};
use crate::settings::{Carried, Environment, PushSettings, Shipment};
use crate::sonobuoy::shell_word;
use crate::transfer::{AtTarget, CopyOptions, Image, Outcome, Report, WithTarget, copy, locate};
use crate::ui::{self, Printer};

/// Blobs that a message names before it only counts.
const NAMED: usize = 3;

pub(super) fn run(
    args: &PushArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let settings = PushSettings::resolve(args, environment)?;
    let bundle = Bundle::open(&settings.bundle)?;
    // Before any request: what is not whole cannot be pushed whole.
    if let Checked::Unsound(status) = structure(&bundle, printer) {
        return Ok(status);
    }
    let carried = Carried::new(&settings, bundle.path(), bundle.entries(), bundle.record())?;
    let targets = std::iter::once(&settings.target).chain(&settings.also);
    let shipments = targets
        .map(|target| carried.shipment(target))
        .collect::<Result<Vec<_>, _>>()?;
    let [first, ..] = shipments.as_slice() else {
        unreachable!("there is a first target");
    };
    for notice in &first.notices {
        printer.say(notice);
    }
    for warning in first.relocation.iter().flat_map(Relocation::warnings) {
        printer.warn(&warning);
    }
    let config = match (carried.release(), &first.relocation) {
        (Some(release), Some(relocation)) => {
            Some(ConfigFiles::new(release, relocation, &settings.out_dir)?)
        }
        _ => None,
    };
    let push = Push {
        images: images_of(shipments.iter().flat_map(|s| s.pulls.iter().cloned())),
        title: carried.release().map_or_else(
            || bundle.path().to_string(),
            crate::settings::Release::title,
        ),
        bundle,
        shipments,
        config,
        settings,
    };
    runtime::block_on(push.run(printer))
}

/// A push, ready to begin.
struct Push {
    settings: PushSettings,
    bundle: Bundle,
    title: String,
    images: Vec<Image>,
    /// One a target.
    shipments: Vec<Shipment>,
    config: Option<ConfigFiles>,
}

impl Push {
    async fn run(self, printer: &Printer) -> anyhow::Result<ExitStatus> {
        let progress = Arc::new(printer.progress(self.title.clone()));
        let cancel = cancel_on_signal(progress.clone());
        if self.settings.verify_first {
            let checked = whole(&self.bundle, progress.clone(), &cancel, printer).await;
            if let Checked::Unsound(status) = checked? {
                progress.finish();
                printer.say("Nothing was sent.");
                return Ok(status);
            }
        }
        let pushed = self.push(progress.clone(), &cancel).await;
        progress.finish();
        let (outcome, report) = pushed?;
        self.tell(&outcome, report, printer)
    }

    async fn push(
        &self,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> anyhow::Result<(Outcome, Report)> {
        let started = Instant::now();
        let source = Arc::new(self.bundle.clone());
        let rivals = rivals(&self.images);
        if !rivals.is_empty() {
            let shelf = Arc::new(Shelf::default());
            let planning = self.options(true, AtTarget::default());
            let looked = copy(
                source.clone(),
                shelf,
                &rivals,
                &planning,
                observer.clone(),
                cancel,
            );
            let outcome = looked.await;
            if collided(&outcome) {
                let report = reporting::report(&outcome, &[], started.elapsed());
                return Ok((outcome, report));
            }
        }
        let target =
            Registry::with_observer(self.settings.access.target.clone(), observer.clone())?;
        // Stopped while it looks: the copy that follows ends at once and says what is missing.
        let at_target = tokio::select! {
            found = self.at_target(&target) => found?,
            () = cancel.cancelled() => AtTarget::default(),
        };
        let target = Arc::new(target);
        let outcome = if self.bundle.external().is_empty() {
            self.copy(source, target.clone(), at_target, observer, cancel)
                .await
        } else {
            let both = WithTarget::new(source, target.clone(), at_target.clone());
            self.copy(Arc::new(both), target.clone(), at_target, observer, cancel)
                .await
        };
        let report = reporting::report(&outcome, &[&target], started.elapsed());
        Ok((outcome, report))
    }

    async fn copy<S: Source, T: Target>(
        &self,
        source: Arc<S>,
        target: Arc<T>,
        at_target: AtTarget,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Outcome {
        let options = self.options(self.settings.dry_run, at_target);
        copy(source, target, &self.images, &options, observer, cancel).await
    }

    fn options(&self, dry_run: bool, at_target: AtTarget) -> CopyOptions {
        CopyOptions {
            jobs: self.settings.access.jobs,
            dry_run,
            at_target,
            ..CopyOptions::default()
        }
    }

    /// Where the blobs are that a delta leaves out; an error when a target lacks some.
    async fn at_target(&self, registry: &Registry) -> Result<AtTarget, Failure> {
        let targets: Vec<&TargetPrefix> = std::iter::once(&self.settings.target)
            .chain(&self.settings.also)
            .collect();
        let mut all = AtTarget::default();
        for (target, shipment) in targets.into_iter().zip(&self.shipments) {
            let relied = relied(&self.bundle, target, shipment);
            let (places, missing) = locate(registry, &relied).await?;
            if !missing.is_empty() {
                let lacking = missing.iter().map(|&index| &relied[index].blob);
                return Err(self.lacks_base(target, lacking.map(|b| b.digest.to_string())));
            }
            all.extend(places);
        }
        Ok(all)
    }

    fn lacks_base(&self, target: &TargetPrefix, lacking: impl Iterator<Item = String>) -> Failure {
        let digests: Vec<String> = lacking.collect();
        let images: BTreeSet<String> = digests
            .iter()
            .filter_map(|digest| digest.parse().ok())
            .flat_map(|digest| self.bundle.images_of(&digest))
            .collect();
        let named = |names: &mut dyn Iterator<Item = &String>, all: usize| {
            let some: Vec<&str> = names.take(NAMED).map(String::as_str).collect();
            let more = match all.saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}{more}", some.join(", "))
        };
        let message = format!(
            "it lacks {} that the delta leaves to its base, for {}\n{}",
            ui::count(digests.len(), "blob"),
            named(&mut images.iter(), images.len()),
            named(&mut digests.iter(), digests.len()),
        );
        Failure::new(Code::NotFound, target.to_string(), message).hint(format!(
            "push the bundle that {} is based on to {target} first, then this one; nothing was \
             sent yet",
            self.bundle.path()
        ))
    }

    fn tell(
        &self,
        outcome: &Outcome,
        mut report: Report,
        printer: &Printer,
    ) -> anyhow::Result<ExitStatus> {
        let settings = &self.settings;
        show_sources(&mut report.images);
        let complete = outcome.is_complete() && !settings.dry_run;
        let writing = match &self.config {
            Some(config) if complete => files::write_config(config.files()),
            _ => Ok(()),
        };
        let written = complete && writing.is_ok();
        if written && let Some(config) = &self.config {
            report.files = config.paths();
        }
        let file = settings.report.as_deref();
        reporting::deliver(&report, file, settings.output, printer)?;
        printer.errors(&ui::failures(&report.images, printer.style()));
        if collided(outcome) {
            printer.say("Nothing was sent.");
            return Ok(ExitStatus::Usage);
        }
        if settings.dry_run {
            if settings.output == Format::Table {
                printer.document(&ui::plan_table(&report.images))?;
            }
            printer.say(&ui::planned(&report));
            return Ok(self.status(outcome));
        }
        printer.say(&if outcome.cancelled {
            ui::stopped(&report)
        } else {
            ui::pushed(&report)
        });
        match &self.config {
            Some(config) if written => {
                for line in config.told() {
                    printer.say(line);
                }
                for other in &settings.also {
                    printer.say(&format!(
                        "Files for {other}: airbuoy push {} {other}, with an --out-dir of its own",
                        shell_word(self.bundle.path().as_str())
                    ));
                }
            }
            None if written => {}
            _ if complete => {}
            _ => printer.say(
                "No config files were written. Run the same command again: what arrived is not \
                 sent again.",
            ),
        }
        writing?;
        Ok(self.status(outcome))
    }

    /// A bundle that could not be read to its end is this machine's trouble, whatever the
    /// registries say besides.
    fn status(&self, outcome: &Outcome) -> ExitStatus {
        let of_bundle =
            |side: Side, host: &str| side == Side::Source && host == self.bundle.path().as_str();
        match reporting::status_of_copy(outcome) {
            ExitStatus::Registry
                if outcome
                    .errors
                    .iter()
                    .any(|(_, error)| of_bundle(error.side, error.failure.host())) =>
            {
                ExitStatus::Local
            }
            status => status,
        }
    }
}
