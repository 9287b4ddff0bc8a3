//! A node, as far as scheduling conformance tests is concerned.

use k8s_openapi::api::core::v1 as api;

use crate::oci::Platform;

/// A machine of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What its kubelet says that it runs; none when it says nothing usable.
    pub platform: Option<Platform>,
    /// Condition `Ready`.
    pub ready: bool,
    /// `kubectl cordon`.
    pub cordoned: bool,
    /// Its taints.
    pub taints: Vec<Taint>,
}

/// A taint, shown as `key=value:effect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, if any.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl std::fmt::Display for Taint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, "={value}")?;
        }
        write!(f, ":{}", self.effect)
    }
}

impl Taint {
    /// Whether a pod without tolerations stays away from it.
    pub fn repels(&self) -> bool {
        self.effect != "PreferNoSchedule"
    }
}

impl Node {
    /// Whether a pod without tolerations can land here: what the tests call a schedulable node
    /// (Kubernetes test/e2e/framework/node, `GetReadySchedulableNodes`).
    pub fn schedulable(&self) -> bool {
        self.ready && !self.cordoned && !self.taints.iter().any(Taint::repels)
    }

    pub(super) fn read(node: api::Node) -> Self {
        let status = node.status.unwrap_or_default();
        let spec = node.spec.unwrap_or_default();
        let ready = status.conditions.unwrap_or_default();
        let taint = |taint: api::Taint| Taint {
            key: taint.key,
            value: taint.value.filter(|value| !value.is_empty()),
            effect: taint.effect,
        };
        Self {
            name: node.metadata.name.unwrap_or_default(),
            platform: status.node_info.and_then(|info| {
                let text = format!("{}/{}", info.operating_system, info.architecture);
                text.parse().ok()
            }),
            ready: ready
                .iter()
                .any(|c| c.type_ == "Ready" && c.status == "True"),
            cordoned: spec.unschedulable.unwrap_or(false),
            taints: spec
                .taints
                .unwrap_or_default()
                .into_iter()
                .map(taint)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: serde_json::Value) -> Node {
        Node::read(serde_json::from_value(json).expect("a node"))
    }

    #[test]
    fn what_keeps_pods_away_is_seen() {
        let ready = serde_json::json!({
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
        });
        let with = |spec| {
            node(serde_json::json!({"metadata": {"name": "n"}, "spec": spec, "status": ready}))
        };
        assert!(with(serde_json::json!({})).schedulable());
        assert!(!with(serde_json::json!({"unschedulable": true})).schedulable());
        let taint =
            |effect| serde_json::json!({"taints": [{"key": "k", "value": "v", "effect": effect}]});
        assert!(with(taint("PreferNoSchedule")).schedulable());
        let tainted = with(taint("NoSchedule"));
        assert!(!tainted.schedulable());
        assert_eq!(tainted.taints[0].to_string(), "k=v:NoSchedule");
        // An empty object is a node that says nothing about itself.
        let silent = node(serde_json::json!({}));
        assert!(!silent.schedulable());
        assert_eq!(silent.platform, None);
    }
}
