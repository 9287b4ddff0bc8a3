//! A bundle that is only looked at: what it holds under which name, as a copy's dry run asks.

use std::collections::HashMap;

use crate::bundle::Entry;
use crate::content::{Begun, BlobStream, Code, Failure, Target};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// Names and digests. It takes nothing in.
#[derive(Debug, Default)]
pub(super) struct Shelf(HashMap<Reference, Digest>);

impl Shelf {
    /// What the index of a bundle names.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let named = |entry: &Entry| Some((entry.reference()?, entry.descriptor.digest.clone()));
        Self(entries.iter().filter_map(named).collect())
    }
}

fn closed() -> Failure {
    Failure::new(Code::Local, "bundle", "nothing is written by a dry run")
}

impl Target for Shelf {
    type Upload = ();

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        Ok(self.0.get(reference).cloned())
    }

    async fn has_blob(&self, _: &Repository, _: &Descriptor) -> Result<bool, Failure> {
        Ok(false)
    }

    async fn begin(
        &self,
        _: &Repository,
        _: &Descriptor,
        _: Option<&Repository>,
    ) -> Result<Begun<()>, Failure> {
        Err(closed())
    }

    async fn upload(&self, (): (), _: &Descriptor, _: BlobStream) -> Result<(), Failure> {
        Err(closed())
    }

    async fn cancel(&self, (): ()) {}

    async fn put_manifest(&self, _: &Reference, _: &RawManifest) -> Result<(), Failure> {
        Err(closed())
    }
}
