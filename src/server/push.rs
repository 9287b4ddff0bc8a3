//! The writing half of the distribution-spec: uploads and mounts. Manifests are in
//! [`publish`](super::publish).

use axum::body::BodyDataStream;
use axum::http::header::{LOCATION, RANGE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;

use super::answer::{Refusal, created, empty, header};
use super::body::{in_order, next};
use super::dispatch::Shared;
use super::page::Query;
use super::uploads::{Loan, NotOpened, Session};
use crate::content::{Store, StoreError};
use crate::oci::Digest;

/// How long a client that met [`NotOpened::TooMany`] is asked to wait, in seconds.
const BUSY: &str = "10";

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// end-4a, 4b and 11: opens an upload, takes a whole blob at once, or mounts one.
pub(super) async fn begin<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    query: &Query,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    if let Some(wanted) = query.first("mount") {
        let digest = digest(Some(wanted))?;
        let from = query.first("from").filter(|from| !from.is_empty());
        if shared.store.mount(repository, &digest, from).await? {
            return Ok(created_blob(repository, &digest));
        }
    }
    let upload = shared.store.begin(repository).await?;
    let mut session = Session::new(repository, upload);
    if let Some(wanted) = query.first("digest") {
        let digest = digest(Some(wanted))?;
        receive(shared, &mut session, body).await?;
        shared.store.commit(session.upload, &digest).await?;
        return Ok(created_blob(repository, &digest));
    }
    let id = shared.uploads.open(session).map_err(|error| match error {
        NotOpened::TooMany => Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", error)
            .with(RETRY_AFTER, BUSY),
        NotOpened::Random(_) => StoreError::Io(error.to_string()).into(),
    })?;
    Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
}

/// end-5: appends to an upload, as a numbered chunk or as a stream.
pub(super) async fn append<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    id: &str,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let mut loan = resume(shared, repository, id, parts)?;
    let session = loan.session().ok_or_else(|| no_upload(repository))?;
    receive(shared, session, body).await?;
    let received = session.received;
    drop(loan);
    Ok(progress(StatusCode::ACCEPTED, repository, id, received))
}

/// end-6: takes the rest of an upload and makes it a blob. The session ends either way, unless
/// the rest is out of order: then nothing was taken.
pub(super) async fn finish<S: Store>(
    shared: &Shared<S>,
    repository: &str,
    id: &str,
    parts: &Parts,
    query: &Query,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let loan = resume(shared, repository, id, parts)?;
    let mut session = loan.keep().ok_or_else(|| no_upload(repository))?;
    let digest = digest(query.first("digest"))?;
    receive(shared, &mut session, body).await?;
    shared.store.commit(session.upload, &digest).await?;
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
    let session = shared.uploads.close(repository, id);
    session.ok_or_else(|| no_upload(repository))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Borrows the upload for a request that goes on with it.
fn resume<'a, S: Store>(
    shared: &'a Shared<S>,
    repository: &str,
    id: &str,
    parts: &Parts,
) -> Result<Loan<'a, S::Upload>, Refusal> {
    let mut loan = shared
        .uploads
        .lend(repository, id)
        .ok_or_else(|| no_upload(repository))?;
    let received = loan.session().map_or(0, |session| session.received);
    in_order(parts, received).map_err(|refusal| {
        refusal
            .with(LOCATION, location(repository, id))
            .with(RANGE, range(received))
    })?;
    Ok(loan)
}

/// Streams a body into an upload.
async fn receive<S: Store>(
    shared: &Shared<S>,
    session: &mut Session<S::Upload>,
    body: &mut BodyDataStream,
) -> Result<(), Refusal> {
    let limit = shared.options.upload_limit;
    while let Some(chunk) = next(body).await? {
        let received = session.received.saturating_add(chunk.len() as u64);
        if received > limit {
            session.torn = true;
            return Err(StoreError::TooLarge { limit }.into());
        }
        session.torn = true;
        shared.store.append(&mut session.upload, chunk).await?;
        session.torn = false;
        session.received = received;
    }
    Ok(())
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

    #[tokio::test]
    async fn a_client_that_goes_away_leaves_nothing_of_a_put_and_its_session_of_a_patch() {
        let peer = Peer::new().await;
        let half = || {
            let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"con"))]);
            let body = first.chain(stream::pending());
            reqwest::Body::wrap_stream(body)
        };
        let digest = Digest::of(b"con");
        let upload = peer.open("a").await;
        let request = peer.request("PATCH", &upload).body(half()).send();
        let cut = tokio::time::timeout(Duration::from_millis(500), request).await;
        assert!(cut.is_err());
        let mut status = peer.send("GET", &upload).await;
        for _ in 0..200 {
            if status.status == 204 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            status = peer.send("GET", &upload).await;
        }
        assert_eq!((status.status, status.header("range")), (204, "0-2"));

        let put = format!("{upload}?digest={digest}");
        let request = peer.request("PUT", &put).body(half()).send();
        let cut = tokio::time::timeout(Duration::from_millis(500), request).await;
        assert!(cut.is_err());
        let mut status = peer.send("GET", &upload).await;
        for _ in 0..200 {
            if status.status == 404 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            status = peer.send("GET", &upload).await;
        }
        assert_eq!(status.status, 404);
        assert!(!has(&peer, "a", &digest).await);
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
        let upload = peer.open("a").await;
        let body = vec![b' '; 3 << 20];
        let digest = Digest::of(&body);
        let path = format!("{upload}?digest={digest}");
        let answer = Answer::to(peer.request("PUT", &path).body(body)).await;
        assert_eq!(answer.refusal(), refused(413, "SIZE_INVALID"));
    }
}
