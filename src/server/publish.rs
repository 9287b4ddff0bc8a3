//! The writing half of the distribution-spec: manifests and tags.

use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use bytes::{Bytes, BytesMut};

use super::answer::{Refusal, created, header};
use super::body::{content_length, next};
use super::page::Query;
use super::receive::to_its_end;
use super::route::tag;
use crate::content::{Store, StoreError};
use crate::oci::{RawManifest, TagOrDigest};

/// What the specification asks a registry to take at least, and what registries take at most.
const MANIFEST_LIMIT: usize = 4 << 20;

const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// end-7a and 7b: stores a manifest's exact bytes, and under a digest any number of tags with it.
pub(super) async fn put<S: Store>(
    store: &Arc<S>,
    repository: &str,
    reference: &TagOrDigest,
    parts: &Parts,
    query: &Query,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let parameters = match reference {
        TagOrDigest::Tag(_) => Vec::new(),
        TagOrDigest::Digest(_) => query.all("tag").map(tag).collect::<Result<_, _>>()?,
    };
    let bytes = collect(parts, body).await?;
    let named = match reference {
        TagOrDigest::Digest(digest) if !digest.matches(&bytes) => {
            return Err(StoreError::DigestMismatch(digest.clone()).into());
        }
        TagOrDigest::Digest(digest) => Some(digest.clone()),
        TagOrDigest::Tag(_) => None,
    };
    let announced = parts.headers.get(CONTENT_TYPE);
    let announced = announced
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim());
    let manifest =
        RawManifest::with_digest(bytes, announced, named).map_err(StoreError::Manifest)?;
    let referrer = manifest.referrer().map_err(StoreError::Manifest)?;
    let digest = manifest.digest().clone();
    let tags: Vec<Arc<str>> = match reference {
        TagOrDigest::Tag(tag) => vec![Arc::clone(tag)],
        TagOrDigest::Digest(_) => parameters.clone(),
    };
    let (store, place) = (Arc::clone(store), repository.to_owned());
    to_its_end(async move { store.put_manifest(&place, manifest, &tags).await }).await??;
    let mut response = created(&format!("/v2/{repository}/manifests/{digest}"), &digest);
    for tag in &parameters {
        response.headers_mut().append(OCI_TAG, header(tag));
    }
    if let Some(referrer) = referrer {
        let subject = header(referrer.subject.as_str());
        response.headers_mut().insert(OCI_SUBJECT, subject);
    }
    Ok(response)
}

/// Reads a whole manifest, up to [`MANIFEST_LIMIT`].
async fn collect(parts: &Parts, body: &mut BodyDataStream) -> Result<Bytes, Refusal> {
    let announced = content_length(parts).unwrap_or(0);
    let too_large = || {
        let message = format!("a manifest may have {MANIFEST_LIMIT} bytes here");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", message)
    };
    if announced > MANIFEST_LIMIT as u64 {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = next(body).await? {
        if bytes.len() + chunk.len() > MANIFEST_LIMIT {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::super::testing::{Answer, Peer, fill, image, refused};
    use super::*;
    use crate::oci::{Digest, media_type};

    #[tokio::test]
    async fn a_manifest_is_stored_byte_for_byte() {
        let peer = Peer::new().await;
        let put = async |reference: &str, manifest: &RawManifest, content_type: &str| {
            let path = format!("/v2/a/manifests/{reference}");
            let request = peer.request("PUT", &path).body(manifest.bytes().clone());
            Answer::to(request.header("Content-Type", content_type)).await
        };
        let (config, layer) = (Digest::of(b"c"), Digest::of(b"l"));
        let manifest = image(&config, &layer, "");
        let early = put("t", &manifest, media_type::OCI_MANIFEST).await;
        assert_eq!(early.refusal(), refused(404, "MANIFEST_BLOB_UNKNOWN"));
        peer.store.insert_blob("a", b"c");
        peer.store.insert_blob("a", b"l");
        let with_charset = format!("{}; charset=utf-8", media_type::OCI_MANIFEST);
        for (reference, content_type) in [
            ("t", with_charset.as_str()),
            (manifest.digest().as_str(), media_type::OCI_MANIFEST),
        ] {
            let stored = put(reference, &manifest, content_type).await;
            assert_eq!(stored.status, 201);
            let location = format!("/v2/a/manifests/{}", manifest.digest());
            assert_eq!(stored.header("location"), location);
            assert_eq!(stored.header("oci-subject"), "");
            let read = peer.send("GET", &location).await;
            assert_eq!(&read.body, manifest.bytes());
            assert_eq!(read.header("content-type"), media_type::OCI_MANIFEST);
        }
        let other = Digest::of(b"other");
        let mismatch = put(other.as_str(), &manifest, media_type::OCI_MANIFEST).await;
        assert_eq!(mismatch.refusal(), refused(400, "DIGEST_INVALID"));
        let conflict = put("t", &manifest, media_type::OCI_INDEX).await;
        assert_eq!(conflict.refusal(), refused(400, "MANIFEST_INVALID"));
        let text = peer.request("PUT", "/v2/a/manifests/t").body("no JSON");
        let text = Answer::to(text).await;
        assert_eq!(text.refusal(), refused(400, "MANIFEST_INVALID"));

        let subject = format!(
            r#","subject":{{"mediaType":"{}","digest":"{other}","size":1}}"#,
            media_type::OCI_MANIFEST
        );
        let referrer = image(&config, &layer, &subject);
        let stored = put("r", &referrer, media_type::OCI_MANIFEST).await;
        assert_eq!(
            (stored.status, stored.header("oci-subject")),
            (201, other.as_str())
        );
    }

    #[tokio::test]
    async fn a_manifest_above_the_limit_is_refused_with_its_reason() {
        let peer = Peer::new().await;
        let config = peer.store.insert_blob("a", b"c");
        let layer = peer.store.insert_blob("a", b"l");
        let manifest = image(&config, &layer, "").bytes().to_vec();
        for (length, status) in [(MANIFEST_LIMIT, 201), (MANIFEST_LIMIT + 1, 413)] {
            let mut padded = manifest.clone();
            padded.resize(length, b' ');
            let known = peer.request("PUT", "/v2/a/manifests/t");
            let known = Answer::to(known.body(padded.clone())).await;
            assert_eq!(known.status, status);
            let chunks = padded.chunks(1 << 20).map(Bytes::copy_from_slice);
            let chunks: Vec<_> = chunks.map(Ok::<_, std::io::Error>).collect();
            let streamed = reqwest::Body::wrap_stream(stream::iter(chunks));
            let unknown = peer.request("PUT", "/v2/a/manifests/t").body(streamed);
            assert_eq!(Answer::to(unknown).await.status, status);
        }
    }

    #[tokio::test]
    async fn a_manifest_takes_several_tags_at_once() {
        let peer = Peer::new().await;
        let manifest = fill(&peer.store, "a", "t", "");
        let put = async |query: &str| {
            let path = format!("/v2/a/manifests/{}?{query}", manifest.digest());
            Answer::to(peer.request("PUT", &path).body(manifest.bytes().clone())).await
        };
        let stored = put("tag=one&tag=two").await;
        let tags: Vec<_> = stored.headers.get_all("oci-tag").iter().collect();
        assert_eq!(stored.status, 201);
        assert_eq!(tags, ["one", "two"]);
        assert_eq!(
            put("tag=.x").await.refusal(),
            refused(400, "MANIFEST_INVALID")
        );
        let all = peer.send("GET", "/v2/a/tags/list").await;
        assert_eq!(all.json()["tags"], serde_json::json!(["one", "t", "two"]));
    }
}
