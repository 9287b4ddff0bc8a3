//! Whether TARGET holds what a run needs, and whether the pods may have it.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::catalog::Conformance;
use crate::content::{Code, Source};
use crate::event::Silent;
use crate::oci::{Platform, PlatformSelection, Reference};
use crate::registry::{Options, Registry};
use crate::relocate::Relocation;
use crate::settings::RunSettings;
use crate::sonobuoy::preflight::{CredentialFacts, ImageFacts};
use crate::transfer::{Check, VerifyOptions, verify};

/// Indexes read at once.
const READING: usize = 16;

/// The images of the run as (source, target): those that a conformance test may use, and the
/// runner images. The rest of the mirror may be there or not.
pub(super) fn needed(relocation: &Relocation) -> Vec<(Reference, Reference)> {
    let rows = relocation.rows().iter().filter(|row| row.skipped.is_none());
    let rows = rows.filter(|row| row.role.is_runner() || row.conformance != Some(Conformance::No));
    rows.filter_map(|row| Some((row.source.clone(), row.target.clone()?)))
        .collect()
}

/// With the login that the pods get, when we have it.
fn options(settings: &RunSettings) -> Options {
    let mut options = settings.access.target.clone();
    if let Some((path, _)) = &settings.docker_config {
        options.auth_files = vec![path.clone()];
        options.auth_file_explicit = true;
    }
    options
}

/// Looks for every image, whole, for each of the nodes' platforms.
pub(super) async fn images(
    settings: &RunSettings,
    relocation: &Relocation,
    platforms: Vec<Platform>,
) -> anyhow::Result<ImageFacts> {
    let registry = Arc::new(Registry::new(options(settings))?);
    let checks: Vec<Check> = needed(relocation)
        .into_iter()
        .map(|(source, target)| Check {
            source,
            target,
            expected: None,
        })
        .collect();
    let verifying = VerifyOptions {
        platforms: PlatformSelection::Only(platforms.clone()),
        deep: false,
        jobs: settings.access.jobs,
    };
    let never = CancellationToken::new();
    let outcome = verify(
        registry.clone(),
        &checks,
        &verifying,
        Arc::new(Silent),
        &never,
    )
    .await;
    let mut missing: Vec<String> = Vec::new();
    for (row, error) in &outcome.errors {
        missing.push(format!(
            "{}: {}",
            checks[*row].target,
            error.failure.message()
        ));
    }
    let sound = checks
        .iter()
        .enumerate()
        .filter(|(row, _)| !outcome.errors.iter().any(|(failed, _)| failed == row));
    let lacking = futures_util::stream::iter(sound)
        .map(|(_, check)| lacking(&registry, &check.target, &platforms))
        .buffer_unordered(READING)
        .filter_map(std::future::ready);
    missing.extend(lacking.collect::<Vec<_>>().await);
    missing.sort();
    Ok(ImageFacts::Checked {
        total: checks.len(),
        platforms,
        missing,
    })
}

/// The platforms that an index has no image for. A plain image names none and is taken as it is.
async fn lacking(
    registry: &Registry,
    target: &Reference,
    platforms: &[Platform],
) -> Option<String> {
    let manifest = registry.manifest(target).await.ok()?;
    let children = manifest.successors().ok()?.manifests;
    if children.is_empty() {
        return None;
    }
    let has = |wanted: &Platform| {
        let wanted = PlatformSelection::Only(vec![wanted.clone()]);
        children
            .iter()
            .filter_map(|child| child.platform.as_ref())
            .any(|p| wanted.wants(p))
    };
    let absent: Vec<String> = platforms
        .iter()
        .filter(|platform| !has(platform))
        .map(Platform::to_string)
        .collect();
    (!absent.is_empty()).then(|| format!("{target}: no manifest for {}", absent.join(", ")))
}

/// Whether TARGET gives its images to anybody who asks.
pub(super) async fn credentials(
    settings: &RunSettings,
    relocation: &Relocation,
) -> anyhow::Result<CredentialFacts> {
    let anonymous = Options {
        auth_files: Vec::new(),
        auth_file_explicit: false,
        ..settings.access.target.clone()
    };
    let registry = Registry::new(anonymous)?;
    let any = needed(relocation).into_iter().next();
    let refused = match any {
        Some((_, target)) => match Source::resolve(&registry, &target).await {
            Err(failure) => matches!(failure.code(), Code::Unauthorized | Code::Denied),
            Ok(_) => false,
        },
        None => false,
    };
    Ok(CredentialFacts {
        host: settings.target.host().to_owned(),
        wants_login: refused,
        pull_secret: settings.pull_secret.clone(),
        docker_config: settings.docker_config.is_some(),
    })
}
