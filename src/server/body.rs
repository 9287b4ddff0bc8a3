//! Bodies of requests: their length, their place in an upload, their chunks.

use axum::body::BodyDataStream;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_RANGE};
use axum::http::request::Parts;
use bytes::Bytes;
use futures_util::StreamExt;

use super::answer::Refusal;
use super::range::chunk;
use super::tally::Stalled;

/// The next chunk; `None` at the end that was announced.
pub(super) async fn next(body: &mut BodyDataStream) -> Result<Option<Bytes>, Refusal> {
    let broken = |e: axum::Error| {
        let reason = std::error::Error::source(&e);
        if reason.is_some_and(|reason| reason.is::<Stalled>()) {
            let status = StatusCode::REQUEST_TIMEOUT;
            return Refusal::new(status, "BLOB_UPLOAD_INVALID", e).with(CONNECTION, "close");
        }
        let message = format!("the request's body broke off: {e}");
        Refusal::bad("BLOB_UPLOAD_INVALID", message)
    };
    body.next().await.transpose().map_err(broken)
}

/// How long the body says it is.
pub(super) fn content_length(parts: &Parts) -> Option<u64> {
    let value = parts.headers.get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// A chunk that says where it belongs must go on where the last one ended.
pub(super) fn in_order(parts: &Parts, received: u64) -> Result<(), Refusal> {
    let Some(value) = parts.headers.get(CONTENT_RANGE) else {
        return Ok(());
    };
    match value.to_str().ok().and_then(chunk) {
        Some((first, last)) if first == received => {
            let length = content_length(parts);
            if length.is_none_or(|length| length.checked_sub(1) == Some(last - first)) {
                Ok(())
            } else {
                let message = "Content-Range and Content-Length contradict each other";
                Err(Refusal::bad("SIZE_INVALID", message))
            }
        }
        _ => {
            let message = format!("the next chunk begins at byte {received}");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            Err(Refusal::new(status, "BLOB_UPLOAD_INVALID", message))
        }
    }
}
