//! A small world of content to push, and all that can be seen of a store that holds some of it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::content::{BlobReader, Store, StoreError};
use crate::oci::{Algorithm, Digest, Hasher, RawManifest, TagOrDigest, media_type};

/// Repositories and tags of the world.
pub(in crate::bundle) const REPOSITORIES: [&str; 2] = ["a", "b/c"];
pub(in crate::bundle) const TAGS: [&str; 2] = ["t", "u"];

/// All that a test may push: few things, so that they meet.
pub(in crate::bundle) struct World {
    pub(in crate::bundle) blobs: Vec<(Digest, Bytes)>,
    pub(in crate::bundle) manifests: Vec<RawManifest>,
}

/// One thing that a client does; the numbers are places in the [`World`].
#[derive(Debug, Clone)]
pub(in crate::bundle) enum Act {
    Push(usize, usize),
    Mount(usize, usize, Option<usize>),
    Put(usize, usize, Vec<usize>),
    Untag(usize, usize),
    Remove(usize, usize),
    RemoveBlob(usize, usize),
}

impl World {
    pub(in crate::bundle) fn new() -> Self {
        let mut blobs: Vec<_> = ["zero", "one", "two", "three"]
            .map(|text| {
                (
                    Digest::of(text.as_bytes()),
                    Bytes::from_static(text.as_bytes()),
                )
            })
            .to_vec();
        let mut sha512 = Hasher::new(Algorithm::Sha512);
        sha512.update(b"zero");
        blobs.push((sha512.finish(), Bytes::from_static(b"zero")));
        let blob = |n: usize| blobs[n].0.clone();
        let first = image(&blob(0), &[blob(1), blob(1)], None);
        let second = image(&blob(0), &[blob(2), blob(4)], None);
        let refers = image(&blob(3), &[blob(0)], Some(first.digest()));
        let both = index(&[&first, &second]);
        let nested = index(&[&both]);
        let empty = index(&[]);
        Self {
            blobs,
            manifests: vec![first, second, refers, both, nested, empty],
        }
    }

    /// Does it, and tells how it went.
    pub(in crate::bundle) async fn act<S: Store>(
        &self,
        store: &S,
        act: &Act,
    ) -> Result<bool, StoreError> {
        match act {
            Act::Push(repository, blob) => {
                let (digest, bytes) = &self.blobs[*blob];
                let mut upload = store
                    .begin(REPOSITORIES[*repository], Algorithm::Sha256)
                    .await?;
                store.append(&mut upload, bytes.clone()).await?;
                store.commit(upload, digest).await.map(|()| true)
            }
            Act::Mount(repository, blob, from) => {
                let from = from.map(|from| REPOSITORIES[from]);
                let digest = &self.blobs[*blob].0;
                store.mount(REPOSITORIES[*repository], digest, from).await
            }
            Act::Put(repository, manifest, tags) => {
                let tags: Vec<Arc<str>> = tags.iter().map(|tag| TAGS[*tag].into()).collect();
                let manifest = self.manifests[*manifest].clone();
                let put = store.put_manifest(REPOSITORIES[*repository], manifest, &tags);
                put.await.map(|()| true)
            }
            Act::Untag(repository, tag) => {
                let tag = TagOrDigest::Tag(TAGS[*tag].into());
                store.delete_manifest(REPOSITORIES[*repository], &tag).await
            }
            Act::Remove(repository, manifest) => {
                let digest = self.manifests[*manifest].digest().into();
                store
                    .delete_manifest(REPOSITORIES[*repository], &digest)
                    .await
            }
            Act::RemoveBlob(repository, blob) => {
                let digest = &self.blobs[*blob].0;
                store.delete_blob(REPOSITORIES[*repository], digest).await
            }
        }
    }

    /// All that can be seen of a store, as text; panics when what is seen is not whole.
    pub(in crate::bundle) async fn look<S: Store>(&self, store: &S) -> Vec<String> {
        let all = store.repositories().await.expect("a list");
        let mut seen = vec![format!("{all:?}")];
        for repository in REPOSITORIES {
            let here = store.has_repository(repository).await.expect("an answer");
            seen.push(format!("{repository}: {here}"));
            for tag in store.tags(repository).await.expect("a list") {
                let tagged = TagOrDigest::Tag(tag.as_str().into());
                let manifest = store.manifest(repository, &tagged).await.expect("readable");
                let manifest = manifest.expect("a manifest behind its tag");
                seen.push(format!("{repository}:{tag} {}", manifest.digest()));
            }
            for manifest in &self.manifests {
                let digest = manifest.digest();
                let found = store.manifest(repository, &digest.into()).await;
                if let Some(found) = found.expect("readable") {
                    assert_eq!(&found, manifest);
                    seen.push(format!("{repository}@{digest}"));
                    self.look_below(store, repository, manifest).await;
                }
                let referrers = store.referrers(repository, digest).await.expect("a list");
                seen.extend(referrers.iter().map(|r| format!("{repository}: {r:?}")));
            }
            for (digest, bytes) in &self.blobs {
                if let Some(blob) = store.blob(repository, digest).await.expect("readable") {
                    assert_eq!(blob.size(), bytes.len() as u64);
                    let read: Vec<Bytes> = blob
                        .read(0, blob.size())
                        .try_collect()
                        .await
                        .expect("readable");
                    assert!(read.concat() == bytes[..]);
                    seen.push(format!("{repository}: {digest}"));
                }
            }
        }
        seen
    }

    /// A manifest that is there has everything that it names.
    async fn look_below<S: Store>(&self, store: &S, repository: &str, manifest: &RawManifest) {
        let named = manifest.successors().expect("readable");
        for blob in &named.blobs {
            let found = store
                .blob(repository, &blob.digest)
                .await
                .expect("readable");
            assert!(
                found.is_some(),
                "{} misses {}",
                manifest.digest(),
                blob.digest
            );
        }
        for child in &named.manifests {
            let digest = TagOrDigest::from(&child.digest);
            let found = store.manifest(repository, &digest).await.expect("readable");
            assert!(
                found.is_some(),
                "{} misses {}",
                manifest.digest(),
                child.digest
            );
        }
    }
}

/// An image of these blobs, whose sizes are lies.
pub(in crate::bundle) fn image(
    config: &Digest,
    layers: &[Digest],
    subject: Option<&Digest>,
) -> RawManifest {
    let descriptor = |media_type: &str, digest: &Digest| serde_json::json!({"mediaType": media_type, "digest": digest, "size": 1});
    let layer = |digest| descriptor(media_type::OCI_LAYER_GZIP, digest);
    let mut json = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_CONFIG, config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    });
    if let Some(subject) = subject {
        json["subject"] = descriptor(media_type::OCI_MANIFEST, subject);
    }
    RawManifest::new(json.to_string().into(), None).expect("a manifest")
}

fn index(children: &[&RawManifest]) -> RawManifest {
    let child = |child: &&RawManifest| {
        serde_json::json!({
            "mediaType": child.media_type(),
            "digest": child.digest(),
            "size": child.bytes().len(),
        })
    };
    let json = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": children.iter().map(child).collect::<Vec<_>>(),
    });
    RawManifest::new(json.to_string().into(), None).expect("an index")
}
