//! Bodies of requests, chunk by chunk.

use axum::body::BodyDataStream;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use bytes::Bytes;
use futures_util::StreamExt;

use super::answer::Refusal;

/// The next chunk; `None` at the end that was announced.
pub(super) async fn next(body: &mut BodyDataStream) -> Result<Option<Bytes>, Refusal> {
    let broken = |e: axum::Error| {
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
