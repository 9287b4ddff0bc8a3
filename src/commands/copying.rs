//! One copy, from names to a report: what `mirror` and `rehearse` share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::reporting;
use crate::content::Code;
use crate::event::Observer;
use crate::oci::Reference;
use crate::registry::{Options, Registry};
use crate::relocate::Relocation;
use crate::transfer::{CopyOptions, Image, Outcome, Report, copy};

/// What is copied, and how.
pub(super) struct Copying {
    pub(super) source: Options,
    pub(super) target: Options,
    pub(super) images: Vec<Image>,
    pub(super) options: CopyOptions,
}

impl Copying {
    /// Copies, and says how it went. The report names no files yet.
    pub(super) async fn run(
        self,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> anyhow::Result<(Outcome, Report)> {
        let started = Instant::now();
        let source = Registry::with_observer(self.source, observer.clone())?;
        let target = Registry::with_observer(self.target, observer.clone())?;
        let outcome = copy(
            Arc::new(source.clone()),
            Arc::new(target.clone()),
            &self.images,
            &self.options,
            observer,
            cancel,
        )
        .await;
        let report = reporting::report(&outcome, &[&source, &target], started.elapsed());
        Ok((outcome, report))
    }

    /// The same, for the images that share a name at a target, and without writing anything: only
    /// digests tell whether they are the same. `None` when no two are known to differ.
    pub(super) async fn collisions(
        &self,
        shared: &[Reference],
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> anyhow::Result<Option<(Outcome, Report)>> {
        let is_shared = |image: &&Image| image.targets.iter().any(|t| shared.contains(t));
        let images: Vec<Image> = self.images.iter().filter(is_shared).cloned().collect();
        if images.is_empty() {
            return Ok(None);
        }
        let planning = Self {
            source: self.source.clone(),
            target: self.target.clone(),
            images,
            options: CopyOptions {
                dry_run: true,
                ..self.options.clone()
            },
        };
        let (outcome, report) = planning.run(observer, cancel).await?;
        Ok(collided(&outcome).then_some((outcome, report)))
    }
}

/// Each source once, with its names at all targets.
pub(super) fn images(relocations: &[Relocation]) -> Vec<Image> {
    images_of(relocations.iter().flat_map(Relocation::pulls))
}

/// The same, of pairs of a source and a target.
pub(super) fn images_of(pulls: impl IntoIterator<Item = (Reference, Reference)>) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    let mut places: HashMap<Reference, usize> = HashMap::new();
    for (source, target) in pulls {
        let place = *places.entry(source.clone()).or_insert_with(|| {
            images.push(Image {
                source,
                targets: Vec::new(),
            });
            images.len() - 1
        });
        // A custom layout names the same place for every TARGET.
        if !images[place].targets.contains(&target) {
            images[place].targets.push(target);
        }
    }
    images
}

/// Names at the targets that several sources would get.
pub(super) fn shared_names(relocations: &[Relocation]) -> Vec<Reference> {
    let collisions = relocations.iter().flat_map(Relocation::collisions);
    collisions.map(|collision| collision.target).collect()
}

/// Of these images, the ones that would share a name with another.
pub(super) fn rivals(images: &[Image]) -> Vec<Image> {
    let mut claims: HashMap<&Reference, usize> = HashMap::new();
    for target in images.iter().flat_map(|image| &image.targets) {
        *claims.entry(target).or_default() += 1;
    }
    let in_conflict = |image: &&Image| image.targets.iter().any(|t| claims[t] > 1);
    images.iter().filter(in_conflict).cloned().collect()
}

/// Whether an outcome says that two images would take one name.
pub(super) fn collided(outcome: &Outcome) -> bool {
    let mut errors = outcome.errors.iter();
    errors.any(|(_, error)| error.failure.code() == Code::Collision)
}
