//! A pod, as far as following a run is concerned.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;

/// A pod and what keeps it waiting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// The node that it was given.
    pub node: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Init containers first.
    pub containers: Vec<Container>,
    /// Why the scheduler found no node, in its words.
    pub unschedulable: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// It is being deleted.
    pub terminating: bool,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// As the pod names it.
    pub image: String,
    /// Why it does not run yet.
    pub waiting: Option<Waiting>,
    /// Since when it runs.
    pub started: Option<Timestamp>,
}

/// Why a container waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// One word: `ContainerCreating`, `ErrImagePull`, `ImagePullBackOff`, …
    pub reason: String,
    /// The runtime's words; may be empty.
    pub message: String,
}

impl Waiting {
    /// Whether the image is what it waits for (kubelet, pkg/kubelet/images).
    pub fn is_for_image(&self) -> bool {
        matches!(
            self.reason.as_str(),
            "ErrImagePull"
                | "ImagePullBackOff"
                | "InvalidImageName"
                | "ErrImageNeverPull"
                | "ImageInspectError"
                | "ErrRegistryUnavailable"
                | "RegistryUnavailable"
                | "SignatureValidationFailed"
        )
    }
}

impl Pod {
    pub(super) fn read(pod: api::Pod) -> Self {
        let spec = pod.spec.unwrap_or_default();
        let status = pod.status.unwrap_or_default();
        let mut states: BTreeMap<String, api::ContainerState> = BTreeMap::new();
        let told = [status.init_container_statuses, status.container_statuses];
        for told in told.into_iter().flatten().flatten() {
            states.insert(told.name, told.state.unwrap_or_default());
        }
        let specs = spec.init_containers.unwrap_or_default();
        let containers = specs.into_iter().chain(spec.containers).map(|container| {
            let state = states.remove(&container.name).unwrap_or_default();
            Container {
                name: container.name,
                image: container.image.unwrap_or_default(),
                waiting: state.waiting.map(|waiting| Waiting {
                    reason: waiting.reason.unwrap_or_default(),
                    message: waiting.message.unwrap_or_default(),
                }),
                started: state.running.and_then(|r| r.started_at).map(|time| time.0),
            }
        });
        let scheduled = status.conditions.unwrap_or_default().into_iter();
        let unschedulable = scheduled
            .filter(|c| c.type_ == "PodScheduled" && c.status == "False")
            .filter(|c| c.reason.as_deref() == Some("Unschedulable"))
            .map(|c| c.message.unwrap_or_default())
            .next();
        Self {
            namespace: pod.metadata.namespace.unwrap_or_default(),
            name: pod.metadata.name.unwrap_or_default(),
            phase: status.phase.unwrap_or_default(),
            node: spec.node_name.filter(|name| !name.is_empty()),
            labels: pod.metadata.labels.unwrap_or_default(),
            annotations: pod.metadata.annotations.unwrap_or_default(),
            containers: containers.collect(),
            unschedulable,
            created: pod.metadata.creation_timestamp.map(|time| time.0),
            terminating: pod.metadata.deletion_timestamp.is_some(),
        }
    }
}
