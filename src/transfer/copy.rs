//! A copy from its two ends to its report.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::blob::Context;
use super::content::{Content, logical_size};
use super::graph::{Graph, RowId, Wanted};
use super::image::{CopyError, CopyOptions, Image, Outcome};
use super::pump::Budget;
use super::report::{ErrorRow, ImageRow};
use super::resolve::{Resolution, Resolver};
use super::run::{Finished, OnRow, Run};
use crate::content::{Code, Failure, Plan, Source, Target};
use crate::event::{Event, ImageStatus, Observer};
use crate::oci::{Descriptor, Digest, Platform, RawManifest, Reference};

/// Images that are resolved at once; the registry clients bound the requests below.
const RESOLVING: usize = 64;

/// Copies images: resolves all of them on both sides, plans the union of what is missing, then
/// brings blobs, manifests and tags from the bottom up.
///
/// An image that fails does not stop the others. When `cancel` fires, running bodies stop, small
/// requests end, and the outcome says what is complete; the same call again goes on from there.
pub async fn copy<S: Source, T: Target>(
    source: Arc<S>,
    target: Arc<T>,
    images: &[Image],
    options: &CopyOptions,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
) -> Outcome {
    observer.event(Event::Resolving {
        images: images.len(),
    });
    let resolver = Resolver::new(source.clone(), target.clone(), options.platforms.clone());
    let resolving = futures_util::stream::iter(images)
        .map(|image| {
            let (resolver, observer) = (&resolver, &observer);
            async move {
                let resolution = resolver.resolve(image).await;
                observer.event(Event::Resolved {
                    image: image.source.to_string(),
                });
                resolution
            }
        })
        .buffered(RESOLVING)
        .collect::<Vec<_>>();
    let resolutions = tokio::select! {
        resolutions = resolving => resolutions,
        () = cancel.cancelled() => Vec::new(),
    };

    let mut rows = Rows::new(images, observer.clone());
    let wanted = rows.plan(images, resolutions);
    let content = resolver.into_content();
    let graph = Graph::build(&wanted, &content);
    let mut outcome = Outcome::default();
    outcome.bytes.unique = graph.unique_bytes();
    outcome.bytes.logical = wanted.iter().map(|w| logical_size(&content, &w.root)).sum();
    observer.event(Event::Planned {
        images: images.len(),
        to_copy: wanted.len(),
        platforms: platforms(&wanted, &content),
        blobs: graph.blobs.len(),
        bytes: outcome.bytes.unique,
        logical: outcome.bytes.logical,
    });
    if !wanted.is_empty() {
        let plan = plan(&wanted, &graph, &content);
        let taken = if options.dry_run {
            target.consider(&plan).await
        } else {
            target.prepare(&plan).await
        };
        if let Err(failure) = taken {
            let error = CopyError::target(failure);
            rows.refuse(&wanted, &error);
            outcome.refused = Some(error);
            return rows.into_outcome(outcome, cancel);
        }
    }
    if options.dry_run {
        outcome.blobs.unique = graph.blobs.iter().map(|blob| blob.hosts.len() as u64).sum();
        rows.planned(&wanted);
        return rows.into_outcome(outcome, cancel);
    }

    let context = Arc::new(Context {
        resuming: AtomicBool::new(target.is_local()),
        source,
        target,
        budget: Budget::new(options.buffer),
        observer: observer.clone(),
        cancel: cancel.clone(),
        wasted: AtomicU64::new(0),
        resumed: AtomicU64::new(0),
        kept: Mutex::default(),
    });
    let names = rows.images.iter().map(|row| row.source.clone()).collect();
    let run = Run::new(
        context.clone(),
        Arc::new(content),
        graph,
        options.clone(),
        names,
        rows.teller(),
    );
    let finished = run.work().await;
    outcome.blobs = finished.blobs;
    outcome.bytes.resumed = context.resumed();
    outcome.bytes.transferred = finished.sent.saturating_sub(outcome.bytes.resumed);
    outcome.bytes.wasted = context.wasted();
    rows.finish(&wanted, finished);
    rows.into_outcome(outcome, cancel)
}

/// The plan as the target hears it.
fn plan(wanted: &[Wanted], graph: &Graph, content: &Content) -> Plan {
    let manifests: BTreeMap<&Digest, &RawManifest> = graph
        .manifests
        .iter()
        .filter_map(|manifest| content.get_key_value(&manifest.digest))
        .map(|(digest, node)| (digest, &node.manifest))
        .collect();
    let mut blobs: Vec<Descriptor> = graph.blobs.iter().map(|b| b.descriptor.clone()).collect();
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    Plan {
        roots: wanted
            .iter()
            .map(|wanted| (wanted.target.clone(), wanted.root.clone()))
            .collect(),
        manifests: manifests.into_values().cloned().collect(),
        blobs,
    }
}

/// Distinct platforms that the plan brings over.
fn platforms(wanted: &[Wanted], content: &Content) -> usize {
    let mut platforms: HashSet<&Platform> = HashSet::new();
    let mut open: Vec<&Digest> = wanted.iter().map(|w| &w.root).collect();
    while let Some(node) = open.pop().and_then(|digest| content.get(digest)) {
        open.extend(node.children.iter().map(|child| &child.digest));
        let named = node
            .children
            .iter()
            .filter_map(|child| child.platform.as_ref());
        platforms.extend(named.filter(|platform| !platform.is_unknown()));
    }
    platforms.len()
}

/// The report's rows while the run fills them.
struct Rows {
    images: Vec<ImageRow>,
    errors: Vec<(usize, CopyError)>,
    observer: Arc<dyn Observer>,
}

impl Rows {
    fn new(images: &[Image], observer: Arc<dyn Observer>) -> Self {
        let rows = images.iter().flat_map(|image| {
            image.targets.iter().map(|target| ImageRow {
                source: image.source.to_string(),
                target: Some(target.to_string()),
                source_digest: None,
                target_digest: None,
                status: ImageStatus::Failed,
                error: None,
            })
        });
        Self {
            images: rows.collect(),
            errors: Vec::new(),
            observer,
        }
    }

    /// Settles what needs no copy and returns the rest. `resolutions` is empty when the run was
    /// stopped before it began.
    fn plan(&mut self, images: &[Image], resolutions: Vec<Resolution>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        // What each target name will hold, and which row said so first.
        let mut claims: HashMap<&Reference, (Digest, RowId)> = HashMap::new();
        let mut collisions = Vec::new();
        let mut row = 0;
        for (image, resolution) in images.iter().zip(resolutions) {
            for (target, name) in image.targets.iter().enumerate() {
                match &resolution {
                    Resolution::Known {
                        source,
                        root,
                        found,
                    } => {
                        self.images[row].source_digest = Some(source.to_string());
                        self.images[row].target_digest =
                            found[target].as_ref().map(Digest::to_string);
                        let claim = claims.entry(name).or_insert_with(|| (root.clone(), row));
                        if claim.0 != *root {
                            collisions.extend([(claim.1, row), (row, claim.1)]);
                        }
                        if found[target].as_ref() == Some(root) {
                            self.settle(row, ImageStatus::Present, None);
                        } else {
                            wanted.push(Wanted {
                                row,
                                root: root.clone(),
                                target: name.clone(),
                            });
                        }
                    }
                    Resolution::NoPlatform(failure) => {
                        self.observer.event(Event::Warning(failure.to_string()));
                        let error = CopyError::source(failure.clone());
                        self.settle(row, ImageStatus::Skipped, Some(&error));
                    }
                    Resolution::Failed(error) => self.fail(row, error),
                }
                row += 1;
            }
        }
        for (row, other) in collisions {
            let error = self.collision(row, other);
            self.fail(row, &error);
        }
        wanted.retain(|wanted| !self.errors.iter().any(|(row, _)| *row == wanted.row));
        wanted
    }

    fn collision(&self, row: RowId, other: RowId) -> CopyError {
        let (source, rival) = (&self.images[row].source, &self.images[other].source);
        let target = self.images[row].target.as_deref().unwrap_or_default();
        let host = target.split('/').next().unwrap_or_default();
        let message =
            format!("{source} and {rival} are different images and would both become {target}");
        CopyError::target(Failure::new(Code::Collision, host, message).hint(
            "leave one of the two out with --exclude; without --flat they keep their paths apart",
        ))
    }

    fn settle(&mut self, row: RowId, status: ImageStatus, error: Option<&CopyError>) {
        self.images[row].status = status;
        self.images[row].error = error.map(ErrorRow::from);
        tell(&*self.observer, &self.images[row], status, error);
    }

    fn fail(&mut self, row: RowId, error: &CopyError) {
        if !self.errors.iter().any(|(known, _)| *known == row) {
            self.errors.push((row, error.clone()));
            self.settle(row, ImageStatus::Failed, Some(error));
        }
    }

    /// The target takes none of it: that is told once, not once a row.
    fn refuse(&mut self, wanted: &[Wanted], error: &CopyError) {
        for wanted in wanted {
            self.images[wanted.row].error = Some(ErrorRow::from(error));
            self.errors.push((wanted.row, error.clone()));
        }
    }

    fn planned(&mut self, wanted: &[Wanted]) {
        for wanted in wanted {
            self.settle(wanted.row, ImageStatus::Planned, None);
        }
    }

    /// Tells the observer of rows as they end, from inside the run.
    fn teller(&self) -> OnRow {
        let (rows, observer) = (self.images.clone(), self.observer.clone());
        Box::new(move |row, error| {
            let status = if error.is_some() {
                ImageStatus::Failed
            } else {
                ImageStatus::Copied
            };
            tell(&*observer, &rows[row], status, error);
        })
    }

    fn finish(&mut self, wanted: &[Wanted], mut finished: Finished) {
        for row in finished.done {
            self.images[row].status = ImageStatus::Copied;
        }
        for wanted in wanted {
            let row = &mut self.images[wanted.row];
            if row.status == ImageStatus::Copied {
                row.target_digest = Some(wanted.root.to_string());
            } else if let Some(error) = finished.errors.remove(&wanted.row) {
                row.error = Some(ErrorRow::from(&error));
                self.errors.push((wanted.row, error));
            }
        }
    }

    fn into_outcome(mut self, mut outcome: Outcome, cancel: &CancellationToken) -> Outcome {
        for (index, row) in self.images.iter_mut().enumerate() {
            if row.status == ImageStatus::Failed && row.error.is_none() {
                let host = row.source.split('/').next().unwrap_or_default();
                let failure = Failure::new(
                    Code::Cancelled,
                    host,
                    "the run was stopped before it was complete",
                );
                let error = CopyError::source(failure);
                row.error = Some(ErrorRow::from(&error));
                self.errors.push((index, error));
            }
        }
        self.errors.sort_by_key(|(row, _)| *row);
        outcome.images = self.images;
        outcome.errors = self.errors;
        outcome.cancelled = cancel.is_cancelled();
        outcome
    }
}

fn tell(observer: &dyn Observer, row: &ImageRow, status: ImageStatus, error: Option<&CopyError>) {
    observer.event(Event::ImageFinished {
        image: row.source.clone(),
        target: row.target.clone().unwrap_or_default(),
        status,
        error: error.map(|error| error.failure.to_string()),
    });
}
