//! The writing half of the distribution-spec, its beginning: blobs that come in one request, are
//! mounted, or open an upload that [`session`](super::session) goes on with. Manifests are in
//! [`publish`](super::publish).

use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::http::header::{LOCATION, RANGE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::answer::{Refusal, created, empty, header};
use super::body::content_length;
use super::dispatch::Shared;
use super::page::Query;
use super::receive::{receive, to_its_end};
use super::uploads::{Loan, NotOpened, Owner, Session};
use crate::content::{Store, StoreError};
use crate::oci::{Algorithm, Digest};

/// How long a client that met too many open uploads is asked to wait, in seconds.
const FULL: &str = "10";

/// What chunks should have at least, in bytes. Smaller ones are taken too, but each is a round
/// trip, and on disk a write.
const CHUNK: HeaderValue = HeaderValue::from_static("65536");

const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// end-4a, 4b, 4c and 11: opens an upload, takes a whole blob at once, or mounts one.
pub(super) async fn begin<S: Store>(
    shared: &Arc<Shared<S>>,
    repository: &str,
    parts: &Parts,
    query: &Query,
    body: &mut BodyDataStream,
    owner: &Owner,
) -> Result<Response, Refusal> {
    let mut algorithm = query.first("digest-algorithm").map(algorithm).transpose()?;
    if let Some(wanted) = query.first("mount") {
        let digest = digest(Some(wanted))?;
        if mount(shared, repository, &digest, query).await? {
            return Ok(created_blob(repository, &digest));
        }
        algorithm = algorithm.or(Some(digest.algorithm()));
    }
    if let Some(wanted) = query.first("digest") {
        let digest = digest(Some(wanted))?;
        let session = session(shared, repository, digest.algorithm()).await?;
        let loan = Loan::alone(session);
        let announced = content_length(parts);
        receive(shared, loan, announced, body, Some(digest.clone())).await?;
        return Ok(created_blob(repository, &digest));
    }
    let algorithm = algorithm.unwrap_or(Algorithm::Sha256);
    let session = session(shared, repository, algorithm).await?;
    let opened = shared.uploads.open(owner, repository, session);
    let id = opened.map_err(|error| match error {
        NotOpened::TooMany | NotOpened::TooManyOfOne => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            Refusal::new(status, "TOOMANYREQUESTS", error).with(RETRY_AFTER, FULL)
        }
        NotOpened::Random(_) => StoreError::Io(error.to_string()).into(),
    })?;
    Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
}

async fn mount<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    digest: &Digest,
    query: &Query,
) -> Result<bool, Refusal> {
    let from = query.first("from").filter(|from| !from.is_empty());
    let (from, place) = (from.map(str::to_owned), repository.to_owned());
    let (store, digest) = (Arc::clone(&shared.store), digest.clone());
    let mounted = async move { store.mount(&place, &digest, from.as_deref()).await };
    Ok(to_its_end(mounted).await??)
}

pub(super) async fn session<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    algorithm: Algorithm,
) -> Result<Session<S::Upload>, Refusal> {
    let upload = shared.store.begin(repository, algorithm).await?;
    Ok(Session { upload, algorithm })
}

fn algorithm(name: &str) -> Result<Algorithm, Refusal> {
    let known = [Algorithm::Sha256, Algorithm::Sha512];
    let found = known.into_iter().find(|known| known.as_str() == name);
    found.ok_or_else(|| {
        let message = "the `digest-algorithm` is neither sha256 nor sha512";
        Refusal::bad("DIGEST_INVALID", message)
    })
}

pub(super) fn digest(parameter: Option<&str>) -> Result<Digest, Refusal> {
    let text = parameter.ok_or_else(|| {
        let message = "the `digest` parameter is missing";
        Refusal::bad("DIGEST_INVALID", message)
    })?;
    text.parse().map_err(|e| Refusal::bad("DIGEST_INVALID", e))
}

pub(super) fn created_blob(repository: &str, digest: &Digest) -> Response {
    created(&format!("/v2/{repository}/blobs/{digest}"), digest)
}

/// Where an upload goes on and what it holds.
pub(super) fn progress(status: StatusCode, repository: &str, id: &str, received: u64) -> Response {
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(location(repository, id)));
    headers.insert(RANGE, header(range(received)));
    headers.insert(CHUNK_MIN_LENGTH, CHUNK);
    headers.insert(UPLOAD_UUID, header(id));
    response
}

pub(super) fn location(repository: &str, id: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

/// An empty upload is `0-0` too: the form has no way to say it.
pub(super) fn range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::super::testing::{Answer, Peer, refused};
    use super::super::{Limits, Options};
    use super::*;
    use crate::oci::{Algorithm, Hasher};

    async fn put(peer: &Peer, path: &str, body: &'static [u8]) -> Answer {
        Answer::to(peer.request("PUT", path).body(body)).await
    }

    async fn has(peer: &Peer, repository: &str, digest: &Digest) -> bool {
        let path = format!("/v2/{repository}/blobs/{digest}");
        peer.send("HEAD", &path).await.status == 200
    }

    #[tokio::test]
    async fn one_put_makes_a_blob() {
        let peer = Peer::new().await;
        let mut sha512 = Hasher::new(Algorithm::Sha512);
        sha512.update(b"content");
        for (body, digest) in [
            (&b"content"[..], Digest::of(b"content")),
            (b"", Digest::of(b"")),
            (b"content", sha512.finish()),
        ] {
            let upload = peer.open("a").await;
            let answer = put(&peer, &format!("{upload}?digest={digest}"), body).await;
            assert_eq!(answer.status, 201);
            let location = answer.header("location");
            assert_eq!(location, format!("/v2/a/blobs/{digest}"));
            assert_eq!(peer.send("GET", location).await.body, body);
            let again = peer.send("GET", &upload).await;
            assert_eq!(again.refusal(), refused(404, "BLOB_UPLOAD_UNKNOWN"));
        }
        let digest = Digest::of(b"at once");
        let post = format!("/v2/b/blobs/uploads/?digest={digest}");
        let post = Answer::to(peer.request("POST", &post).body("at once")).await;
        assert_eq!(post.status, 201);
        assert!(has(&peer, "b", &digest).await);
    }

    #[tokio::test]
    async fn wrong_bytes_are_refused_each_way_and_leave_nothing() {
        let peer = Peer::new().await;
        let digest = Digest::of(b"content");
        for query in [
            format!("?digest={digest}"),
            "?digest=x".into(),
            String::new(),
        ] {
            let upload = peer.open("a").await;
            let answer = put(&peer, &format!("{upload}{query}"), b"c0ntent").await;
            assert_eq!(answer.refusal(), refused(400, "DIGEST_INVALID"));
            assert_eq!(peer.send("GET", &upload).await.status, 404);
        }
        let post = format!("/v2/a/blobs/uploads/?digest={digest}");
        let post = Answer::to(peer.request("POST", &post).body("c0ntent")).await;
        assert_eq!(post.refusal(), refused(400, "DIGEST_INVALID"));
        assert!(!has(&peer, "a", &digest).await);
        let tags = peer.send("GET", "/v2/a/tags/list").await;
        assert_eq!(tags.refusal(), refused(404, "NAME_UNKNOWN"));
    }

    #[tokio::test]
    async fn a_blob_is_mounted_when_it_is_there() {
        let peer = Peer::new().await;
        let digest = peer.store.insert_blob("from", b"layer");
        let mount = async |to: &str, query: &str| {
            let path = format!("/v2/{to}/blobs/uploads/?mount={query}");
            peer.send("POST", &path).await
        };
        let mounted = mount("to", &format!("{digest}&from=from")).await;
        assert_eq!(mounted.status, 201);
        let location = format!("/v2/to/blobs/{digest}");
        assert_eq!(mounted.header("location"), location);
        assert!(has(&peer, "to", &digest).await);
        // The repository itself: whether the blob had arrived.
        let again = mount("to", &format!("{digest}&from=to")).await;
        assert_eq!(again.status, 201);
        let anonymous = mount("any", &digest.to_string()).await;
        assert_eq!(anonymous.status, 201);
        for (to, query) in [
            ("new", format!("{digest}&from=new")),
            ("new", format!("{digest}&from=elsewhere")),
            ("new", format!("{}&from=from", Digest::of(b"x"))),
        ] {
            let answer = mount(to, &query).await;
            assert_eq!(answer.status, 202, "{query}");
            let cancelled = peer.send("DELETE", answer.header("location")).await;
            assert_eq!(cancelled.status, 204);
        }
        let invalid = mount("to", "sha256:12").await;
        assert_eq!(invalid.refusal(), refused(400, "DIGEST_INVALID"));
    }

    #[tokio::test]
    async fn an_upload_tells_its_chunks_and_hears_its_algorithm() {
        let peer = Peer::new().await;
        let post = async |query: &str| {
            let path = format!("/v2/a/blobs/uploads/?digest-algorithm={query}");
            peer.send("POST", &path).await
        };
        let opened = post("sha512").await;
        assert_eq!(opened.status, 202);
        assert_eq!(opened.header("oci-chunk-min-length"), "65536");
        let mut sha512 = Hasher::new(Algorithm::Sha512);
        sha512.update(b"content");
        let digests = [sha512.finish(), Digest::of(b"content")];
        for digest in digests {
            let upload = post("sha512").await;
            let upload = upload.header("location");
            let first = peer.request("PATCH", upload).body("con");
            assert_eq!(Answer::to(first).await.status, 202);
            let last = put(&peer, &format!("{upload}?digest={digest}"), b"tent").await;
            assert_eq!(last.status, 201);
            assert!(has(&peer, "a", &digest).await);
        }
        assert_eq!(post("md5").await.refusal(), refused(400, "DIGEST_INVALID"));
    }

    #[tokio::test]
    async fn a_blob_above_the_limit_is_refused_with_its_reason() {
        let peer = Peer::with(Options {
            limits: Limits {
                blob_size: 1000,
                ..Limits::default()
            },
            ..Options::default()
        })
        .await;
        let body = vec![b' '; 3 << 20];
        let digest = Digest::of(&body);
        let chunks = [Ok::<_, std::io::Error>(Bytes::from(body.clone()))];
        let unannounced = reqwest::Body::wrap_stream(stream::iter(chunks));
        for body in [unannounced, body.into()] {
            let upload = peer.open("a").await;
            let path = format!("{upload}?digest={digest}");
            let answer = Answer::to(peer.request("PUT", &path).body(body)).await;
            assert_eq!(answer.refusal(), refused(413, "SIZE_INVALID"));
            assert_eq!(peer.send("GET", &upload).await.status, 404);
        }
    }
}
