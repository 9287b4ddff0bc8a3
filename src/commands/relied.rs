//! What a delta relies on at a target: its base's blobs, looked for where the naming put them.

use std::collections::{BTreeSet, HashSet};

use crate::bundle::Bundle;
use crate::oci::{Descriptor, Reference, Repository, media_type};
use crate::relocate::TargetPrefix;
use crate::settings::Shipment;
use crate::transfer::Relied;

/// The blobs that the images of `shipment` need and the bundle leaves out.
pub(super) fn relied(bundle: &Bundle, target: &TargetPrefix, shipment: &Shipment) -> Vec<Relied> {
    let pushed: HashSet<String> = shipment
        .pulls
        .iter()
        .map(|(source, _)| source.to_string())
        .collect();
    let names = Names::new(target, shipment);
    let needed = bundle.external().iter().filter(|blob| {
        let images = bundle.images_of(&blob.digest);
        // The entry of another tool has no upstream name, and goes by the one inside.
        images.is_empty() || images.iter().any(|image| pushed.contains(image))
    });
    needed
        .map(|blob| Relied {
            blob: Descriptor::new(media_type::OCI_LAYER_GZIP, blob.digest.clone(), blob.size),
            candidates: names.candidates(&blob.repositories),
        })
        .collect()
}

/// From upstream repositories to those of one target.
struct Names<'a> {
    target: &'a TargetPrefix,
    shipment: &'a Shipment,
    /// A key's upstream prefix and the one at the target.
    prefixes: BTreeSet<(String, String)>,
}

impl<'a> Names<'a> {
    fn new(target: &'a TargetPrefix, shipment: &'a Shipment) -> Self {
        Self {
            target,
            shipment,
            prefixes: shipment.prefixes(),
        }
    }

    /// The likeliest first: where this push puts that repository, where its key leads, and where
    /// its own path does.
    fn candidates(&self, upstream: &[String]) -> Vec<Repository> {
        let mut found: Vec<Repository> = Vec::new();
        let mut add = |repository: Repository| {
            if !found.contains(&repository) {
                found.push(repository);
            }
        };
        for name in upstream {
            for (source, target) in &self.shipment.pulls {
                if source.repository().to_string() == *name {
                    add(target.repository().clone());
                }
            }
        }
        for name in upstream {
            let by_key = self.prefixes.iter().filter_map(|(from, to)| {
                let rest = name.strip_prefix(from.as_str())?.strip_prefix('/')?;
                Some(format!("{to}/{rest}"))
            });
            let path = name.split_once('/').map_or("", |(_, path)| path);
            let by_path = format!("{}/{path}", self.target);
            for name in by_key.chain([by_path]) {
                if let Ok(reference) = name.parse::<Reference>() {
                    add(reference.repository().clone());
                }
            }
        }
        found
    }
}
