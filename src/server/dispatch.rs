//! From a request to its handler, and what every answer has in common.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::EXPECT;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::answer::{API_VERSION, Refusal};
use super::operation::Operation;
use super::options::Options;
use super::page::Query;
use super::prefix::Prefixed;
use super::pull::no_repository;
use super::route::{NoRoute, PathKind, Route};
use super::socket::Peer;
use super::tally::{Counted, Received, Tally};
use super::uploads::Uploads;
use super::{lists, publish, pull, push};
use crate::content::Store;

/// How much of a refused body is still read, and for how long: closing at once would reset the
/// connection, and the client would see that instead of the reason.
const DRAIN: usize = 8 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// What all requests of one server share.
pub(super) struct Shared<S: Store> {
    pub(super) store: Arc<Prefixed<S>>,
    pub(super) uploads: Uploads<S::Upload>,
    pub(super) options: Options,
    pub(super) operation: Arc<Operation>,
}

/// Answers one request.
pub(super) async fn dispatch<S: Store>(
    shared: &Shared<S>,
    peer: &Arc<Peer>,
    request: Request<Incoming>,
) -> Response<Counted> {
    let (parts, incoming) = request.into_parts();
    let operation = &shared.operation;
    let mut tally = Tally::begin(operation, peer, &parts);
    let path = percent_decode_str(parts.uri.path()).decode_utf8();
    let path = path.as_deref().unwrap_or_default();
    let endpoint = Endpoint::parse(path);
    endpoint.describe(&mut tally);
    let manifest = tally.kind == PathKind::Manifest;
    let within = manifest.then_some(operation.limits.manifest);
    let body = Received::body(incoming, operation, peer, within);
    let mut body = body.into_data_stream();
    let result = serve(shared, &endpoint, &parts, &mut body, &mut tally).await;
    let mut response = match result {
        Ok(response) => response,
        Err(refusal) => {
            drain(&parts, &mut body).await;
            refusal.into_response()
        }
    };
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert(API_VERSION, version);
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    let status = response.status().as_u16();
    tracing::debug!(method = %parts.method, path, status, "answered");
    Counted::wrap(response, tally)
}

/// What a path leads to.
enum Endpoint<'a> {
    Health,
    Metrics,
    /// `/v2/` and below.
    Registry(Result<Route<'a>, NoRoute>),
    Nothing,
}

impl<'a> Endpoint<'a> {
    fn parse(path: &'a str) -> Self {
        match path {
            "/healthz" => Self::Health,
            "/metrics" => Self::Metrics,
            "/v2" => Self::Registry(Route::parse(path)),
            path if path.starts_with("/v2/") => Self::Registry(Route::parse(path)),
            _ => Self::Nothing,
        }
    }

    fn describe(&self, tally: &mut Tally) {
        tally.kind = match self {
            Self::Health => PathKind::Health,
            Self::Metrics => PathKind::Metrics,
            Self::Registry(Ok(route)) => route.kind(),
            Self::Registry(Err(_)) | Self::Nothing => PathKind::Other,
        };
        if let (Some(line), Self::Registry(Ok(route))) = (&mut tally.line, self) {
            line.repository = route.repository().map(str::to_owned);
            line.reference = match route {
                Route::Manifest { reference, .. } => Some(reference.to_string()),
                Route::Blob { digest, .. } | Route::Referrers { digest, .. } => {
                    Some(digest.to_string())
                }
                // Who knows the id of an upload may write to it.
                _ => None,
            };
        }
    }
}

/// What comes before any content: whether the server takes requests, and from this client.
async fn serve<S: Store>(
    shared: &Shared<S>,
    endpoint: &Endpoint<'_>,
    parts: &Parts,
    body: &mut BodyDataStream,
    tally: &mut Tally,
) -> Result<Response, Refusal> {
    let operation = &shared.operation;
    let reading = parts.method == Method::GET || parts.method == Method::HEAD;
    let route = match endpoint {
        Endpoint::Health | Endpoint::Metrics if !reading => {
            return Err(unsupported(parts.method.as_str(), "GET, HEAD"));
        }
        Endpoint::Health => return Ok(operation.health()),
        Endpoint::Nothing => return Err(NoRoute::Unknown.into()),
        Endpoint::Metrics => None,
        Endpoint::Registry(route) => Some(route),
    };
    operation.admit()?;
    let user = operation.login(parts).await?;
    if let Some(line) = &mut tally.line {
        line.user = user;
    }
    let Some(route) = route else {
        return Ok(operation.report(shared.uploads.count()));
    };
    let route = route.as_ref().map_err(|reason| NoRoute::clone(reason))?;
    if let Some(outside) = route.repository().filter(|r| !shared.store.holds(r)) {
        return Err(no_repository(outside));
    }
    answer(shared, route, parts, body).await
}

async fn answer<S: Store>(
    shared: &Shared<S>,
    route: &Route<'_>,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let store = &*shared.store;
    let query = &Query::parse(parts.uri.query());
    let method = match parts.method.as_str() {
        "HEAD" => "GET",
        other => other,
    };
    if shared.options.read_only && method != "GET" {
        return Err(crate::content::StoreError::ReadOnly.into());
    }
    match (route, method) {
        (Route::Base, "GET") => Ok(lists::base()),
        (Route::Catalog, "GET") => lists::catalog(store, query).await,
        (Route::Tags { repository }, "GET") => lists::tags(store, repository, query).await,
        (Route::Referrers { repository, digest }, "GET") => {
            lists::referrers(store, repository, digest, query).await
        }
        (Route::Blob { repository, digest }, "GET") => {
            pull::blob(store, repository, digest, parts).await
        }
        (
            Route::Manifest {
                repository,
                reference,
            },
            method,
        ) => match method {
            "GET" => pull::manifest(store, repository, reference, parts).await,
            "PUT" => publish::put(store, repository, reference, parts, query, body).await,
            "DELETE" => publish::delete(store, repository, reference).await,
            _ => Err(unsupported(method, "GET, HEAD, PUT, DELETE")),
        },
        (Route::Uploads { repository }, "POST") => {
            push::begin(shared, repository, query, body).await
        }
        (
            Route::Upload {
                repository,
                session,
            },
            method,
        ) => match method {
            "GET" => push::status(shared, repository, session),
            "PATCH" => push::append(shared, repository, session, parts, body).await,
            "PUT" => push::finish(shared, repository, session, parts, query, body).await,
            "DELETE" => push::cancel(shared, repository, session),
            _ => Err(unsupported(method, "GET, HEAD, PATCH, PUT, DELETE")),
        },
        (Route::Uploads { .. }, method) => Err(unsupported(method, "POST")),
        (_, method) => Err(unsupported(method, "GET, HEAD")),
    }
}

fn unsupported(method: &str, allow: &'static str) -> Refusal {
    Refusal::unsupported(allow, format!("{method} is not offered here"))
}

async fn drain(parts: &Parts, body: &mut BodyDataStream) {
    // A client that asks before it sends has not sent anything.
    if parts.headers.contains_key(EXPECT) {
        return;
    }
    let rest = async {
        let mut left = DRAIN;
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len()) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::testing::{Peer, fill, refused};
    use super::*;

    #[tokio::test]
    async fn a_reader_refuses_every_write_and_tells_of_every_request() {
        let lines: Arc<Mutex<Vec<AccessLine>>> = Arc::default();
        let heard = Arc::clone(&lines);
        let peer = Peer::with(Options {
            read_only: true,
            on_request: Some(Arc::new(move |line| {
                heard.lock().expect("sound").push(line);
            })),
            ..Options::default()
        })
        .await;
        fill(&peer.store, "a", "t", "");
        for (method, path) in [
            ("POST", "/v2/a/blobs/uploads/"),
            ("PATCH", "/v2/a/blobs/uploads/x"),
            ("PUT", "/v2/a/manifests/t"),
            ("DELETE", "/v2/a/manifests/t"),
        ] {
            let answer = peer.send(method, path).await;
            assert_eq!(answer.refusal(), refused(405, "UNSUPPORTED"));
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
        assert_eq!(peer.send("HEAD", "/v2/a/manifests/t").await.status, 200);
        let lines = lines.lock().expect("sound");
        let last = AccessLine {
            method: "HEAD".to_owned(),
            path: PathKind::Manifest,
            repository: Some("a".to_owned()),
            status: 200,
        };
        assert_eq!(lines.len(), 5);
        assert_eq!(lines.last(), Some(&last));
    }
}
