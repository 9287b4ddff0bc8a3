//! From a request to its handler, and what every answer has in common.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::header::EXPECT;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;

use super::answer::{API_VERSION, Refusal};
use super::options::{AccessLine, Options};
use super::page::Query;
use super::route::{NoRoute, PathKind, Route};
use super::uploads::Uploads;
use super::{delete, lists, publish, pull, push};
use crate::content::Store;

/// How much of a refused body is still read, and for how long: closing at once would reset the
/// connection, and the client would see that instead of the reason.
const DRAIN: usize = 8 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// What all requests of one server share.
pub(super) struct Shared<S: Store> {
    pub(super) store: Arc<S>,
    pub(super) uploads: Arc<Uploads<S::Upload>>,
    pub(super) options: Options,
}

/// Answers one request.
pub(super) async fn dispatch<S: Store>(
    State(shared): State<Arc<Shared<S>>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let path = percent_decode_str(parts.uri.path()).decode_utf8();
    let path = path.as_deref().unwrap_or_default();
    let route = Route::parse(path);
    let result = match &route {
        Ok(route) => answer(&shared, route, &parts, &mut body).await,
        Err(reason) => Err(NoRoute::clone(reason).into()),
    };
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
    if let Some(on_request) = &shared.options.on_request {
        let route = route.as_ref().ok();
        on_request(AccessLine {
            method: parts.method.to_string(),
            path: route.map_or(PathKind::Other, Route::kind),
            repository: route.and_then(Route::repository).map(str::to_owned),
            status,
        });
    }
    response
}

async fn answer<S: Store>(
    shared: &Arc<Shared<S>>,
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
            push::begin(shared, repository, parts, query, body).await
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
