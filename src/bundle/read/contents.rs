//! What is in a bundle, for people and programs: its images with their sizes, and what they share.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use super::bundle::Bundle;
use super::verify::Totals;
use crate::kube_version::KubeVersion;
use crate::oci::Digest;

/// A listing. Sizes are bytes of blobs, manifests not among them, each digest counted once.
#[derive(Debug, Clone, Serialize)]
pub struct Contents {
    /// The version of this format.
    pub format: u32,
    /// The program that wrote it; none for the layout of another tool.
    pub tool: Option<String>,
    /// The Kubernetes versions it was made for.
    pub versions: Vec<KubeVersion>,
    /// The platforms it was made for, as `--platform` takes them.
    pub platforms: Option<String>,
    /// Its images, in the order of its index.
    pub images: Vec<ImageContents>,
    /// Manifests and blobs in the bundle itself.
    pub total: Totals,
    /// Blobs that a delta leaves to its base.
    pub external: Totals,
}

/// One image of a listing.
#[derive(Debug, Clone, Serialize)]
pub struct ImageContents {
    /// Its name in the bundle.
    pub name: String,
    /// Upstream's name, when it is known.
    pub source: Option<String>,
    /// Its manifest.
    pub digest: Digest,
    /// The platforms of its children; empty for an image of one platform.
    pub platforms: Vec<String>,
    /// Bytes that no other image of the bundle needs.
    pub own: u64,
    /// Bytes that others need as well.
    pub shared: u64,
    /// Of both, bytes that are left to the base.
    pub external: u64,
    /// The Kubernetes versions that list it.
    pub versions: Vec<KubeVersion>,
}

impl Bundle {
    /// Lists the bundle. The first call reads its manifests; blocks on the disk.
    pub fn contents(&self) -> Contents {
        let record = self.record();
        let images = (0..self.entries().len()).map(|at| self.image_contents(at));
        let external = self.external().iter();
        let external = external.filter(|blob| self.locate(&blob.digest).is_none());
        Contents {
            format: 1,
            tool: record.map(|record| record.tool.clone()),
            versions: record.map_or_else(Vec::new, |r| r.versions().cloned().collect()),
            platforms: record.map(|record| record.platforms.clone()),
            images: images.collect(),
            total: Totals::of(self.storage.blobs().into_iter().map(|(_, size)| size)),
            external: Totals::of(external.map(|blob| blob.size)),
        }
    }

    fn image_contents(&self, at: usize) -> ImageContents {
        let entry = &self.entries()[at];
        let graph = self.graph();
        let (mut own, mut shared, mut external) = (0, 0, 0);
        let mut platforms = BTreeSet::new();
        let (mut seen, mut open) = (HashSet::new(), vec![&entry.descriptor.digest]);
        while let Some(node) = open.pop().and_then(|digest| graph.node(digest)) {
            for child in &node.successors.manifests {
                let platform = child.platform.as_ref().filter(|p| !p.is_unknown());
                platforms.extend(platform.map(ToString::to_string));
                if seen.insert(&child.digest) {
                    open.push(&child.digest);
                }
            }
            for blob in &node.successors.blobs {
                if !seen.insert(&blob.digest) {
                    continue;
                }
                match graph.users(&blob.digest) {
                    [_] => own += blob.size,
                    _ => shared += blob.size,
                }
                if self.locate(&blob.digest).is_none() {
                    external += self.external_size(&blob.digest).unwrap_or(0);
                }
            }
        }
        let rows = self.record().map_or(&[][..], |record| &record.images);
        let rows = rows.iter().filter(|row| row.names(entry));
        let versions: BTreeSet<&KubeVersion> = rows.flat_map(|row| &row.versions).collect();
        ImageContents {
            name: entry.name(),
            source: entry.source.as_ref().map(ToString::to_string),
            digest: entry.descriptor.digest.clone(),
            platforms: platforms.into_iter().collect(),
            own,
            shared,
            external,
            versions: versions.into_iter().cloned().collect(),
        }
    }
}
