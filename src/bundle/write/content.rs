//! What goes into a bundle, out of a plan: names, record, manifests, blobs.

use std::collections::{BTreeMap, BTreeSet};

use super::options::WriteOptions;
use crate::bundle::index::Entry;
use crate::bundle::record::{External, ImageRecord, Record};
use crate::content::Plan;
use crate::oci::{Descriptor, Digest, RawManifest, Reference};

/// The version file of an image layout (OCI image-spec, image-layout.md, "oci-layout file").
pub(in crate::bundle) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Everything that some names of a plan need.
pub(super) struct Content {
    /// The names.
    pub(super) entries: Vec<Entry>,
    /// What the manifests are, by digest.
    pub(super) manifests: BTreeMap<Digest, RawManifest>,
    /// Bytes to be brought: no manifest, nothing external.
    pub(super) blobs: BTreeMap<Digest, u64>,
    /// What is named and left out.
    pub(super) external: Vec<External>,
}

impl Content {
    /// What the names in `wanted` need; all names of the plan when it is none.
    pub(super) fn of(plan: &Plan, options: &WriteOptions, wanted: Option<&[Reference]>) -> Self {
        let roots: Vec<&(Reference, Digest)> = plan
            .roots
            .iter()
            .filter(|(name, _)| wanted.is_none_or(|wanted| wanted.contains(name)))
            .collect();
        let known: BTreeMap<&Digest, &RawManifest> =
            plan.manifests.iter().map(|m| (m.digest(), m)).collect();
        let mut manifests = BTreeMap::new();
        let mut named: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut open: Vec<Digest> = roots.iter().map(|(_, digest)| digest.clone()).collect();
        while let Some(digest) = open.pop() {
            let Some(manifest) = known.get(&digest) else {
                continue;
            };
            if manifests.insert(digest, (*manifest).clone()).is_some() {
                continue;
            }
            // The plan was made of manifests that could be read.
            let below = manifest.successors().unwrap_or_default();
            open.extend(below.manifests.into_iter().map(|child| child.digest));
            let carried = below.blobs.into_iter().filter(|blob| !blob.is_foreign());
            named.extend(carried.map(|blob| (blob.digest, blob.size)));
        }
        let entry = |(name, digest): &&(Reference, Digest)| {
            let descriptor = manifests.get(digest).map(RawManifest::descriptor)?;
            Some(entry(name, descriptor, &options.record))
        };
        let entries = roots.iter().filter_map(entry).collect();
        let external: Vec<External> = options
            .external
            .iter()
            .filter(|external| named.contains_key(&external.digest))
            .cloned()
            .collect();
        let left_out: BTreeSet<&Digest> = external.iter().map(|e| &e.digest).collect();
        named.retain(|digest, _| !left_out.contains(digest) && !manifests.contains_key(digest));
        Self {
            entries,
            manifests,
            blobs: named,
            external,
        }
    }
}

/// The entry of a name. Where upstream keeps it stands in the record.
fn entry(name: &Reference, descriptor: Descriptor, record: &Record) -> Entry {
    let (repository, tag) = (name.repository().path(), name.tag());
    let image = record
        .images
        .iter()
        .find(|image| is(image, repository, tag, &descriptor.digest));
    Entry {
        source: image.map(|image| image.source.clone()),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        descriptor,
    }
}

/// Whether the row speaks of this name.
fn is(image: &ImageRecord, repository: &str, tag: Option<&str>, digest: &Digest) -> bool {
    let by_digest = || image.digest.as_ref().is_none_or(|known| known == digest);
    image.repository == repository && image.tag.as_deref() == tag && (tag.is_some() || by_digest())
}

/// The record of a bundle that has these names: rows without one are left out, the others know
/// their manifest.
pub(super) fn record(options: &WriteOptions, entries: &[Entry], external: &[External]) -> Record {
    let mut record = options.record.clone();
    record.images.retain_mut(|image| {
        let found = entries.iter().find(|entry| {
            let digest = &entry.descriptor.digest;
            is(image, &entry.repository, entry.tag.as_deref(), digest)
        });
        if let Some(entry) = found {
            image.digest = Some(entry.descriptor.digest.clone());
        }
        found.is_some()
    });
    record
        .images
        .sort_by(|a, b| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)));
    record.external = external.to_vec();
    record.external.sort_by(|a, b| a.digest.cmp(&b.digest));
    record
}
