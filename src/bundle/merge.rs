//! One pull after the other into one directory: what the record says when both are in it.

use std::collections::BTreeSet;

use super::index::Entry;
use super::record::{ImageRecord, Record};
use crate::catalog::{Conformance, ImageSet};
use crate::oci::Reference;

impl Record {
    /// Takes in what a newer record of the same bundle says: its images replace those of the same
    /// name, its releases those of the same version, and its sonobuoy is the current one.
    ///
    /// No image loses a version by that. A pull adds to a directory, so what an earlier one brought
    /// for a version is still that version's, also when the newer one asked for less, failed to
    /// bring it, or knows another list; it goes when the version is removed.
    pub fn merge(&mut self, mut newer: Self) {
        for old in std::mem::take(&mut self.images) {
            let same_source = |new: &ImageRecord| new.source == old.source;
            let named = newer.images.iter_mut().filter(|new| new.is_named_as(&old));
            let mut named: Vec<&mut ImageRecord> = named.collect();
            if named.iter().any(|new| same_source(new)) {
                named.retain(|new| same_source(new));
            } else {
                // One image that upstream keeps twice has a row for each, as after one pull.
                named.retain(|new| new.digest != old.digest);
                if named.is_empty() {
                    self.images.push(old);
                    continue;
                }
            }
            for new in named {
                new.versions.extend(old.versions.iter().cloned());
            }
        }
        self.images.extend(newer.images);
        self.images.sort_by(|a, b| {
            (&a.repository, &a.tag, &a.source).cmp(&(&b.repository, &b.tag, &b.source))
        });
        self.releases
            .retain(|old| newer.releases.iter().all(|new| new.version != old.version));
        self.releases.extend(newer.releases);
        self.external
            .retain(|old| newer.external.iter().all(|new| new.digest != old.digest));
        self.external.extend(newer.external);
        self.external.sort_by(|a, b| a.digest.cmp(&b.digest));
        self.tool = newer.tool;
        self.platforms = newer.platforms;
        self.sonobuoy = newer.sonobuoy;
        self.claim_listed();
    }

    /// Gives every image the versions whose lists have it, and what these say about conformance,
    /// beside the versions that it has. The lists know what each version needs, rows only what
    /// they were pulled for.
    pub(super) fn claim_listed(&mut self) {
        for row in &mut self.images {
            row.versions.sort();
            row.versions.dedup();
        }
        let sources: BTreeSet<Reference> =
            self.images.iter().map(|row| row.source.clone()).collect();
        let mut judged = vec![None; self.images.len()];
        for set in &self.releases {
            let needed = needed(set).chain([
                (&self.sonobuoy.sonobuoy, None),
                (&self.sonobuoy.systemd_logs, None),
            ]);
            for (source, conformance) in needed {
                let known = sources.contains(source);
                let rows = self.images.iter_mut().zip(&mut judged);
                for (row, judged) in rows.filter(|(row, _)| is_meant(source, row, known)) {
                    *judged = conformance.max(*judged);
                    if let Err(at) = row.versions.binary_search(&set.version) {
                        row.versions.insert(at, set.version.clone());
                    }
                }
            }
        }
        for (row, judged) in self.images.iter_mut().zip(judged) {
            row.conformance = judged.or(row.conformance);
        }
    }
}

impl ImageRecord {
    /// Whether both have one name in the bundle.
    pub(super) fn is_named_as(&self, other: &Self) -> bool {
        self.repository == other.repository
            && self.tag == other.tag
            && (self.tag.is_some() || self.digest == other.digest)
    }

    /// Whether the entry of `index.json` has the row's name in the bundle. Upstream may keep one
    /// image under two hosts: then two rows have it.
    pub fn names(&self, entry: &Entry) -> bool {
        self.repository == entry.repository
            && self.tag == entry.tag
            && (self.tag.is_some() || self.digest.as_ref() == Some(&entry.descriptor.digest))
    }
}

/// What the list of a version has.
fn needed(set: &ImageSet) -> impl Iterator<Item = (&Reference, Option<Conformance>)> {
    let tests = set.images.iter();
    tests
        .map(|image| (&image.source, image.conformance))
        .chain([(&set.conformance_image, None)])
}

/// Whether `source` is the row's image: by the name that it has in a bundle where no row is
/// `known` to come from it, because another name of upstream's may have taken its place.
fn is_meant(source: &Reference, row: &ImageRecord, known: bool) -> bool {
    if known {
        return row.source == *source;
    }
    row.repository == source.repository().path()
        && row.tag.is_some()
        && row.tag.as_deref() == source.tag()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
