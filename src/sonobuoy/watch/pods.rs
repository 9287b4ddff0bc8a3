//! Which pod is which in the run's namespace.

use crate::cluster::{Container, Pod};

/// The aggregator among the pods of its namespace, as sonobuoy finds it.
pub(super) fn aggregator(pods: &[Pod]) -> Option<&Pod> {
    let has = |key: &str, value: &str| {
        let of = |pod: &&Pod| pod.labels.get(key).is_some_and(|v| v == value);
        let mut found: Vec<&Pod> = pods.iter().filter(of).collect();
        // While one is being replaced, the one that stays counts.
        found.sort_by_key(|pod| pod.terminating);
        found.into_iter().next()
    };
    has("sonobuoy-component", "aggregator")
        .or_else(|| has("run", "sonobuoy-master"))
        .or_else(|| pods.iter().find(|pod| pod.name == "sonobuoy"))
}

/// The container that runs the tests, and its pod.
pub(super) fn e2e_container(pods: &[Pod]) -> Option<(&Pod, &Container)> {
    let is_e2e = |pod: &&Pod| match pod.labels.get("sonobuoy-plugin") {
        Some(plugin) => plugin == "e2e",
        None => pod.name.starts_with("sonobuoy-e2e-job-"),
    };
    let pod = pods.iter().find(is_e2e)?;
    let container = pod.containers.iter().find(|c| c.name == "e2e")?;
    Some((pod, container))
}

/// Why the aggregator does not work yet.
pub(super) fn why_waiting(pod: &Pod) -> String {
    if let Some(reason) = &pod.unschedulable {
        return format!("no node for sonobuoy's aggregator: {reason}");
    }
    let waiting = pod.containers.iter().find_map(|c| c.waiting.as_ref());
    match waiting {
        Some(waiting) => format!("sonobuoy's aggregator is waiting: {}", waiting.reason),
        None => format!("sonobuoy's aggregator is {}", pod.phase),
    }
}
