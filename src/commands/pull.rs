//! `airbuoy pull BUNDLE`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::copying::{collided, images, rivals};
use super::in_bundle::{InBundle, show_rows};
use super::interrupt::cancel_on_signal;
use super::live_lists::read_lists;
use super::pull_existing::Existing;
use super::shelf::Shelf;
use super::{ExitStatus, reporting, runtime};
use crate::bundle::{
    BUNDLE_HOST, Base, Bundle, External, Finished, ImageRecord, Preview, RealDisk, Record,
    WriteOptions, Writer,
};
use crate::cli::{Format, PullArgs};
use crate::content::Target;
use crate::event::{ImageStatus, Observer};
use crate::oci::Reference;
use crate::registry::Registry;
use crate::relocate::{Relocation, TargetPrefix};
use crate::settings::{Environment, Placement, PullSettings, SettingsError};
use crate::transfer::{CopyOptions, Image, Outcome, Report, copy};
use crate::ui::{self, Printer, Pulled};

pub(super) fn run(
    args: &PullArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let mut settings = PullSettings::resolve(args, environment)?;
    read_lists(
        &mut settings.placement.release,
        &settings.access.source,
        &args.catalog.live,
        environment,
        printer,
    )?;
    let inside: TargetPrefix = BUNDLE_HOST.parse().context("names inside a bundle")?;
    let relocation = settings.placement.relocation(Some(&inside))?;
    for notice in settings.placement.release.notices() {
        printer.say(notice);
    }
    for notice in relocation.notices() {
        printer.say(notice);
    }
    let mut external = Vec::new();
    for path in &settings.base {
        external.extend(Base::read(path)?.blobs);
    }
    let existing = Existing::open(&settings.bundle)?;
    let pull = Pull {
        images: images(std::slice::from_ref(&relocation)),
        record: record(&settings.placement, &relocation),
        external,
        existing,
        settings,
    };
    runtime::block_on(pull.run(printer))
}

/// What the bundle will say of itself.
pub(super) fn record(placement: &Placement, relocation: &Relocation) -> Record {
    let rows = relocation.rows().iter();
    let images = rows.filter(|row| row.skipped.is_none()).filter_map(|row| {
        let target = row.target.as_ref()?;
        Some(ImageRecord {
            source: row.source.clone(),
            repository: target.repository().path().to_owned(),
            tag: target.tag().map(str::to_owned),
            digest: None,
            role: row.role,
            key: row.key.clone(),
            conformance: row.conformance,
            versions: row.versions.clone(),
        })
    });
    let release = &placement.release;
    Record::new(
        placement.platforms.to_string(),
        images.collect(),
        release.sets.clone(),
        release.sonobuoy.clone(),
    )
}

/// A pull, ready to begin.
struct Pull {
    settings: PullSettings,
    images: Vec<Image>,
    record: Record,
    external: Vec<External>,
    existing: Existing,
}

impl Pull {
    async fn run(self, printer: &Printer) -> anyhow::Result<ExitStatus> {
        let progress = Arc::new(printer.progress(self.settings.placement.release.title()));
        let cancel = cancel_on_signal(progress.clone());
        let observer: Arc<dyn Observer> = Arc::new(InBundle(progress.clone()));
        let ended = self.bring(observer, &cancel).await;
        progress.finish();
        ended?.tell(&self.settings, printer)
    }

    async fn bring(
        &self,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> anyhow::Result<Ended> {
        let started = Instant::now();
        let source =
            Registry::with_observer(self.settings.access.source.clone(), observer.clone())?;
        let rivals = rivals(&self.images);
        let done = |outcome: Outcome, how: How| {
            let mut report = reporting::report(&outcome, &[&source], started.elapsed());
            show_rows(&mut report.images);
            Ended {
                outcome,
                report,
                how,
            }
        };
        if !rivals.is_empty() {
            let looked = self
                .copy(&source, Shelf::default(), &rivals, true, &observer, cancel)
                .await;
            if collided(&looked) {
                return Ok(done(looked, How::Refused));
            }
        }
        let settings = &self.settings;
        let may_be_whole = self
            .existing
            .may_be_whole(settings, &self.record, &self.external);
        // Before any request; what may be the very same is asked for first.
        if !may_be_whole {
            self.may_be_replaced()?;
        }
        let options = WriteOptions {
            split: settings.split,
            external: self.external.clone(),
            record: self.record.clone(),
        };
        if settings.dry_run || may_be_whole {
            let mut shelf = self.existing.shelf();
            if settings.dry_run {
                let (path, options) = (settings.bundle.clone(), options.clone());
                let opening = move || Preview::open(&path, options, RealDisk);
                shelf = shelf.with(tokio::task::spawn_blocking(opening).await??);
            }
            let looked = self
                .copy(&source, shelf, &self.images, true, &observer, cancel)
                .await;
            if looked.refused.is_some() || looked.cancelled && !settings.dry_run {
                return Ok(done(looked, How::Unfinished));
            }
            let same = looked.is_complete() && looked.count(ImageStatus::Planned) == 0;
            if may_be_whole && !same {
                self.may_be_replaced()?;
            }
            if settings.dry_run {
                return Ok(done(looked, How::Planned));
            }
            if same {
                return Ok(done(looked, How::UpToDate));
            }
        }

        let path = settings.bundle.clone();
        let writer =
            tokio::task::spawn_blocking(move || Writer::open(&path, options, RealDisk)).await??;
        let writer = Arc::new(writer);
        let outcome = self
            .copy_to(
                &source,
                writer.clone(),
                &self.images,
                false,
                &observer,
                cancel,
            )
            .await;
        let commit = outcome.is_complete() || settings.keep_going && !outcome.cancelled;
        let brought = self.brought(&outcome);
        if !commit || brought.is_empty() {
            return Ok(done(outcome, How::Unfinished));
        }
        let lost = self.existing.lost(&brought.iter().collect()).len();
        if lost > 0 {
            return Ok(done(outcome, How::Kept { lost }));
        }
        let finished = finish(writer, brought).await?;
        let mut ended = done(outcome, How::Finished(finished));
        self.account(&mut ended)?;
        Ok(ended)
    }

    /// Refuses to lose what lies in the bundle's place.
    fn may_be_replaced(&self) -> Result<(), SettingsError> {
        let targets = self.images.iter().flat_map(|image| &image.targets);
        let asked: HashSet<&Reference> = targets.collect();
        self.existing
            .may_be_replaced(&self.settings, &self.record, &self.external, &asked)
    }

    async fn copy<T: Target>(
        &self,
        source: &Registry,
        target: T,
        images: &[Image],
        dry_run: bool,
        observer: &Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Outcome {
        self.copy_to(source, Arc::new(target), images, dry_run, observer, cancel)
            .await
    }

    async fn copy_to<T: Target>(
        &self,
        source: &Registry,
        target: Arc<T>,
        images: &[Image],
        dry_run: bool,
        observer: &Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Outcome {
        let options = CopyOptions {
            platforms: self.settings.placement.platforms.clone(),
            jobs: self.settings.access.jobs,
            dry_run,
            ..CopyOptions::default()
        };
        let (source, observer) = (Arc::new(source.clone()), observer.clone());
        copy(source, target, images, &options, observer, cancel).await
    }

    /// The names that the bundle has now.
    fn brought(&self, outcome: &Outcome) -> Vec<Reference> {
        let targets = self.images.iter().flat_map(|image| &image.targets);
        targets
            .zip(&outcome.images)
            .filter(|(_, row)| matches!(row.status, ImageStatus::Copied | ImageStatus::Present))
            .map(|(target, _)| target.clone())
            .collect()
    }

    /// Adds what only the finished bundle tells: its files, and what is left to its base.
    fn account(&self, ended: &mut Ended) -> anyhow::Result<()> {
        let How::Finished(finished) = &ended.how else {
            return Ok(());
        };
        ended.report.files = finished.files.iter().map(ToString::to_string).collect();
        if !self.external.is_empty() {
            let bundle = Bundle::open(&self.settings.bundle)?;
            let external = bundle.external();
            ended.report.blobs.external = external.len() as u64;
            ended.report.bytes.external = external.iter().map(|blob| blob.size).sum();
        }
        Ok(())
    }
}

async fn finish(writer: Arc<Writer>, brought: Vec<Reference>) -> anyhow::Result<Finished> {
    Ok(tokio::task::spawn_blocking(move || writer.finish(&brought)).await??)
}

/// How a pull came to its end.
struct Ended {
    outcome: Outcome,
    report: Report,
    how: How,
}

enum How {
    /// Two images would take one name.
    Refused,
    /// A dry run.
    Planned,
    /// The bundle holds all of it already.
    UpToDate,
    /// What arrived waits for the next run.
    Unfinished,
    /// The new bundle would lack this many images of the one that is there.
    Kept { lost: usize },
    /// The bundle is there.
    Finished(Finished),
}

impl Ended {
    fn tell(self, settings: &PullSettings, printer: &Printer) -> anyhow::Result<ExitStatus> {
        let Self {
            outcome,
            report,
            how,
        } = self;
        let file = settings.report.as_deref();
        reporting::deliver(&report, file, settings.output, printer)?;
        reporting::say_failures(&outcome, &report, printer);
        let bundle = &settings.bundle;
        match how {
            How::Refused => {
                printer.say("Nothing was fetched.");
                return Ok(ExitStatus::Usage);
            }
            How::Planned => {
                if settings.output == Format::Table {
                    printer.document(&ui::plan_table(&report.images))?;
                }
                printer.say(&ui::planned(&report));
            }
            How::UpToDate => printer.say(&ui::bundle_up_to_date(bundle, &report)),
            How::Unfinished if outcome.refused.is_some() => printer.say("Nothing was fetched."),
            How::Unfinished => {
                printer.say(&if outcome.cancelled {
                    ui::stopped(&report)
                } else {
                    ui::pulled(&report)
                });
                let more = if settings.keep_going {
                    ""
                } else {
                    "; --keep-going does without what cannot be fetched"
                };
                printer.say(&format!(
                    "{bundle} is not finished: run the same command again, what arrived is not \
                     fetched again{more}"
                ));
            }
            How::Kept { lost } => {
                printer.say(&ui::pulled(&report));
                printer.say(&ui::bundle_kept(bundle, lost));
            }
            How::Finished(finished) => {
                printer.say(&ui::pulled(&report));
                let pulled = Pulled {
                    bundle,
                    base: if report.blobs.external > 0 {
                        &settings.base
                    } else {
                        &[]
                    },
                    files: &finished.files,
                    bytes: finished.bytes,
                };
                for line in pulled.lines() {
                    printer.say(&line);
                }
            }
        }
        Ok(reporting::status_of_copy(&outcome))
    }
}
