//! Answers: error bodies of the distribution-spec ("Error codes") and the headers that many
//! answers share. The only place that turns what a store says into HTTP.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::route::NoRoute;
use crate::content::StoreError;
use crate::oci::Digest;

/// Set on every answer: old Docker clients take a server without it for no registry.
pub(super) const API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A request that is not granted: status, code and message of the error body.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl std::fmt::Display,
    ) -> Self {
        Self {
            status,
            code,
            message: message.to_string(),
            headers: Vec::new(),
        }
    }

    pub(super) fn bad(code: &'static str, message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 405; `allow` lists the methods that would do.
    pub(super) fn unsupported(allow: &'static str, message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message).with(ALLOW, allow)
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        self.headers.push((name, header(value)));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message }] });
        let mut response = json_response("application/json", &body);
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ReadOnly => Self::unsupported("GET, HEAD", error),
            StoreError::Missing(_) => Self::not_found("MANIFEST_BLOB_UNKNOWN", error),
            StoreError::DigestMismatch(_) => Self::bad("DIGEST_INVALID", error),
            StoreError::Needed { .. } => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "DENIED", error).with(ALLOW, "GET, HEAD")
            }
            StoreError::Manifest(_) => Self::bad("MANIFEST_INVALID", error),
            StoreError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", error)
            }
            StoreError::NoSpace => {
                tracing::error!("the storage is full");
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "DENIED", error)
            }
            StoreError::Io(reason) => {
                // Paths of this machine are no business of a client.
                tracing::error!(%reason, "the store failed");
                let message = "the registry could not use its storage; its log says why";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
            }
        }
    }
}

impl From<NoRoute> for Refusal {
    fn from(error: NoRoute) -> Self {
        match error {
            NoRoute::Unknown => Self::not_found("NAME_UNKNOWN", error),
            NoRoute::Name(_) => Self::bad("NAME_INVALID", error),
            NoRoute::Digest(_) => Self::bad("DIGEST_INVALID", error),
            NoRoute::Tag(_) => Self::bad("MANIFEST_INVALID", error),
        }
    }
}

/// 200 with a JSON body.
pub(super) fn json_response(media_type: &'static str, body: &Value) -> Response {
    let text = body.to_string();
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, text.len().into());
    *response.body_mut() = Body::from(text);
    response
}

/// An answer without a body. 204 and 304 have no `Content-Length` (RFC 9110, section 8.6).
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, 0.into());
    }
    response
}

/// 201 for what can now be fetched at `location`.
pub(super) fn created(location: &str, digest: &Digest) -> Response {
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(location));
    headers.insert(CONTENT_DIGEST, header(digest.as_str()));
    response
}

/// The headers of content that never changes: its digest is its `ETag`.
pub(super) fn identify(headers: &mut HeaderMap, digest: &Digest) {
    headers.insert(CONTENT_DIGEST, header(digest.as_str()));
    headers.insert(ETAG, header(etag(digest)));
}

/// The strong entity tag of content.
pub(super) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// A header value made of names and digests, which hold visible ASCII only; anything else
/// becomes empty rather than a panic.
pub(super) fn header(value: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(value.as_ref()).unwrap_or(HeaderValue::from_static(""))
}
