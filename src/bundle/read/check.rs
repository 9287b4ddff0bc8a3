//! The structural check: all that can be known without reading a layer.

use super::bundle::Bundle;
use super::fault::{Fault, FaultKind};
use super::graph::Named;
use crate::oci::Digest;

impl Bundle {
    /// Everything wrong with the structure: every manifest must be reachable, of its size, hash to
    /// its digest and be readable; every blob must be there with its size, in this bundle, in a
    /// base, or among what the delta leaves out. No layer is read. Blocks on the disk.
    pub fn check(&self) -> Vec<Fault> {
        let graph = self.graph();
        let names = graph.ambiguous().iter().map(|at| {
            let entry = &self.entries()[*at];
            let message = format!("the name {} belongs to another manifest too", entry.name());
            Fault::new(self, FaultKind::Name, &entry.descriptor.digest, message)
        });
        let manifests = graph
            .damaged()
            .iter()
            .map(|(digest, (kind, why))| Fault::new(self, *kind, digest, &**why));
        let blobs = graph
            .blobs()
            .iter()
            .filter(|(digest, _)| !graph.is_manifest(digest))
            .filter_map(|(digest, named)| self.check_blob(digest, named));
        names.chain(manifests).chain(blobs).collect()
    }

    fn check_blob(&self, digest: &Digest, named: &Named) -> Option<Fault> {
        let size = named.size;
        if let Some(other) = named.contradicted {
            let message =
                format!("one manifest gives the blob {size} bytes, another {other} bytes");
            return Some(Fault::new(self, FaultKind::Size, digest, message));
        }
        let (kind, message) = match (self.size(digest), self.external_size(digest)) {
            (Some(found), _) if found == size => return None,
            (Some(found), _) => (
                FaultKind::Size,
                format!("the blob has {found} bytes and should have {size}"),
            ),
            (None, Some(left_out)) if left_out == size => return None,
            (None, Some(left_out)) => (
                FaultKind::Size,
                format!("the delta leaves out {left_out} bytes where {size} are named"),
            ),
            (None, None) if named.is_foreign => return None,
            (None, None) => (
                FaultKind::Missing,
                format!("the blob of {size} bytes is not in the bundle"),
            ),
        };
        Some(Fault::new(self, kind, digest, message))
    }
}
