//! The reading half of the distribution-spec: manifests and blobs.
//! `HEAD` is a GET whose body is left out, which [`dispatch`](super::dispatch) sees to.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

use super::answer::{Refusal, empty, etag, header, identify};
use super::range::{Wanted, wanted};
use crate::content::{BlobReader, Store};
use crate::oci::{Digest, TagOrDigest};

/// end-3: a manifest, byte for byte as it was pushed.
pub(super) async fn manifest<S: Store>(
    store: &S,
    repository: &str,
    reference: &TagOrDigest,
    parts: &Parts,
) -> Result<Response, Refusal> {
    let Some(manifest) = store.manifest(repository, reference).await? else {
        return unknown(store, repository, "MANIFEST_UNKNOWN", reference).await;
    };
    if let Some(answer) = not_modified(&parts.headers, manifest.digest()) {
        return Ok(answer);
    }
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, header(manifest.media_type()));
    headers.insert(CONTENT_LENGTH, manifest.bytes().len().into());
    identify(headers, manifest.digest());
    *response.body_mut() = Body::from(manifest.bytes().clone());
    Ok(response)
}

/// end-2: a blob or a range of it.
pub(super) async fn blob<S: Store>(
    store: &S,
    repository: &str,
    digest: &Digest,
    parts: &Parts,
) -> Result<Response, Refusal> {
    let Some(blob) = store.blob(repository, digest).await? else {
        return unknown(store, repository, "BLOB_UNKNOWN", digest).await;
    };
    if let Some(answer) = not_modified(&parts.headers, digest) {
        return Ok(answer);
    }
    let size = blob.size();
    let range = asked_range(parts, digest).map_or(Wanted::Whole, |value| wanted(value, size));
    let (offset, length) = match range {
        Wanted::Whole => (0, size),
        Wanted::Part { offset, length } => (offset, length),
        Wanted::Unsatisfiable => {
            let message = format!("the range lies outside the {size} bytes of the blob");
            return Err(
                Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", message)
                    .with(CONTENT_RANGE, format!("bytes */{size}")),
            );
        }
    };
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    if range != Wanted::Whole {
        let last = offset + length - 1;
        headers.insert(
            CONTENT_RANGE,
            header(format!("bytes {offset}-{last}/{size}")),
        );
    }
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    identify(headers, digest);
    if range != Wanted::Whole {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    if parts.method == Method::GET {
        *response.body_mut() = Body::from_stream(blob.read(offset, length));
    }
    Ok(response)
}

/// The range to serve: only of a GET, and with `If-Range` only when the client's copy is this
/// content (RFC 9110, sections 14.2 and 13.1.5).
fn asked_range<'a>(parts: &'a Parts, digest: &Digest) -> Option<&'a str> {
    let text = |name| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let current = !parts.headers.contains_key(IF_RANGE) || text(IF_RANGE) == Some(&etag(digest));
    text(RANGE).filter(|_| current && parts.method == Method::GET)
}

/// 304 when the client has this content already (RFC 9110, section 13.1.2).
fn not_modified(headers: &HeaderMap, digest: &Digest) -> Option<Response> {
    let tag = etag(digest);
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    known.then(|| {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        identify(response.headers_mut(), digest);
        response
    })
}

/// 404: the repository is missing, or only this in it.
async fn unknown<S: Store>(
    store: &S,
    repository: &str,
    code: &'static str,
    what: impl std::fmt::Display,
) -> Result<Response, Refusal> {
    if store.has_repository(repository).await? {
        let message = format!("{what} is not in {repository}");
        Err(Refusal::not_found(code, message))
    } else {
        Err(no_repository(repository))
    }
}

pub(super) fn no_repository(repository: &str) -> Refusal {
    let message = format!("there is no repository {repository}");
    Refusal::not_found("NAME_UNKNOWN", message)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Peer, fill, refused};
    use super::*;
    use crate::oci::media_type;

    #[tokio::test]
    async fn a_manifest_is_given_by_tag_and_digest_as_it_was_pushed() {
        let peer = Peer::new().await;
        let manifest = fill(&peer.store, "a/b", "t", "");
        for reference in ["t", manifest.digest().as_str()] {
            let path = format!("/v2/a/b/manifests/{reference}?ns=registry.k8s.io");
            let get = peer.send("GET", &path).await;
            assert_eq!(get.status, 200);
            assert_eq!(&get.body, manifest.bytes());
            let head = peer.send("HEAD", &path).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            for answer in [&get, &head] {
                assert_eq!(answer.header("content-type"), media_type::OCI_MANIFEST);
                let digest = answer.header("docker-content-digest");
                assert_eq!(digest, manifest.digest().as_str());
                let length = manifest.bytes().len().to_string();
                assert_eq!(answer.header("content-length"), length);
            }
            let known = peer.request("GET", &path);
            let known = known.header("If-None-Match", format!("\"x\", {}", get.header("etag")));
            let known = Answer::to(known).await;
            assert_eq!((known.status, known.body.len()), (304, 0));
            let other = peer
                .request("GET", &path)
                .header("If-None-Match", "\"other\"");
            assert_eq!(Answer::to(other).await.status, 200);
        }
    }

    #[tokio::test]
    async fn ranges_of_a_blob() {
        let peer = Peer::new().await;
        let content: Vec<u8> = (0..=250).cycle().take(700_000).collect();
        let digest = peer.store.insert_blob("a", &content);
        let path = format!("/v2/a/blobs/{digest}");

        let head = peer.send("HEAD", &path).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), "700000");
        assert_eq!(head.header("accept-ranges"), "bytes");
        assert_eq!(head.header("docker-content-digest"), digest.as_str());
        let whole = peer.send("GET", &path).await;
        assert!(whole.status == 200 && whole.body == content);

        let range = async |value: &str| {
            let request = peer.request("GET", &path).header("Range", value);
            Answer::to(request).await
        };
        for (value, from, to) in [
            ("bytes=500-1499", 500, 1500),
            ("bytes=262143-", 262_143, 700_000),
            ("bytes=-10", 699_990, 700_000),
            ("bytes=699999-9999999", 699_999, 700_000),
        ] {
            let part = range(value).await;
            assert_eq!(part.status, 206, "{value}");
            assert!(part.body == content[from..to], "{value}");
            let expected = format!("bytes {from}-{}/700000", to - 1);
            assert_eq!(part.header("content-range"), expected);
        }
        let outside = range("bytes=700000-").await;
        assert_eq!(outside.status, 416);
        assert_eq!(outside.header("content-range"), "bytes */700000");

        let stale = peer.request("GET", &path).header("Range", "bytes=0-1");
        let stale = Answer::to(stale.header("If-Range", "\"other\"")).await;
        assert_eq!((stale.status, stale.body.len()), (200, 700_000));
        let current = peer.request("GET", &path).header("Range", "bytes=0-1");
        let current = Answer::to(current.header("If-Range", head.header("etag"))).await;
        assert_eq!((current.status, current.body.len()), (206, 2));
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_with_its_code() {
        let peer = Peer::new().await;
        let manifest = fill(&peer.store, "a", "t", "");
        let digest = Digest::of(b"unknown");
        for (path, status, code) in [
            ("/v2/a/manifests/u".to_owned(), 404, "MANIFEST_UNKNOWN"),
            (format!("/v2/a/manifests/{digest}"), 404, "MANIFEST_UNKNOWN"),
            (format!("/v2/a/blobs/{digest}"), 404, "BLOB_UNKNOWN"),
            // The second try of containerd: a manifest is no blob.
            (
                format!("/v2/a/blobs/{}", manifest.digest()),
                404,
                "BLOB_UNKNOWN",
            ),
            (format!("/v2/b/blobs/{digest}"), 404, "NAME_UNKNOWN"),
            ("/v2/b/manifests/t".to_owned(), 404, "NAME_UNKNOWN"),
            ("/v2/b/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
            ("/v2/B/tags/list".to_owned(), 400, "NAME_INVALID"),
            ("/v2/a/blobs/sha256:12".to_owned(), 400, "DIGEST_INVALID"),
            ("/v2/a/manifests/md5:12".to_owned(), 400, "DIGEST_INVALID"),
            ("/v2/a/referrers/x".to_owned(), 400, "DIGEST_INVALID"),
            ("/v2/%FF/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
            ("/".to_owned(), 404, "NAME_UNKNOWN"),
            (
                "/v2/a/tags/list?n=x".to_owned(),
                400,
                "PAGINATION_NUMBER_INVALID",
            ),
        ] {
            let answer = peer.send("GET", &path).await;
            assert_eq!(answer.refusal(), refused(status, code), "{path}");
            let head = peer.send("HEAD", &path).await;
            assert_eq!((head.status, head.body.len()), (status, 0), "{path}");
        }
        let post = peer.send("POST", "/v2/a/tags/list").await;
        assert_eq!(post.refusal(), refused(405, "UNSUPPORTED"));
        assert_eq!(post.header("allow"), "GET, HEAD");
    }
}
