//! What a user must be allowed to do for sonobuoy to run, so that a missing right is found before
//! anything is created.

use std::fmt;

/// Something that Kubernetes lets a user do, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// `create`, `get`, …; `*` for all.
    pub verb: &'static str,
    /// The API group; empty for the core one, `*` for all.
    pub group: &'static str,
    /// In the plural, with a subresource behind a slash; `*` for all.
    pub resource: &'static str,
    /// Asked about the run's namespace, not the whole cluster.
    pub in_namespace: bool,
}

const fn cluster_wide(verb: &'static str, group: &'static str, resource: &'static str) -> Right {
    Right {
        verb,
        group,
        resource,
        in_namespace: false,
    }
}

const fn namespaced(verb: &'static str, resource: &'static str) -> Right {
    Right {
        verb,
        group: "",
        resource,
        in_namespace: true,
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// What `sonobuoy run`, `status`, `retrieve` and `delete` ask the API server for (v0.57.5), and
/// what following a run reads.
pub(super) const NEEDED: &[Right] = &[
    cluster_wide("create", "", "namespaces"),
    cluster_wide("delete", "", "namespaces"),
    cluster_wide("list", "", "nodes"),
    cluster_wide("list", "", "pods"),
    cluster_wide("create", RBAC, "clusterroles"),
    cluster_wide("create", RBAC, "clusterrolebindings"),
    cluster_wide("delete", RBAC, "clusterroles"),
    cluster_wide("delete", RBAC, "clusterrolebindings"),
    namespaced("create", "serviceaccounts"),
    namespaced("create", "configmaps"),
    namespaced("create", "secrets"),
    namespaced("create", "pods"),
    namespaced("create", "services"),
    namespaced("create", "pods/exec"),
    namespaced("get", "pods/log"),
    // The role that sonobuoy creates allows everything, and nobody may give away more than they
    // have (Kubernetes, RBAC, privilege escalation prevention).
    cluster_wide("*", "*", "*"),
];

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.verb == "*" {
            return f.write_str("everything on everything (cluster-admin)");
        }
        write!(f, "{} {}", self.verb, self.resource)
    }
}
