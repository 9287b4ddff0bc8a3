//! Going on with an opened upload: chunks and streams, its status, its end.

use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RANGE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::Response;

use super::answer::{Refusal, empty};
use super::body::in_order;
use super::dispatch::Shared;
use super::page::Query;
use super::push::{created_blob, digest, location, progress, range, session};
use super::receive::receive;
use super::uploads::{Loan, NotLent};
use crate::content::Store;

/// How long a client that met [`NotLent::Busy`] is asked to wait, in seconds: a broken connection
/// is usually noticed by then.
const BUSY: &str = "1";

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

fn no_upload(repository: &str) -> Refusal {
    let message = format!("there is no such upload in {repository}");
    Refusal::not_found("BLOB_UPLOAD_UNKNOWN", message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    use super::super::testing::{Answer, Peer, refused};
    use crate::oci::Digest;

    async fn put(peer: &Peer, path: &str, body: &'static [u8]) -> Answer {
        Answer::to(peer.request("PUT", path).body(body)).await
    }

    async fn has(peer: &Peer, repository: &str, digest: &Digest) -> bool {
        let path = format!("/v2/{repository}/blobs/{digest}");
        peer.send("HEAD", &path).await.status == 200
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
}
