//! The removing part of the distribution-spec ("Content Management"): tags, manifests, blobs.
//!
//! What a manifest of the repository needs is not removed from under it: such a request is refused
//! with 405 until the manifest itself is gone. The specification leaves that to the registry.

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{Refusal, empty};
use super::receive::to_its_end;
use crate::content::{Store, StoreError};
use crate::oci::{Digest, TagOrDigest};

/// end-9: removes a tag, or a manifest with its tags.
pub(super) async fn manifest<S: Store>(
    store: &Arc<S>,
    repository: &str,
    reference: &TagOrDigest,
) -> Result<Response, Refusal> {
    let (store, place, what) = (store.clone(), repository.to_owned(), reference.clone());
    let deleted = to_its_end(async move { store.delete_manifest(&place, &what).await }).await?;
    accepted(deleted, "MANIFEST_UNKNOWN", repository, reference)
}

/// end-10: removes a blob from its repository.
pub(super) async fn blob<S: Store>(
    store: &Arc<S>,
    repository: &str,
    digest: &Digest,
) -> Result<Response, Refusal> {
    let (store, place, what) = (store.clone(), repository.to_owned(), digest.clone());
    let deleted = to_its_end(async move { store.delete_blob(&place, &what).await }).await?;
    accepted(deleted, "BLOB_UNKNOWN", repository, digest)
}

fn accepted(
    deleted: Result<bool, StoreError>,
    code: &'static str,
    repository: &str,
    what: impl fmt::Display,
) -> Result<Response, Refusal> {
    if deleted? {
        Ok(empty(StatusCode::ACCEPTED))
    } else {
        let message = format!("{what} is not in {repository}");
        Err(Refusal::not_found(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Peer, fill, refused};
    use super::*;

    #[tokio::test]
    async fn a_tag_can_be_removed_alone() {
        let peer = Peer::new().await;
        let manifest = fill(&peer.store, "a", "t", "");
        let by_digest = format!("/v2/a/manifests/{}", manifest.digest());
        assert_eq!(peer.send("DELETE", "/v2/a/manifests/t").await.status, 202);
        let again = peer.send("DELETE", "/v2/a/manifests/t").await;
        assert_eq!(again.refusal(), refused(404, "MANIFEST_UNKNOWN"));
        assert_eq!(peer.send("GET", &by_digest).await.status, 200);
        assert_eq!(peer.send("DELETE", &by_digest).await.status, 202);
        assert_eq!(peer.send("GET", &by_digest).await.status, 404);
    }

    #[tokio::test]
    async fn a_blob_is_removed_once_no_manifest_needs_it() {
        let peer = Peer::new().await;
        let manifest = fill(&peer.store, "a", "t", "");
        let path = format!("/v2/a/blobs/{}", Digest::of(b"l"));
        let needed = peer.send("DELETE", &path).await;
        assert_eq!(needed.refusal(), refused(405, "DENIED"));
        assert_eq!(needed.header("allow"), "GET, HEAD");
        let message = needed.json()["errors"][0]["message"].clone();
        let message = message.as_str().expect("text");
        assert!(message.contains(manifest.digest().as_str()), "{message}");
        assert_eq!(peer.send("GET", &path).await.status, 200);

        let by_digest = format!("/v2/a/manifests/{}", manifest.digest());
        assert_eq!(peer.send("DELETE", &by_digest).await.status, 202);
        assert_eq!(peer.send("DELETE", &path).await.status, 202);
        assert_eq!(peer.send("GET", &path).await.status, 404);
        let again = peer.send("DELETE", &path).await;
        assert_eq!(again.refusal(), refused(404, "BLOB_UNKNOWN"));
        let nowhere = path.replace("/v2/a/", "/v2/b/");
        assert_eq!(peer.send("DELETE", &nowhere).await.status, 404);
    }
}
