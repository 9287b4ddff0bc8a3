//! `airbuoy verify BUNDLE`: every byte read, and with `--repair` what is damaged fetched again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::bundle_check::verify;
use super::interrupt::cancel_on_signal;
use super::{ExitStatus, reporting, runtime};
use crate::bundle::{Bundle, BundleError, Fault, FaultKind, Repaired, Totals, Verification};
use crate::content::{Code, Failure};
use crate::event::{ImageStatus, Observer};
use crate::registry::{Registry, Side};
use crate::settings::VerifyBundle;
use crate::transfer::{Blobs, Bytes, ErrorRow, ImageRow, Report};
use crate::ui::{self, Printer};

/// Repairs in a row: a mended manifest may name blobs that nobody could know of, which may be
/// damaged in turn; no chain is longer than index, index, manifest, blob.
const ROUNDS: usize = 4;

/// The report of a bundle's check: that of any check, and what is damaged.
#[derive(Serialize)]
struct BundleReport<'a> {
    #[serde(flatten)]
    report: Report,
    faults: &'a [Fault],
    /// What `--repair` fetched.
    repaired: Totals,
}

pub(super) fn run(settings: &VerifyBundle, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let bundle = match Bundle::open(&settings.bundle) {
        // What cannot even be opened is not sound; what is not there, or not readable by this
        // user, was not checked.
        Err(error) if !matches!(error, BundleError::Io { .. } | BundleError::Refused { .. }) => {
            printer.error(&error.into());
            return Ok(ExitStatus::CheckFailed);
        }
        opened => opened?,
    };
    runtime::block_on(check(settings, bundle, printer))
}

async fn check(
    settings: &VerifyBundle,
    mut bundle: Bundle,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let started = Instant::now();
    let progress = Arc::new(printer.progress(format!("Reading {}", bundle.path())));
    let cancel = cancel_on_signal(progress.clone());
    let mut registry = None;
    let mut mended = Mended::default();
    let mut verified = verify(&bundle, progress.clone(), &cancel).await;
    if settings.repair
        && let Ok(found) = &verified
        && !found.faults.is_empty()
    {
        let source = Registry::with_observer(settings.access.source.clone(), progress.clone())?;
        let repaired = mend(
            &mut bundle,
            &source,
            progress.clone(),
            &cancel,
            found.clone(),
        )
        .await?;
        verified = repaired.0;
        mended = repaired.1;
        registry = Some(source);
    }
    progress.finish();
    let verification = match verified {
        Ok(verification) => verification,
        Err(failure) if failure.code() == Code::Cancelled => {
            printer.say("Stopped before everything was read.");
            return Ok(ExitStatus::Interrupted);
        }
        Err(failure) => return Err(failure.into()),
    };
    let mut report = report(&bundle, &verification, started.elapsed());
    report.requests = registry.iter().flat_map(Registry::requests).collect();
    let report = BundleReport {
        report,
        faults: &verification.faults,
        repaired: mended.fetched,
    };
    reporting::deliver(
        &report,
        settings.report.as_deref(),
        settings.output,
        printer,
    )?;
    tell(
        &bundle,
        settings,
        &verification,
        &mended,
        started.elapsed(),
        printer,
    );
    Ok(if verification.faults.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::CheckFailed
    })
}

/// What repairs came to.
#[derive(Default)]
struct Mended {
    fetched: Totals,
    failed: Vec<Failure>,
}

/// Repairs until nothing is damaged, or nothing more can be mended.
async fn mend(
    bundle: &mut Bundle,
    source: &Registry,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
    mut found: Verification,
) -> anyhow::Result<(Result<Verification, Failure>, Mended)> {
    let path = bundle.path().to_owned();
    let source = Arc::new(source.clone());
    let mut mended = Mended::default();
    for _ in 0..ROUNDS {
        let Repaired { fetched, failed } = bundle
            .repair(&found.faults, &source, &observer, cancel)
            .await?;
        mended.fetched.count += fetched.count;
        mended.fetched.bytes += fetched.bytes;
        mended.failed = failed.into_iter().map(|(_, failure)| failure).collect();
        let reopened = path.clone();
        *bundle = tokio::task::spawn_blocking(move || Bundle::open(&reopened)).await??;
        found = match verify(bundle, observer.clone(), cancel).await {
            Ok(found) => found,
            Err(failure) => return Ok((Err(failure), mended)),
        };
        if found.faults.is_empty() || fetched.count == 0 {
            break;
        }
    }
    Ok((Ok(found), mended))
}

fn report(bundle: &Bundle, verification: &Verification, time: Duration) -> Report {
    let faults = &verification.faults;
    let rows = bundle.entries().iter().map(|entry| {
        let source = entry.source.as_ref();
        let source = source.map_or_else(|| entry.name(), ToString::to_string);
        let fault = faults.iter().find(|fault| fault.images.contains(&source));
        let digest = entry.descriptor.digest.to_string();
        ImageRow {
            source,
            target: Some(entry.name()),
            source_digest: Some(digest.clone()),
            target_digest: fault.is_none().then_some(digest),
            status: match fault {
                Some(_) => ImageStatus::Failed,
                None => ImageStatus::Present,
            },
            error: fault.map(|fault| ErrorRow::new(Side::Target, &failure(bundle, fault))),
        }
    });
    let Verification { read, external, .. } = verification;
    Report {
        format: reporting::FORMAT,
        images: rows.collect(),
        blobs: Blobs {
            unique: read.count,
            present: read.count.saturating_sub(faults.len() as u64),
            external: external.count,
            ..Blobs::default()
        },
        bytes: Bytes {
            unique: read.bytes,
            logical: read.bytes,
            external: external.bytes,
            ..Bytes::default()
        },
        requests: Vec::new(),
        seconds: time.as_secs_f64(),
        files: Vec::new(),
    }
}

fn failure(bundle: &Bundle, fault: &Fault) -> Failure {
    let code = match fault.kind {
        FaultKind::Missing => Code::NotFound,
        FaultKind::Size => Code::SizeMismatch,
        FaultKind::Digest => Code::DigestMismatch,
        FaultKind::Unreadable => Code::Local,
        FaultKind::Manifest => Code::ManifestInvalid,
        FaultKind::TooLarge => Code::TooLarge,
        FaultKind::Name => Code::Collision,
    };
    Failure::new(code, bundle.path().as_str(), fault.to_string()).about(&(&fault.digest).into())
}

fn tell(
    bundle: &Bundle,
    settings: &VerifyBundle,
    verification: &Verification,
    mended: &Mended,
    time: Duration,
    printer: &Printer,
) {
    let style = printer.style();
    let path = bundle.path();
    let mut text = ui::faults(path, &verification.faults, style);
    if !settings.repair {
        text.push_str(&ui::repair_hint(path, &verification.faults, style));
    }
    printer.errors(&text);
    for failure in &mended.failed {
        printer.error(&anyhow::Error::new(failure.clone()).context("not repaired"));
    }
    if mended.fetched.count > 0 {
        printer.say(&format!(
            "Repaired {} of {}: only that was fetched",
            ui::count(
                usize::try_from(mended.fetched.count).unwrap_or(usize::MAX),
                "blob"
            ),
            ui::bytes(mended.fetched.bytes)
        ));
    }
    let images = bundle.entries().len();
    printer.say(&ui::bundle_verified(path, images, verification, time));
}
