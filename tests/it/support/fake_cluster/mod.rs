//! A Kubernetes API server as far as a conformance run asks it: state in memory that tests change
//! while it is watched. Plain HTTP, which kube and the stand-in sonobuoy both take from a
//! kubeconfig.

pub(crate) mod objects;
mod query;
mod serve;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How every request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    /// As asked.
    #[default]
    Normal,
    /// 401.
    Unauthorized,
    /// The connection breaks in the middle of the answer.
    Broken,
}

/// What the cluster holds.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) mood: Mood,
    /// `gitVersion` of `/version`.
    pub(crate) version: String,
    pub(crate) nodes: Vec<Value>,
    pub(crate) namespaces: Vec<Value>,
    pub(crate) pods: Vec<Value>,
    pub(crate) secrets: Vec<Value>,
    pub(crate) roles: Vec<Value>,
    pub(crate) bindings: Vec<Value>,
    /// `create namespaces`, `list pods everywhere`, `* *`: refused, and told so when asked.
    pub(crate) denied: Vec<&'static str>,
    /// What the container `e2e` wrote.
    pub(crate) log: Vec<u8>,
    /// It will write no more.
    pub(crate) log_ended: bool,
    /// Each increment breaks the log connections that are open.
    pub(crate) log_cuts: u32,
    /// How many looks a namespace survives its deletion.
    pub(crate) lingering: u32,
    /// `METHOD /path?query` of every request.
    pub(crate) requests: Vec<String>,
    /// The flags of the launch, as the stand-in sonobuoy read them.
    pub(crate) launched: Option<Value>,
    /// Whether roles of all runs were deleted.
    pub(crate) deleted_all: bool,
}

/// The server; ends with this value.
pub(crate) struct FakeCluster {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _stop: DropGuard,
}

impl FakeCluster {
    /// A cluster of two good nodes, v1.36.3, with DNS and nothing else.
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            version: "v1.36.3".to_owned(),
            nodes: vec![
                objects::node("node-1", "amd64"),
                objects::node("node-2", "arm64"),
            ],
            namespaces: vec![objects::namespace("kube-system")],
            pods: vec![objects::labelled(
                objects::pod("kube-system", "coredns", "Running", &[]),
                "k8s-app",
                "kube-dns",
            )],
            ..State::default()
        }));
        let stop = CancellationToken::new();
        let address = serve::start(Arc::clone(&state), stop.clone());
        Self {
            address,
            state,
            _stop: stop.drop_guard(),
        }
    }

    /// Reads or changes the state.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in here")
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a kubeconfig for it, context `fake`, into `folder`.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        write_kubeconfig(folder, "kubeconfig", &json!({ "server": self.url() }))
    }

    /// Whether a request begins like this, such as `DELETE /api/v1/namespaces/x`.
    pub(crate) fn was_asked(&self, begin: &str) -> bool {
        self.state()
            .requests
            .iter()
            .any(|request| request.starts_with(begin))
    }
}

/// A kubeconfig, in JSON, with the one cluster and context `fake`.
pub(crate) fn write_kubeconfig(folder: &Path, name: &str, cluster: &Value) -> PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": "hunter2"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
    });
    let path = folder.join(name);
    std::fs::write(&path, config.to_string()).expect("a writable folder");
    path
}
