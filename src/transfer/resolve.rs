//! The first half of a copy: ask both sides for each image's digest, and read the manifests of
//! what is not at the target yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _, join_all, try_join_all};
use tokio::sync::OnceCell;

use super::content::{Content, Node};
use super::image::{CopyError, Image};
use crate::content::{Code, Failure, Source, Target};
use crate::oci::{
    Descriptor, Digest, ManifestError, PlatformSelection, RawManifest, Reference, Repository,
    Subset, subset,
};

/// Indexes inside indexes, deeper than anybody publishes: a limit against hostile content.
const MAX_DEPTH: usize = 8;

/// What is known of one image after both sides were asked.
#[derive(Debug)]
pub(super) enum Resolution {
    /// The manifest `root` is to be at every target; `found` is what each target has now.
    Known {
        /// Digest of the source's manifest.
        source: Digest,
        /// Digest of what is pushed: the source's, or that of its platform subset.
        root: Digest,
        /// What each target of the image has under its name.
        found: Vec<Option<Digest>>,
    },
    /// The image has none of the selected platforms.
    NoPlatform(Failure),
    /// It cannot be copied.
    Failed(CopyError),
}

/// Resolves images; manifests are read once a digest, however many images share them.
pub(super) struct Resolver<S, T> {
    source: Arc<S>,
    target: Arc<T>,
    platforms: PlatformSelection,
    nodes: Mutex<HashMap<Digest, Arc<OnceCell<Arc<Node>>>>>,
}

impl<S: Source, T: Target> Resolver<S, T> {
    pub(super) fn new(source: Arc<S>, target: Arc<T>, platforms: PlatformSelection) -> Self {
        Self {
            source,
            target,
            platforms,
            nodes: Mutex::default(),
        }
    }

    /// Asks both sides. Nothing but HEADs when every target is up to date and no platforms are
    /// selected.
    pub(super) async fn resolve(&self, image: &Image) -> Resolution {
        let asked = join_all(
            image
                .targets
                .iter()
                .map(|target| self.target.resolve(target)),
        );
        let (source, found) = tokio::join!(self.source.resolve(&image.source), asked);
        let found: Result<Vec<_>, Failure> = found.into_iter().collect();
        let found = match found {
            Ok(found) => found,
            Err(failure) => return Resolution::Failed(CopyError::target(failure)),
        };
        match source {
            Ok(Some(digest)) => self.plan(image, digest, found).await,
            Ok(None) => Resolution::Failed(CopyError::source(missing(&image.source))),
            Err(failure) => Resolution::Failed(CopyError::source(failure)),
        }
    }

    async fn plan(&self, image: &Image, source: Digest, found: Vec<Option<Digest>>) -> Resolution {
        let up_to_date = |root: &Digest| found.iter().all(|found| found.as_ref() == Some(root));
        if self.platforms == PlatformSelection::All && up_to_date(&source) {
            return Resolution::Known {
                root: source.clone(),
                source,
                found,
            };
        }
        match self.root(image, &source).await {
            Ok(Some(root)) if up_to_date(root.digest()) => Resolution::Known {
                source,
                root: root.digest().clone(),
                found,
            },
            Ok(Some(root)) => match self.tree(root.clone(), image.source.repository(), 0).await {
                Ok(()) => Resolution::Known {
                    source,
                    root: root.digest().clone(),
                    found,
                },
                Err(failure) => Resolution::Failed(CopyError::source(failure)),
            },
            Ok(None) => {
                let message = format!("the image has no platform of `{}`", self.platforms);
                let failure = Failure::new(Code::PlatformMissing, image.source.host(), message);
                Resolution::NoPlatform(failure.at(&image.source))
            }
            Err(failure) => Resolution::Failed(CopyError::source(failure)),
        }
    }

    /// The manifest to push for an image: the source's own, or its platform subset.
    async fn root(&self, image: &Image, digest: &Digest) -> Result<Option<RawManifest>, Failure> {
        let at = image.source.repository().at(digest);
        let whole = self.source.manifest(&at).await?;
        Ok(
            match subset(&whole, &self.platforms).map_err(|e| unreadable(&at, &e))? {
                Subset::Whole => Some(whole),
                Subset::Narrowed(small) => Some(small),
                Subset::Nothing => None,
            },
        )
    }

    /// Reads everything below `manifest` and keeps it.
    fn tree<'a>(
        &'a self,
        manifest: RawManifest,
        repository: &'a Repository,
        depth: usize,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let at = repository.at(manifest.digest());
            if depth > MAX_DEPTH {
                let message = format!("indexes are nested more than {MAX_DEPTH} deep");
                return Err(Failure::new(Code::ManifestInvalid, at.host(), message).at(&at));
            }
            let cell = self.cell(manifest.digest());
            let node = cell
                .get_or_try_init(|| async {
                    Node::new(manifest, repository.clone())
                        .map(Arc::new)
                        .map_err(|e| unreadable(&at, &e))
                })
                .await?
                .clone();
            let children = node
                .children
                .iter()
                .map(|child| self.child(child, repository, depth));
            try_join_all(children).await.map(drop)
        }
        .boxed()
    }

    async fn child(
        &self,
        descriptor: &Descriptor,
        repository: &Repository,
        depth: usize,
    ) -> Result<(), Failure> {
        let known = self
            .cell(&descriptor.digest)
            .get()
            .map(|node| node.manifest.clone());
        let manifest = match known {
            Some(manifest) => manifest,
            None => {
                self.source
                    .manifest(&repository.at(&descriptor.digest))
                    .await?
            }
        };
        self.tree(manifest, repository, depth + 1).await
    }

    fn cell(&self, digest: &Digest) -> Arc<OnceCell<Arc<Node>>> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.entry(digest.clone()).or_default().clone()
    }

    /// Every manifest that was read.
    pub(super) fn into_content(self) -> Content {
        let nodes = self
            .nodes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        nodes
            .into_iter()
            .filter_map(|(digest, cell)| Some((digest, cell.get()?.clone())))
            .collect()
    }
}

fn missing(source: &Reference) -> Failure {
    Failure::new(Code::NotFound, source.host(), "there is no such image")
        .at(source)
        .hint(format!("to do without it, add --exclude '{source}'"))
}

pub(super) fn unreadable(at: &Reference, error: &ManifestError) -> Failure {
    let code = match error {
        ManifestError::Schema1 => Code::Schema1,
        _ => Code::ManifestInvalid,
    };
    Failure::new(code, at.host(), error.to_string()).at(at)
}
