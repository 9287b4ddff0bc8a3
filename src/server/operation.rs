//! What a server and all its requests share apart from content: counters, logins, limits, and
//! whether it is stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::access::OnRequest;
use super::answer::{Refusal, empty};
use super::limits::Limits;
use super::login::{Denied, Logins};
use super::metrics::Metrics;
use super::options::Options;

/// The challenge. Basic alone: a bearer realm needs a token service, and clients need none here.
const CHALLENGE: &str = "Basic realm=\"airbuoy\"";
/// Seconds after which the successor of a stopping server may be there.
const SUCCESSOR: &str = "5";

pub(super) struct Operation {
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    pub(super) on_request: Option<OnRequest>,
    logins: Option<Arc<Logins>>,
    stopping: AtomicBool,
}

impl Operation {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            metrics: Metrics::new(),
            limits: options.limits.clone(),
            on_request: options.on_request.clone(),
            logins: options.logins.clone(),
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on nothing new is begun.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// 503 when the server is stopping.
    pub(super) fn admit(&self) -> Result<(), Refusal> {
        if !self.stopping() {
            return Ok(());
        }
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Err(
            Refusal::new(status, "UNAVAILABLE", "this registry is stopping")
                .with(RETRY_AFTER, SUCCESSOR)
                .with(CONNECTION, "close"),
        )
    }

    /// The user of a request, when logins are asked for; 401 when it brings none that holds.
    pub(super) async fn login(&self, parts: &Parts) -> Result<Option<String>, Refusal> {
        let Some(logins) = &self.logins else {
            return Ok(None);
        };
        let denied = match logins.check(parts.headers.get(AUTHORIZATION)).await {
            Ok(user) => return Ok(Some(user)),
            Err(denied) => denied,
        };
        if denied == Denied::Wrong {
            self.metrics.failed_login();
        }
        Err(
            Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", denied)
                .with(WWW_AUTHENTICATE, CHALLENGE),
        )
    }

    /// Whether this server takes requests: 200, or 503 while it stops.
    pub(super) fn health(&self) -> Response {
        if self.stopping() {
            let mut response = text("text/plain; charset=utf-8", "stopping\n".to_owned());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            return response;
        }
        text("text/plain; charset=utf-8", "ok\n".to_owned())
    }

    /// The counters.
    pub(super) fn report(&self, uploads: usize) -> Response {
        text(Metrics::MEDIA_TYPE, self.metrics.text(uploads))
    }
}

fn text(media_type: &'static str, text: String) -> Response {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(axum::http::header::CONTENT_LENGTH, text.len().into());
    *response.body_mut() = Body::from(text);
    response
}
