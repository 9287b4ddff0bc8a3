//! The requests that it understands, and nothing else: an unknown one is a 404 that tests see.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::query::Query;
use super::{Mood, State, objects};

type Handle = Arc<Mutex<State>>;

/// Serves on a free port, in a thread of its own, until `stop`.
pub(super) fn start(state: Handle, stop: CancellationToken) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a free port");
            tell.send(listener.local_addr().expect("an address"))
                .expect("the test waits");
            let router = Router::new().fallback(answer).with_state(state);
            let served = axum::serve(listener, router);
            tokio::select! {
                served = served => served.expect("it serves"),
                () = stop.cancelled() => {}
            }
        });
    });
    told.recv().expect("it listens")
}

async fn answer(Shared(handle): Shared<Handle>, method: Method, uri: Uri, body: Bytes) -> Response {
    let query = Query::parse(uri.query().unwrap_or_default());
    let path: Vec<&str> = uri
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let mut state = handle.lock().expect("no test panicked in here");
    state.requests.push(format!("{method} {uri}"));
    match state.mood {
        Mood::Normal => {}
        Mood::Unauthorized => return status(401, "Unauthorized", "Unauthorized"),
        Mood::Broken => {
            let broken = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{")),
                Err(std::io::Error::other("cut")),
            ]);
            return Response::new(Body::from_stream(broken));
        }
    }
    if let [.., "pods", _, "log"] = path[..] {
        let cuts = state.log_cuts;
        return log(Arc::clone(&handle), cuts);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    route(&mut state, &method, &path, &query, &body)
}

fn route(
    state: &mut State,
    method: &Method,
    path: &[&str],
    query: &Query,
    body: &Value,
) -> Response {
    match (method.as_str(), path) {
        ("GET", ["version"]) => json_answer(&json!({
            "major": "1", "minor": "36+", "gitVersion": state.version, "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        })),
        ("GET", ["api"]) => json_answer(&json!({"kind": "APIVersions", "versions": ["v1"]})),
        ("GET", ["api", "v1", "nodes"]) => {
            list(state, "list nodes", query, "NodeList", |s| &s.nodes)
        }
        ("GET", ["api", "v1", "namespaces"]) => {
            linger(state);
            list(state, "list namespaces", query, "NamespaceList", |s| {
                &s.namespaces
            })
        }
        ("POST", ["api", "v1", "namespaces"]) => create_namespace(state, body),
        ("GET", ["api", "v1", "namespaces", name]) => {
            linger(state);
            get(&state.namespaces, name, "namespaces")
        }
        ("DELETE", ["api", "v1", "namespaces", name]) => delete_namespace(state, name, body),
        ("GET", ["api", "v1", "pods"]) => {
            list(state, "list pods everywhere", query, "PodList", |s| &s.pods)
        }
        ("GET", ["api", "v1", "namespaces", namespace, "pods"]) => {
            if let Some(refusal) = denied(state, "list pods") {
                return refusal;
            }
            let own = within(&state.pods, namespace);
            json_answer(&query.list("PodList", own.into_iter()))
        }
        ("GET", ["api", "v1", "namespaces", namespace, "pods", name]) => {
            get(&within(&state.pods, namespace), name, "pods")
        }
        ("GET", ["api", "v1", "namespaces", namespace, "secrets", name]) => {
            get(&within(&state.secrets, namespace), name, "secrets")
        }
        ("GET", ["apis", "rbac.authorization.k8s.io", "v1", "clusterroles"]) => {
            list(state, "list clusterroles", query, "ClusterRoleList", |s| {
                &s.roles
            })
        }
        (
            "GET",
            [
                "apis",
                "rbac.authorization.k8s.io",
                "v1",
                "clusterrolebindings",
            ],
        ) => list(
            state,
            "list clusterrolebindings",
            query,
            "ClusterRoleBindingList",
            |s| &s.bindings,
        ),
        (
            "POST",
            [
                "apis",
                "authorization.k8s.io",
                "v1",
                "selfsubjectaccessreviews",
            ],
        ) => review(state, body),
        ("POST", ["airbuoy-test", "launch"]) => launch(state, body),
        ("POST", ["airbuoy-test", "delete-roles"]) => {
            state.deleted_all |= body["all"] == true;
            let others =
                |role: &Value| role["metadata"]["labels"]["namespace"] != body["namespace"];
            state.roles.retain(others);
            state.bindings.retain(others);
            json_answer(&json!({}))
        }
        _ => status(
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
    }
}

fn list(
    state: &State,
    action: &str,
    query: &Query,
    kind: &str,
    objects: impl Fn(&State) -> &Vec<Value>,
) -> Response {
    if let Some(refusal) = denied(state, action) {
        return refusal;
    }
    json_answer(&query.list(kind, objects(state).iter().cloned()))
}

fn within(objects: &[Value], namespace: &str) -> Vec<Value> {
    let own = objects
        .iter()
        .filter(|o| o["metadata"]["namespace"] == namespace);
    own.cloned().collect()
}

fn get(objects: &[Value], name: &str, resource: &str) -> Response {
    match objects
        .iter()
        .find(|object| object["metadata"]["name"] == name)
    {
        Some(object) => json_answer(object),
        None => status(404, "NotFound", &format!("{resource} \"{name}\" not found")),
    }
}

fn denied(state: &State, action: &str) -> Option<Response> {
    let is_denied = state.denied.contains(&action);
    is_denied.then(|| status(403, "Forbidden", &format!("user \"me\" cannot {action}")))
}

fn create_namespace(state: &mut State, body: &Value) -> Response {
    if let Some(refusal) = denied(state, "create namespaces") {
        return refusal;
    }
    let name = body["metadata"]["name"].as_str().unwrap_or_default();
    if state
        .namespaces
        .iter()
        .any(|n| n["metadata"]["name"] == name)
    {
        return status(409, "AlreadyExists", "it exists");
    }
    let namespace = objects::namespace(name);
    state.namespaces.push(namespace.clone());
    json_answer(&namespace)
}

fn delete_namespace(state: &mut State, name: &str, body: &Value) -> Response {
    let lingering = state.lingering;
    let mut found = state.namespaces.iter_mut();
    let Some(namespace) = found.find(|n| n["metadata"]["name"] == name) else {
        return status(404, "NotFound", "it is not there");
    };
    let wanted = &body["preconditions"]["uid"];
    if wanted.is_string() && *wanted != namespace["metadata"]["uid"] {
        return status(
            409,
            "Conflict",
            "the UID in the precondition does not match",
        );
    }
    namespace["metadata"]["deletionTimestamp"] = json!("2026-11-23T09:00:00Z");
    namespace["status"] = json!({"phase": "Terminating"});
    namespace["looks"] = json!(lingering);
    let answer = json_answer(namespace);
    state
        .pods
        .retain(|pod| pod["metadata"]["namespace"] != name);
    answer
}

/// Namespaces that are being deleted come nearer to their end with each look.
fn linger(state: &mut State) {
    for namespace in &mut state.namespaces {
        if let Some(looks) = namespace["looks"].as_u64() {
            namespace["looks"] = json!(looks.checked_sub(1));
        }
    }
    let gone = |n: &Value| {
        n.get("looks").is_some_and(Value::is_null) && n["status"]["phase"] == "Terminating"
    };
    state.namespaces.retain(|namespace| !gone(namespace));
}

/// What `sonobuoy run` leaves when it returns; the test goes on from there.
fn launch(state: &mut State, body: &Value) -> Response {
    let namespace = body["namespace"].as_str().unwrap_or_default();
    state.roles.push(objects::role(namespace));
    state.bindings.push(objects::role(namespace));
    state.pods.push(objects::aggregator(namespace, ""));
    state.launched = Some(body["flags"].clone());
    json_answer(&json!({}))
}

fn review(state: &State, body: &Value) -> Response {
    let asked = &body["spec"]["resourceAttributes"];
    let word = |name: &str| asked[name].as_str().unwrap_or_default();
    let resource = match word("subresource") {
        "" => word("resource").to_owned(),
        sub => format!("{}/{sub}", word("resource")),
    };
    let action = format!("{} {resource}", word("verb"));
    let allowed = !state.denied.contains(&action.as_str());
    json_answer(&json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "metadata": {}, "spec": body["spec"], "status": {"allowed": allowed},
    }))
}

/// The log from its beginning, a few bytes at a time, so that characters are cut.
fn log(handle: Handle, cuts: u32) -> Response {
    const PIECE: usize = 7;
    let next = move |at: usize| {
        let handle = Arc::clone(&handle);
        async move {
            loop {
                {
                    let state = handle.lock().expect("no test panicked in here");
                    if state.log_cuts != cuts {
                        return None;
                    }
                    let end = (at + PIECE).min(state.log.len());
                    if at < end {
                        let piece = Bytes::copy_from_slice(&state.log[at..end]);
                        return Some((Ok::<_, Infallible>(piece), end));
                    }
                    if state.log_ended {
                        return None;
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    };
    Response::new(Body::from_stream(futures_util::stream::unfold(0, next)))
}

fn json_answer(value: &Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        value.to_string(),
    )
        .into_response()
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code,
    });
    let code = StatusCode::from_u16(code).expect("a status");
    (code, json_answer(&body)).into_response()
}
