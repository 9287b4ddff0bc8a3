//! After the stand-ins were copied: are they sound, and away with them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::content::Failure;
use crate::event::{ImageStatus, Silent};
use crate::oci::Reference;
use crate::registry::{Options, Registry};
use crate::settings::RehearseSettings;
use crate::transfer::{Check, Image, Outcome, VerifyOptions, verify};
use crate::ui::{Printer, count};

/// Removals at once: enough to be quick, few enough to be polite.
const REMOVING: usize = 8;

/// Checks everything that was copied, every byte of it.
pub(super) async fn verified(
    target: &Options,
    images: &[Image],
    settings: &RehearseSettings,
    cancel: &CancellationToken,
) -> anyhow::Result<Outcome> {
    let registry = Registry::new(target.clone())?;
    let checks: Vec<Check> = images
        .iter()
        .flat_map(|image| {
            image.targets.iter().map(|target| Check {
                source: image.source.clone(),
                target: target.clone(),
                expected: None,
            })
        })
        .collect();
    let options = VerifyOptions {
        platforms: settings.placement.platforms.clone(),
        deep: true,
        jobs: settings.access.jobs,
    };
    // The images were told once, as they were copied.
    let observer = Arc::new(Silent);
    Ok(verify(Arc::new(registry), &checks, &options, observer, cancel).await)
}

/// Removes the tags that a rehearsal wrote, as far as the registry allows, and says what stays.
pub(super) async fn remove(
    target: &Options,
    images: &[Image],
    copied: &Outcome,
    printer: &Printer,
) -> anyhow::Result<()> {
    let registry = Registry::new(target.clone())?;
    let removals = written(images, copied).into_iter().map(|target| {
        let registry = registry.clone();
        async move { registry.delete_manifest(target).await.err() }
    });
    let failures: Vec<_> = futures_util::stream::iter(removals)
        .buffer_unordered(REMOVING)
        .filter_map(std::future::ready)
        .collect()
        .await;
    if !failures.is_empty() {
        let reasons: BTreeSet<&str> = failures.iter().map(Failure::message).collect();
        let reasons: Vec<&str> = reasons.into_iter().collect();
        printer.warn(&format!(
            "{} could not be removed, all of them end with {}: {}",
            count(failures.len(), "tag"),
            crate::rehearsal::TAG_SUFFIX,
            reasons.join("; ")
        ));
    }
    Ok(())
}

/// The names that are at the target now.
fn written<'a>(images: &'a [Image], copied: &Outcome) -> Vec<&'a Reference> {
    let there: HashSet<&str> = copied
        .images
        .iter()
        .filter(|row| matches!(row.status, ImageStatus::Copied | ImageStatus::Present))
        .filter_map(|row| row.target.as_deref())
        .collect();
    let targets = images.iter().flat_map(|image| &image.targets);
    targets
        .filter(|target| target.tag().is_some() && there.contains(target.to_string().as_str()))
        .collect()
}
