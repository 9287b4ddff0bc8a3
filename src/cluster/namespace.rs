//! Namespaces: the run's own, and those that tests make.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;

/// Whether a namespace is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceState {
    /// There is none of this name.
    Absent,
    /// It is in use.
    Active {
        /// Its labels.
        labels: BTreeMap<String, String>,
        /// When it was created.
        created: Option<Timestamp>,
    },
    /// It is being deleted.
    Terminating {
        /// What still holds it, in the server's words; empty when it says nothing.
        held_by: String,
    },
}

/// A namespace that a test made (labels `e2e-framework` and `e2e-run`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestNamespace {
    /// Its name.
    pub name: String,
    /// Tells it from a later one of the same name.
    pub uid: String,
    /// Which run of the tests made it.
    pub run: String,
    /// Which kind of test.
    pub framework: String,
    /// When.
    pub created: Option<Timestamp>,
    /// It is being deleted.
    pub terminating: bool,
}

/// The cluster-wide objects of one run (labels `component=sonobuoy` and `namespace=…`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunRoles {
    /// Names of `ClusterRole`s.
    pub roles: Vec<String>,
    /// Names of `ClusterRoleBinding`s.
    pub bindings: Vec<String>,
}

impl NamespaceState {
    pub(super) fn read(namespace: api::Namespace) -> Self {
        let status = namespace.status.unwrap_or_default();
        let leaving = namespace.metadata.deletion_timestamp.is_some();
        if !leaving && status.phase.as_deref() != Some("Terminating") {
            return Self::Active {
                labels: namespace.metadata.labels.unwrap_or_default(),
                created: namespace.metadata.creation_timestamp.map(|time| time.0),
            };
        }
        let conditions = status.conditions.unwrap_or_default().into_iter();
        let holding: Vec<String> = conditions
            .filter(|c| c.status == "True")
            .filter_map(|c| c.message)
            .collect();
        Self::Terminating {
            held_by: holding.join("; "),
        }
    }
}

impl TestNamespace {
    pub(super) fn read(namespace: api::Namespace) -> Self {
        let mut labels = namespace.metadata.labels.unwrap_or_default();
        Self {
            name: namespace.metadata.name.unwrap_or_default(),
            uid: namespace.metadata.uid.unwrap_or_default(),
            run: labels.remove("e2e-run").unwrap_or_default(),
            framework: labels.remove("e2e-framework").unwrap_or_default(),
            created: namespace.metadata.creation_timestamp.map(|time| time.0),
            terminating: namespace.metadata.deletion_timestamp.is_some(),
        }
    }
}
