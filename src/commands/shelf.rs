//! A bundle that is only looked at: what it holds under which name, as a copy's dry run asks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bundle::{Entry, Preview};
use crate::content::{Begun, BlobStream, Code, Failure, Plan, Target};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// Names and digests. It takes nothing in.
#[derive(Default)]
pub(super) struct Shelf {
    named: HashMap<Reference, Digest>,
    /// What the real run would write.
    preview: Option<Arc<Preview>>,
}

impl Shelf {
    /// What the index of a bundle names.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let named = |entry: &Entry| Some((entry.reference()?, entry.descriptor.digest.clone()));
        Self {
            named: entries.iter().filter_map(named).collect(),
            preview: None,
        }
    }

    /// The same, with the refusals of the real run.
    pub(super) fn with(mut self, preview: Preview) -> Self {
        self.preview = Some(Arc::new(preview));
        self
    }
}

fn closed() -> Failure {
    Failure::new(Code::Local, "bundle", "nothing is written by a dry run")
}

impl Target for Shelf {
    type Upload = ();

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        Ok(self.named.get(reference).cloned())
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

    async fn consider(&self, plan: &Plan) -> Result<(), Failure> {
        let Some(preview) = self.preview.clone() else {
            return Ok(());
        };
        let plan = plan.clone();
        let looked = tokio::task::spawn_blocking(move || preview.takes(&plan)).await;
        let looked = looked.map_err(|e| Failure::new(Code::Local, "bundle", e.to_string()))?;
        Ok(looked?)
    }
}
