//! A bundle to push from: by upstream name, by the name inside the bundle, by digest.

use super::super::index::BUNDLE_HOST;
use super::bundle::Bundle;
use super::graph::Graph;
use crate::content::{BlobReader as _, BlobStream, Code, Failure, Source};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository, TagOrDigest};

impl Bundle {
    fn find<'a>(graph: &'a Graph, reference: &'a Reference) -> Option<&'a Digest> {
        match reference.reference() {
            TagOrDigest::Digest(digest) => graph.is_manifest(digest).then_some(digest),
            TagOrDigest::Tag(tag) if reference.host() == BUNDLE_HOST => {
                let shown = graph.repositories().get(reference.repository().path())?;
                shown.tags.get(&**tag)
            }
            TagOrDigest::Tag(_) => graph.source(reference),
        }
    }

    fn failure(&self, code: Code, message: impl Into<String>) -> Failure {
        Failure::new(code, self.path().as_str(), message)
    }

    /// Bytes of this bundle are not what they should be.
    fn damaged(&self, digest: &Digest, why: &str) -> Failure {
        let place = self.locate(digest);
        let place = place.map_or_else(|| digest.to_string(), |place| place.to_string());
        self.failure(Code::Local, format!("{place} is damaged: {why}"))
            .about(&digest.into())
            .hint(format!(
                "see all that is damaged with `airbuoy verify {0}`; \
                 `airbuoy verify {0} --repair` fetches only that again",
                self.path()
            ))
    }

    fn not_here(&self, digest: &Digest) -> Failure {
        let left_out = self.external_size(digest).is_some();
        let failure = if left_out {
            let message = "the delta leaves this blob out, and it is in no base";
            self.failure(Code::NotFound, message)
                .hint("push or name the bundle that this delta is based on (--base)")
        } else {
            self.failure(Code::NotFound, "it is not in the bundle")
        };
        failure.about(&digest.into())
    }
}

impl Source for Bundle {
    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        let graph = self.graph_there().await;
        Ok(Self::find(graph, reference).cloned())
    }

    async fn manifest(&self, reference: &Reference) -> Result<RawManifest, Failure> {
        let graph = self.graph_there().await;
        let Some(digest) = Self::find(graph, reference) else {
            let message = format!("{reference} is not in the bundle");
            let hint = format!("`airbuoy bundle ls {}` shows what is", self.path());
            return Err(self.failure(Code::NotFound, message).hint(hint));
        };
        match (graph.node(digest), graph.damage_of(digest)) {
            (Some(node), _) => Ok(node.manifest.clone()),
            (None, Some(why)) => Err(self.damaged(digest, why)),
            (None, None) => Err(self.not_here(digest)),
        }
    }

    async fn blob(
        &self,
        _repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        let digest = descriptor.digest.clone();
        let bundle = self.clone();
        let opened = tokio::task::spawn_blocking(move || bundle.region(&digest)).await;
        let digest = &descriptor.digest;
        let region = match opened {
            Ok(region) => region?,
            Err(error) => return Err(self.failure(Code::Local, error.to_string())),
        };
        let Some(region) = region else {
            return Err(self.not_here(digest));
        };
        let size = region.size();
        if size != descriptor.size {
            let why = format!("it has {size} bytes and should have {}", descriptor.size);
            return Err(self.damaged(digest, &why));
        }
        Ok(region.read(offset, size.saturating_sub(offset)))
    }

    fn explain(&self, blob: &Descriptor, failure: Failure) -> Failure {
        let why = match failure.code() {
            Code::DigestMismatch => "its bytes do not hash to its name",
            Code::SizeMismatch => "it has not the size that its manifest gives it",
            // The disk's own words, with the file in front; the way out is added.
            Code::Local if failure.hint_text().is_none() => failure.message(),
            _ => return failure,
        };
        self.damaged(&blob.digest, why)
    }
}
