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
use super::uploads::{Owner, Uploads};
use super::{delete, lists, publish, pull, push, session};
use crate::content::Store;

/// How much of a refused body is still read, and for how long: closing at once would reset the
/// connection, and the client would see that instead of the reason.
const DRAIN: usize = 8 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// What all requests of one server share.
pub(super) struct Shared<S: Store> {
    pub(super) store: Arc<Prefixed<S>>,
    pub(super) uploads: Arc<Uploads<S::Upload>>,
    pub(super) options: Options,
    pub(super) operation: Arc<Operation>,
}

/// Answers one request.
pub(super) async fn dispatch<S: Store>(
    shared: &Arc<Shared<S>>,
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
    shared: &Arc<Shared<S>>,
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
    let owner = match operation.login(parts).await? {
        Some(user) => Owner::User(user),
        None => Owner::Address(tally.client()),
    };
    if let Some(line) = &mut tally.line {
        line.user = owner.user().map(str::to_owned);
    }
    let Some(route) = route else {
        return Ok(operation.report(shared.uploads.count()));
    };
    let route = route.as_ref().map_err(NoRoute::clone)?;
    if let Some(outside) = route.repository().filter(|r| !shared.store.holds(r)) {
        return Err(no_repository(outside));
    }
    answer(shared, route, parts, body, &owner).await
}

async fn answer<S: Store>(
    shared: &Arc<Shared<S>>,
    route: &Route<'_>,
    parts: &Parts,
    body: &mut BodyDataStream,
    owner: &Owner,
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
        (Route::Blob { repository, digest }, method) => match method {
            "GET" => pull::blob(store, repository, digest, parts).await,
            "DELETE" => delete::blob(&shared.store, repository, digest).await,
            _ => Err(unsupported(method, "GET, HEAD, DELETE")),
        },
        (
            Route::Manifest {
                repository,
                reference,
            },
            method,
        ) => match method {
            "GET" => pull::manifest(store, repository, reference, parts).await,
            "PUT" => publish::put(&shared.store, repository, reference, parts, query, body).await,
            "DELETE" => delete::manifest(&shared.store, repository, reference).await,
            _ => Err(unsupported(method, "GET, HEAD, PUT, DELETE")),
        },
        (Route::Uploads { repository }, "POST") => {
            push::begin(shared, repository, parts, query, body, owner).await
        }
        (
            Route::Upload {
                repository,
                session,
            },
            method,
        ) => match method {
            "GET" => session::status(shared, repository, session),
            "PATCH" => session::append(shared, repository, session, parts, body).await,
            "PUT" => session::finish(shared, repository, session, parts, query, body).await,
            "DELETE" => session::cancel(shared, repository, session),
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
    use super::super::testing::{Answer, Lines, Peer, fill, refused};
    use super::*;
    use crate::oci::Digest;

    #[tokio::test]
    async fn a_reader_refuses_every_write_and_tells_of_every_request() {
        let lines = Lines::default();
        let options = Options {
            read_only: true,
            ..Options::default()
        };
        let peer = Peer::with(lines.listen(options)).await;
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
        let head = peer.request("HEAD", "/v2/a/manifests/t");
        let head = Answer::to(head.header("User-Agent", "x".repeat(300))).await;
        assert_eq!(head.status, 200);
        let lines = lines.first(5).await;
        assert_eq!(lines.len(), 5);
        assert_eq!((lines[0].status, lines[0].path), (405, PathKind::Upload));
        let last = &lines[4];
        assert_eq!((last.method.as_str(), last.status), ("HEAD", 200));
        assert_eq!(last.path, PathKind::Manifest);
        assert_eq!(last.repository.as_deref(), Some("a"));
        assert_eq!(last.reference.as_deref(), Some("t"));
        assert_eq!((last.sent, last.complete), (0, true));
        assert_eq!(last.user_agent.as_deref(), Some(&*"x".repeat(256)));
        assert!(last.remote.ip().is_loopback());
    }

    #[tokio::test]
    async fn a_line_counts_what_came_and_went() {
        let lines = Lines::default();
        let peer = Peer::with(lines.listen(Options::default())).await;
        let content = vec![7; 3 << 20];
        let digest = Digest::of(&content);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let post = Answer::to(peer.request("POST", &path).body(content)).await;
        assert_eq!(post.status, 201);
        let get = peer.send("GET", post.header("location")).await;
        assert_eq!(get.status, 200);
        let upload = peer.open("a").await;
        assert_eq!(peer.send("DELETE", &upload).await.status, 204);
        let lines = lines.first(4).await;
        let [post, get, _, cancel] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(
            (post.received, post.sent, post.complete),
            (3 << 20, 0, true)
        );
        assert_eq!((get.received, get.sent, get.complete), (0, 3 << 20, true));
        assert_eq!(get.reference.as_deref(), Some(digest.as_str()));
        // An upload's id is all that it takes to write to it.
        assert_eq!(cancel.reference, None);
    }
}
