//! `airbuoy rehearse --via-bundle`: the stand-ins go into a bundle and out of it again, as they
//! would over an air gap.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::bundle_check::verify;
use super::copying::{Copying, images};
use super::in_bundle::{InBundle, show_rows};
use super::pull::record;
use super::reporting;
use crate::bundle::{BUNDLE_HOST, Bundle, RealDisk, WriteOptions, Writer};
use crate::content::{Code, Failure};
use crate::event::Observer;
use crate::oci::Reference;
use crate::registry::Registry;
use crate::relocate::{Layout, TargetPrefix};
use crate::settings::{Placement, RehearseSettings};
use crate::transfer::{Image, Outcome, Report, copy};
use crate::ui;

/// The bundle's name in its temporary folder.
const NAME: &str = "rehearsal.tar";

/// What came of the way over a bundle.
pub(super) struct Crossed {
    pub(super) outcome: Outcome,
    pub(super) report: Report,
    /// One sentence a step that succeeded.
    pub(super) steps: Vec<String>,
}

/// Pulls, verifies and pushes; the outcome is that of the push, or of what failed before it.
pub(super) async fn cross(
    copying: Copying,
    settings: &RehearseSettings,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
) -> anyhow::Result<Crossed> {
    let folder = tempfile::tempdir()
        .context("cannot make a temporary folder; TMPDIR names another place for it")?;
    let path = folder.path().join(NAME);
    let path = Utf8Path::from_path(&path).context("the temporary folder's name is not UTF-8")?;
    let mut steps = Vec::new();

    let started = Instant::now();
    let source = Registry::with_observer(copying.source.clone(), observer.clone())?;
    let outcome = pull(&copying, &source, settings, path, observer.clone(), cancel).await?;
    let mut report = reporting::report(&outcome, &[&source], started.elapsed());
    if !outcome.is_complete() {
        show_rows(&mut report.images);
        return Ok(Crossed {
            outcome,
            report,
            steps,
        });
    }
    steps.push(ui::pulled(&report));

    let started = Instant::now();
    let opened = path.to_owned();
    let bundle = tokio::task::spawn_blocking(move || Bundle::open(&opened)).await??;
    let verification = verify(&bundle, observer.clone(), cancel).await?;
    if let Some(fault) = verification.faults.first() {
        let failure = Failure::new(Code::Local, path.as_str(), fault.to_string());
        return Err(failure.into());
    }
    let images = bundle.entries().len();
    let name = Utf8Path::new(NAME);
    let time = started.elapsed();
    steps.push(ui::bundle_verified(name, images, &verification, time));

    let started = Instant::now();
    let target = Registry::with_observer(copying.target.clone(), observer.clone())?;
    let (bundle, to) = (Arc::new(bundle), Arc::new(target.clone()));
    // A bundle holds the platforms that were pulled, and no others.
    let options = crate::transfer::CopyOptions {
        platforms: crate::oci::PlatformSelection::All,
        ..copying.options
    };
    let outcome = copy(bundle, to, &copying.images, &options, observer, cancel).await;
    let report = reporting::report(&outcome, &[&source, &target], started.elapsed());
    if outcome.is_complete() {
        steps.push(ui::pushed(&report));
    }
    Ok(Crossed {
        outcome,
        report,
        steps,
    })
}

async fn pull(
    copying: &Copying,
    source: &Registry,
    settings: &RehearseSettings,
    path: &Utf8Path,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
) -> anyhow::Result<Outcome> {
    // Inside a bundle names keep their paths, whatever they become at the target.
    let placement = Placement {
        layout: Layout::KeepPath,
        ..settings.placement.clone()
    };
    let inside: TargetPrefix = BUNDLE_HOST.parse().context("names inside a bundle")?;
    let relocation = placement.relocation(Some(&inside))?;
    let wanted: Vec<&Reference> = copying.images.iter().map(|image| &image.source).collect();
    let mut pulled: Vec<Image> = images(std::slice::from_ref(&relocation));
    pulled.retain(|image| wanted.contains(&&image.source));
    let options = WriteOptions {
        split: None,
        external: Vec::new(),
        record: record(&placement, &relocation),
    };
    let to = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || Writer::open(&to, options, RealDisk));
    let writer = Arc::new(writer.await??);
    let source = Arc::new(source.clone());
    let observer = Arc::new(InBundle(observer));
    let outcome = copy(
        source,
        writer.clone(),
        &pulled,
        &copying.options,
        observer,
        cancel,
    )
    .await;
    if outcome.is_complete() {
        let names = pulled.into_iter().flat_map(|image| image.targets);
        let names: Vec<Reference> = names.collect();
        tokio::task::spawn_blocking(move || writer.finish(&names)).await??;
    }
    Ok(outcome)
}
