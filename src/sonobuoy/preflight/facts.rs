//! What was found out, each part on its own: one that could not be had does not hide the others.

use crate::catalog::{Catalog, SonobuoyImages};
use crate::cluster::{Cluster, ClusterError, NamespaceState, Node, Right, RunRoles};
use crate::kube_version::KubeVersion;
use crate::oci::Platform;
use crate::sonobuoy::command::Mode;
use crate::sonobuoy::program::ProgramError;
use crate::sonobuoy::status::{STATUS_ANNOTATION, Status};

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What failed and why.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl From<&ClusterError> for Problem {
    fn from(error: &ClusterError) -> Self {
        Self {
            text: error.to_string(),
            hint: error.hint(),
        }
    }
}

impl From<&ProgramError> for Problem {
    fn from(error: &ProgramError) -> Self {
        Self {
            text: error.to_string(),
            hint: error.hint(),
        }
    }
}

/// Everything that [`judge`](super::judge) looks at.
#[derive(Debug)]
pub struct PreflightFacts {
    /// What runs.
    pub mode: Mode,
    /// The run's namespace.
    pub namespace: String,
    /// The program's release.
    pub sonobuoy: Result<SonobuoyImages, Problem>,
    /// The cluster.
    pub cluster: Result<ClusterFacts, Problem>,
    /// The Kubernetes version that the user named; none to use the cluster's.
    pub given: Option<KubeVersion>,
    /// What can be certified.
    pub window: Window,
    /// The images at TARGET.
    pub images: ImageFacts,
    /// The pods' logins.
    pub credentials: CredentialFacts,
    /// The user passed flags on that name the cluster's DNS or skip that check.
    pub dns_is_settled: bool,
}

/// What the cluster told.
#[derive(Debug, Clone)]
pub struct ClusterFacts {
    /// Context or server.
    pub name: String,
    /// Its version.
    pub version: KubeVersion,
    /// Its nodes.
    pub nodes: Result<Vec<Node>, Problem>,
    /// Rights that are missing.
    pub missing_rights: Result<Vec<Right>, Problem>,
    /// The run's namespace.
    pub namespace: Result<NamespaceFacts, Problem>,
    /// Pods that sonobuoy takes for the DNS.
    pub dns_pods: Result<usize, Problem>,
}

/// What is in the run's namespace already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Whether it is there.
    pub state: NamespaceState,
    /// Sonobuoy's aggregator: its phase and what it says of the run.
    pub aggregator: Option<(String, Option<Status>)>,
    /// Cluster-wide objects of a run in it.
    pub roles: RunRoles,
    /// Whether the secret of `--image-pull-secret` is in it; none when none was named.
    pub has_pull_secret: Option<bool>,
}

/// The images of the run at TARGET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFacts {
    /// They were not looked for, and why: `the cluster's nodes are not known`.
    NotChecked(String),
    /// They were looked for.
    Checked {
        /// How many.
        total: usize,
        /// For these platforms.
        platforms: Vec<Platform>,
        /// Which are not there, and why: one line each, `agnhost:2.63.0: no manifest for linux/arm64`.
        missing: Vec<String>,
    },
}

/// Who can pull.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialFacts {
    /// TARGET's `host[:port]`.
    pub host: String,
    /// An anonymous pull is refused there.
    pub wants_login: bool,
    /// `--image-pull-secret`.
    pub pull_secret: Option<String>,
    /// `--e2e-docker-config-file` was given.
    pub docker_config: bool,
}

/// The minors that CNCF certifies: the newest stable one and the two before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Without a patch.
    pub oldest: KubeVersion,
    /// Without a patch.
    pub newest: KubeVersion,
    /// The day of the catalogue that knows it.
    pub as_of: String,
}

impl Window {
    /// As the catalogue knows it.
    pub fn of(catalog: &Catalog) -> Self {
        let stable = catalog.read_in_full().filter(|v| v.pre_release().is_none());
        let newest = stable.max().cloned().unwrap_or_else(|| catalog.newest());
        let (major, minor) = (newest.major(), newest.minor());
        Self {
            oldest: KubeVersion::minor_release(major, minor.saturating_sub(2)),
            newest: KubeVersion::minor_release(major, minor),
            as_of: catalog.facts_date().to_string(),
        }
    }

    /// Whether a version of this minor can be certified.
    pub fn holds(&self, version: &KubeVersion) -> bool {
        let minor = |v: &KubeVersion| (v.major(), v.minor());
        (minor(&self.oldest)..=minor(&self.newest)).contains(&minor(version))
    }
}

/// The platforms for which images are needed: those of the nodes that run Linux, each once.
pub fn linux_platforms(nodes: &[Node]) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = nodes
        .iter()
        .filter_map(|node| node.platform.clone())
        .filter(|platform| platform.os == "linux")
        .collect();
    platforms.sort();
    platforms.dedup();
    platforms
}

impl ClusterFacts {
    /// Asks the cluster everything at once.
    pub async fn gather(cluster: &Cluster, namespace: &str, pull_secret: Option<&str>) -> Self {
        let (nodes, missing_rights, namespace, dns_pods) = tokio::join!(
            cluster.nodes(),
            cluster.missing_rights(namespace),
            NamespaceFacts::gather(cluster, namespace, pull_secret),
            cluster.dns_pods(),
        );
        Self {
            name: cluster.name().to_owned(),
            version: cluster.version().clone(),
            nodes: nodes.map_err(|e| (&e).into()),
            missing_rights: missing_rights.map_err(|e| (&e).into()),
            namespace: namespace.map_err(|e| (&e).into()),
            dns_pods: dns_pods.map_err(|e| (&e).into()),
        }
    }
}

impl NamespaceFacts {
    /// What is in the namespace.
    pub async fn gather(
        cluster: &Cluster,
        namespace: &str,
        pull_secret: Option<&str>,
    ) -> Result<Self, ClusterError> {
        let secret = async {
            match pull_secret {
                Some(name) => cluster.has_secret(namespace, name).await.map(Some),
                None => Ok(None),
            }
        };
        let (state, aggregator, roles, has_pull_secret) = tokio::try_join!(
            cluster.namespace(namespace),
            cluster.aggregator(namespace),
            cluster.run_roles(namespace),
            secret,
        )?;
        let aggregator = aggregator.map(|pod| {
            let told = pod.annotations.get(STATUS_ANNOTATION);
            let status = told.and_then(|text| Status::parse(text));
            (pod.phase, status)
        });
        Ok(Self {
            state,
            aggregator,
            roles,
            has_pull_secret,
        })
    }
}
