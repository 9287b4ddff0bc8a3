//! Kubernetes objects, as JSON.

use serde_json::{Value, json};

use super::super::fake_sonobuoy::recorded;

const CREATED: &str = "2026-11-23T08:00:00Z";

/// A good node.
pub(crate) fn node(name: &str, architecture: &str) -> Value {
    json!({
        "metadata": {"name": name, "uid": format!("uid-{name}")},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": CREATED}],
            "nodeInfo": {
                "operatingSystem": "linux", "architecture": architecture, "bootID": "",
                "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "",
                "kubeletVersion": "v1.36.3", "machineID": "", "osImage": "", "systemUUID": "",
            },
        },
    })
}

/// A namespace in use.
pub(crate) fn namespace(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": CREATED},
        "status": {"phase": "Active"},
    })
}

/// A namespace that a test made.
pub(crate) fn test_namespace(name: &str, run: &str) -> Value {
    let labels = json!({"e2e-framework": "pods", "e2e-run": run});
    let mut namespace = namespace(name);
    namespace["metadata"]["labels"] = labels;
    namespace
}

/// Name, image, and the reason and message for which it waits.
type Container<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

/// A pod; without a reason to wait its containers run.
pub(crate) fn pod(namespace: &str, name: &str, phase: &str, containers: &[Container<'_>]) -> Value {
    let specs: Vec<Value> = containers
        .iter()
        .map(|(name, image, _)| json!({"name": name, "image": image}))
        .collect();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|(name, image, waiting)| {
            let state = match waiting {
                Some((reason, message)) => {
                    json!({"waiting": {"reason": reason, "message": message}})
                }
                None => json!({"running": {"startedAt": CREATED}}),
            };
            json!({"name": name, "image": image, "imageID": "", "ready": waiting.is_none(),
                   "restartCount": 0, "state": state})
        })
        .collect();
    json!({
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": CREATED},
        "spec": {"nodeName": "node-1", "containers": specs},
        "status": {"phase": phase, "containerStatuses": statuses},
    })
}

/// With one more label.
pub(crate) fn labelled(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["labels"][key] = json!(value);
    object
}

/// Sonobuoy's aggregator; `status` is its annotation, empty for none.
pub(crate) fn aggregator(namespace: &str, status: &str) -> Value {
    let containers = [("kube-sonobuoy", "r.io/sonobuoy/sonobuoy:v0.57.5", None)];
    let pod = pod(namespace, "sonobuoy", "Running", &containers);
    let mut pod = labelled(pod, "sonobuoy-component", "aggregator");
    pod["metadata"]["labels"]["component"] = json!("sonobuoy");
    if !status.is_empty() {
        pod["metadata"]["annotations"] = json!({"sonobuoy.hept.io/status": status});
    }
    pod
}

/// The pod that runs the tests.
pub(crate) fn e2e(namespace: &str) -> Value {
    let containers = [
        ("e2e", "r.io/conformance:v1.36.3", None),
        ("sonobuoy-worker", "r.io/sonobuoy/sonobuoy:v0.57.5", None),
    ];
    let pod = pod(namespace, "sonobuoy-e2e-job-1", "Running", &containers);
    labelled(pod, "sonobuoy-plugin", "e2e")
}

/// A `ClusterRole` or binding of the run in `namespace`.
pub(crate) fn role(namespace: &str) -> Value {
    json!({
        "metadata": {
            "name": format!("sonobuoy-serviceaccount-{namespace}"),
            "labels": {"component": "sonobuoy", "namespace": namespace},
        },
        "rules": [],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "x"},
    })
}

/// The annotations of a recorded run, in order: `pass`, `timeout`, `crash`.
pub(crate) fn recorded_statuses(run: &str) -> Vec<String> {
    let text = std::fs::read_to_string(recorded().join(run).join("timeline.jsonl"));
    let text = text.expect("a recorded timeline");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON lines"));
    let asked = lines.filter(|line: &Value| line["args"] == json!(["status", "--json"]));
    let told = asked.map(|line| {
        line["stdout"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_owned()
    });
    told.filter(|told| told.starts_with('{')).collect()
}
