//! The writing half of the distribution-spec: uploads and mounts. Manifests are in
//! [`publish`](super::publish).

use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::http::header::{LOCATION, RANGE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::answer::{Refusal, created, empty, header};
use super::body::{content_length, in_order};
use super::dispatch::Shared;
use super::page::Query;
use super::receive::{receive, to_its_end};
use super::uploads::{Loan, NotLent, NotOpened, Session};
use crate::content::{Store, StoreError};
use crate::oci::{Algorithm, Digest};

/// How long a client that met [`NotOpened::TooMany`] is asked to wait, in seconds.
const FULL: &str = "10";
/// And one that met [`NotLent::Busy`]: a broken connection is usually noticed by then.
const BUSY: &str = "1";

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
    let opened = shared.uploads.open(repository, session);
    let id = opened.map_err(|error| match error {
        NotOpened::TooMany => Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", error)
            .with(RETRY_AFTER, FULL),
        NotOpened::Random(_) => StoreError::Io(error.to_string()).into(),
    })?;
    Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
}

/// end-5: appends to an upload, as a numbered chunk or as a stream.
pub(super) async fn append<S: Store>(
    shared: &Arc<Shared<S>>,
    repository: &str,
    id: &str,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let (loan, announced) = resume(shared, repository, id, parts)?;
    let received = receive(shared, loan, announced, body, None).await?;
    Ok(progress(StatusCode::ACCEPTED, repository, id, received))
}

/// end-6: takes the rest of an upload and makes it a blob. The session ends either way, unless
/// the rest is out of order or breaks off: then it can be gone on with.
pub(super) async fn finish<S: Store>(
    shared: &Arc<Shared<S>>,
    repository: &str,
    id: &str,
    parts: &Parts,
    query: &Query,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let (mut loan, announced) = resume(shared, repository, id, parts)?;
    let digest = digest(query.first("digest")).inspect_err(|_| drop(loan.close()))?;
    let nothing_yet = loan.received() == 0;
    if let Some(open) = loan.session()
        && nothing_yet
        && open.algorithm != digest.algorithm()
    {
        // Told in time: the bytes need not be hashed twice.
        *open = session(shared, repository, digest.algorithm()).await?;
    }
    receive(shared, loan, announced, body, Some(digest.clone())).await?;
    Ok(created_blob(repository, &digest))
}

/// end-13: how far an upload came.
pub(super) fn status<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    id: &str,
) -> Result<Response, Refusal> {
    let received = shared.uploads.received(repository, id);
    let received = received.ok_or_else(|| no_upload(repository))?;
    Ok(progress(StatusCode::NO_CONTENT, repository, id, received))
}

/// end-14: gives an upload up.
pub(super) fn cancel<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    id: &str,
) -> Result<Response, Refusal> {
    if shared.uploads.cancel(repository, id) {
        Ok(empty(StatusCode::NO_CONTENT))
    } else {
        Err(no_upload(repository))
    }
}

/// Borrows the upload for a request that goes on with it; says how long the request's body is.
fn resume<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    id: &str,
    parts: &Parts,
) -> Result<(Loan<S::Upload>, Option<u64>), Refusal> {
    let at = |refusal: Refusal, received| {
        refusal
            .with(LOCATION, location(repository, id))
            .with(RANGE, range(received))
    };
    let loan = shared.uploads.lend(repository, id);
    let loan = loan.map_err(|reason| match reason {
        NotLent::Unknown => no_upload(repository),
        NotLent::Busy => {
            let message = "another request is sending to this upload";
            let received = shared.uploads.received(repository, id).unwrap_or(0);
            let refusal = Refusal::new(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID", message);
            at(refusal.with(RETRY_AFTER, BUSY), received)
        }
    })?;
    let received = loan.received();
    let announced = in_order(parts, received).map_err(|refusal| at(refusal, received))?;
    Ok((loan, announced))
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

async fn session<S: Store>(
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

fn digest(parameter: Option<&str>) -> Result<Digest, Refusal> {
    let text = parameter.ok_or_else(|| {
        let message = "the `digest` parameter is missing";
        Refusal::bad("DIGEST_INVALID", message)
    })?;
    text.parse().map_err(|e| Refusal::bad("DIGEST_INVALID", e))
}

fn no_upload(repository: &str) -> Refusal {
    let message = format!("there is no such upload in {repository}");
    Refusal::not_found("BLOB_UPLOAD_UNKNOWN", message)
}

fn created_blob(repository: &str, digest: &Digest) -> Response {
    created(&format!("/v2/{repository}/blobs/{digest}"), digest)
}

/// Where an upload goes on and what it holds.
fn progress(status: StatusCode, repository: &str, id: &str, received: u64) -> Response {
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(location(repository, id)));
    headers.insert(RANGE, header(range(received)));
    headers.insert(CHUNK_MIN_LENGTH, CHUNK);
    headers.insert(UPLOAD_UUID, header(id));
    response
}

fn location(repository: &str, id: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

/// An empty upload is `0-0` too: the form has no way to say it.
fn range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    use super::super::Options;
    use super::super::testing::{Answer, Peer, refused};
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
    async fn chunks_go_on_where_the_last_one_ended() {
        let peer = Peer::new().await;
        let upload = peer.open("a").await;
        let patch = async |range: &str, body: &'static str| {
            let request = peer.request("PATCH", &upload).body(body);
            Answer::to(request.header("Content-Range", range)).await
        };
        let first = patch("0-3", "cont").await;
        assert_eq!((first.status, first.header("range")), (202, "0-3"));
        assert_eq!(first.header("location"), upload);
        for (range, status) in [("5-6", 416), ("0-3", 416), ("x", 416), ("4-9", 400)] {
            let answer = patch(range, "ent").await;
            assert_eq!(answer.status, status, "{range}");
        }
        let out_of_order = patch("7-8", "xx").await;
        assert_eq!(out_of_order.header("range"), "0-3");
        let status = peer.send("GET", &upload).await;
        assert_eq!((status.status, status.header("range")), (204, "0-3"));
        // A chunk without a range goes to the end.
        let streamed = Answer::to(peer.request("PATCH", &upload).body("en")).await;
        assert_eq!((streamed.status, streamed.header("range")), (202, "0-5"));
        let digest = Digest::of(b"content");
        let early = peer.request("PUT", &format!("{upload}?digest={digest}"));
        let early = Answer::to(early.header("Content-Range", "9-9").body("t")).await;
        assert_eq!((early.status, early.header("range")), (416, "0-5"));
        let last = put(&peer, &format!("{upload}?digest={digest}"), b"t").await;
        assert_eq!(last.status, 201);
        assert!(has(&peer, "a", &digest).await);
    }

    /// Three bytes, and then nothing.
    fn half() -> reqwest::Body {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"con"))]);
        reqwest::Body::wrap_stream(first.chain(stream::pending()))
    }

    /// Sends half a body and closes the connection.
    async fn cut_off(request: reqwest::RequestBuilder) {
        let request = request.body(half()).send();
        let cut = tokio::time::timeout(Duration::from_millis(500), request).await;
        assert!(cut.is_err());
    }

    /// Waits until the status of the upload tells this range.
    async fn settled_at(peer: &Peer, upload: &str, range: &str) {
        for _ in 0..500 {
            let status = peer.send("GET", upload).await;
            assert_eq!(status.status, 204);
            if status.header("range") == range {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never at {range}");
    }

    /// Waits until the upload has this range and no request works with it.
    async fn settled(peer: &Peer, upload: &str, range: &str) {
        settled_at(peer, upload, range).await;
        for _ in 0..500 {
            let busy = peer.request("PATCH", upload).header("Content-Range", "9-9");
            if Answer::to(busy.body("x")).await.status == 416 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("busy for ever");
    }

    #[tokio::test]
    async fn what_arrived_before_a_client_went_away_can_be_gone_on_with() {
        let peer = Peer::new().await;
        let digest = Digest::of(b"con");
        let upload = peer.open("a").await;
        cut_off(peer.request("PATCH", &upload)).await;
        settled(&peer, &upload, "0-2").await;
        let rest = peer.request("PATCH", &upload).body("tent");
        let rest = Answer::to(rest.header("Content-Range", "3-6")).await;
        assert_eq!((rest.status, rest.header("range")), (202, "0-6"));

        let upload = peer.open("a").await;
        let put = format!("{upload}?digest={digest}");
        cut_off(peer.request("PUT", &put)).await;
        settled(&peer, &upload, "0-2").await;
        assert!(!has(&peer, "a", &digest).await);
        // And it can be gone on with, in a PUT as well.
        let whole = format!("{upload}?digest={}", Digest::of(b"content"));
        let rest = peer.request("PUT", &whole).body("tent");
        let rest = Answer::to(rest.header("Content-Range", "3-6")).await;
        assert_eq!(rest.status, 201);
    }

    #[tokio::test]
    async fn two_requests_at_once_do_not_mix() {
        let peer = Peer::new().await;
        let upload = peer.open("a").await;
        let sending = peer.request("PATCH", &upload).body(half());
        let sending = tokio::spawn(sending.send());
        settled_at(&peer, &upload, "0-2").await;
        for method in ["PATCH", "PUT"] {
            let busy = Answer::to(peer.request(method, &upload).body("x")).await;
            assert_eq!(busy.refusal(), refused(409, "BLOB_UPLOAD_INVALID"));
            assert_eq!(busy.header("retry-after"), "1");
            assert_eq!(busy.header("range"), "0-2");
        }
        assert_eq!(peer.send("DELETE", &upload).await.status, 204);
        assert_eq!(peer.send("GET", &upload).await.status, 404);
        sending.abort();
        assert!(sending.await.is_err());
        assert_eq!(peer.send("PATCH", &upload).await.status, 404);
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
    async fn a_body_is_as_long_as_its_range_says() {
        let peer = Peer::new().await;
        let upload = peer.open("a").await;
        for (sent, range) in [("content", "0-0"), ("co", "0-1")] {
            // Without a Content-Length.
            let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(sent.as_bytes()))]);
            let body = reqwest::Body::wrap_stream(body);
            let request = peer.request("PATCH", &upload).body(body);
            let answer = Answer::to(request.header("Content-Range", "0-3")).await;
            assert_eq!(answer.refusal(), refused(400, "SIZE_INVALID"), "{sent}");
            let status = peer.send("GET", &upload).await;
            assert_eq!((status.status, status.header("range")), (204, range));
        }
    }

    #[tokio::test]
    async fn an_upload_is_found_in_its_repository_only() {
        let peer = Peer::new().await;
        let upload = peer.open("a").await;
        let foreign = upload.replace("/v2/a/", "/v2/b/");
        for method in ["GET", "PATCH", "PUT", "DELETE"] {
            let answer = peer.send(method, &foreign).await;
            assert_eq!(answer.status, 404, "{method}");
        }
        assert_eq!(peer.send("DELETE", &upload).await.status, 204);
        assert_eq!(peer.send("DELETE", &upload).await.status, 404);
    }

    #[tokio::test]
    async fn a_blob_above_the_limit_is_refused_with_its_reason() {
        let peer = Peer::with(Options {
            upload_limit: 1000,
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
