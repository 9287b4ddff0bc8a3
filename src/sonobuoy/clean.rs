//! Removing a run: what would go, and then the going. Never another run's objects, so never
//! `sonobuoy delete --all` (it takes the cluster roles of every run with it).

use std::time::Duration;

use super::program::{Program, ProgramError};
use super::status::{STATUS_ANNOTATION, Status};
use crate::cluster::{Cluster, ClusterError, NamespaceState, RunRoles, TestNamespace};

/// What would be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanPlan {
    /// The run's namespace.
    pub namespace: String,
    /// Whether it is there.
    pub state: NamespaceState,
    /// Pods in it.
    pub pods: Vec<String>,
    /// What the run says of itself.
    pub status: Option<Status>,
    /// The run's cluster-wide objects.
    pub roles: RunRoles,
    /// Namespaces that aborted tests left; empty unless they were asked for.
    pub leftovers: Vec<TestNamespace>,
    /// Namespaces with another run in progress, to which the left-overs may belong.
    pub other_runs: Vec<String>,
}

/// It could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The cluster could not be asked, or refused.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Sonobuoy failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The namespace holds no run.
    #[error("namespace {namespace} is not sonobuoy's: {pods} pods are in it and no run")]
    NotARun {
        /// Its name.
        namespace: String,
        /// How many pods.
        pods: usize,
    },
    /// It was still there when the time was over.
    #[error("still there after {} s: {}", limit.as_secs(), names.join(", "))]
    StillThere {
        /// What.
        names: Vec<String>,
        /// How long it was waited for.
        limit: Duration,
    },
}

impl CleanError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(error) => error.hint(),
            Self::Program(error) => error.hint(),
            Self::NotARun { namespace, .. } => Some(format!(
                "name the run's namespace with --namespace; to remove {namespace} all the same, use kubectl"
            )),
            Self::StillThere { names, .. } => Some(format!(
                "a finalizer may hold it: kubectl get namespace {} -o yaml",
                names.first().map_or("", String::as_str)
            )),
        }
    }
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct CleanOptions {
    /// Until everything is gone.
    pub limit: Duration,
    /// Between two looks.
    pub interval: Duration,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self {
            limit: Duration::from_mins(15),
            interval: Duration::from_secs(2),
        }
    }
}

impl CleanPlan {
    /// Looks at what is there; changes nothing.
    pub async fn look(
        cluster: &Cluster,
        namespace: &str,
        leftovers: bool,
    ) -> Result<Self, CleanError> {
        let (state, pods, aggregator, roles) = tokio::try_join!(
            cluster.namespace(namespace),
            cluster.pods(namespace),
            cluster.aggregator(namespace),
            cluster.run_roles(namespace),
        )?;
        let is_run = aggregator.is_some()
            || !roles.roles.is_empty()
            || !roles.bindings.is_empty()
            || pods
                .iter()
                .any(|pod| pod.labels.get("component").is_some_and(|c| c == "sonobuoy"));
        // A launch that failed early leaves the namespace and nothing in it.
        if matches!(state, NamespaceState::Active { .. })
            && !is_run
            && !is_empty_remnant(namespace, pods.len())
        {
            return Err(CleanError::NotARun {
                namespace: namespace.to_owned(),
                pods: pods.len(),
            });
        }
        let (left, others) = if leftovers {
            tokio::try_join!(cluster.test_namespaces(), cluster.aggregators())?
        } else {
            (Vec::new(), Vec::new())
        };
        let status_of = |pod: &crate::cluster::Pod| {
            let told = pod.annotations.get(STATUS_ANNOTATION)?;
            Status::parse(told)
        };
        let running = others.iter().filter(|pod| pod.namespace != namespace);
        let running = running.filter(|pod| !status_of(pod).is_some_and(|s| s.is_over()));
        Ok(Self {
            namespace: namespace.to_owned(),
            state,
            pods: pods.into_iter().map(|pod| pod.name).collect(),
            status: aggregator.as_ref().and_then(status_of),
            roles,
            other_runs: running.map(|pod| pod.namespace.clone()).collect(),
            leftovers: left.into_iter().filter(|left| !left.terminating).collect(),
        })
    }

    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        !self.has_run() && self.leftovers.is_empty()
    }

    /// Whether the run is still in progress: removing it loses its results.
    pub fn is_running(&self) -> bool {
        self.status.as_ref().is_some_and(|status| !status.is_over())
    }

    fn has_run(&self) -> bool {
        self.state != NamespaceState::Absent
            || !self.roles.roles.is_empty()
            || !self.roles.bindings.is_empty()
    }

    /// Everything that would be removed, one line each: `namespace sonobuoy (4 pods)`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.state {
            NamespaceState::Absent => {}
            NamespaceState::Active { .. } => {
                let pods = self.pods.len();
                let s = if pods == 1 { "" } else { "s" };
                lines.push(format!("namespace {} ({pods} pod{s})", self.namespace));
            }
            NamespaceState::Terminating { .. } => {
                lines.push(format!("namespace {} (is being deleted)", self.namespace));
            }
        }
        let named = |kind: &str, names: &[String]| -> Vec<String> {
            names.iter().map(|name| format!("{kind} {name}")).collect()
        };
        lines.extend(named("cluster role", &self.roles.roles));
        lines.extend(named("cluster role binding", &self.roles.bindings));
        let left = |left: &TestNamespace| {
            format!(
                "namespace {} (left by a test, {})",
                left.name, left.framework
            )
        };
        lines.extend(self.leftovers.iter().map(left));
        lines
    }

    /// Removes what [`Self::lines`] names, and waits until it is gone.
    pub async fn carry_out(
        &self,
        program: &Program,
        cluster: &Cluster,
        options: CleanOptions,
    ) -> Result<(), CleanError> {
        if self.has_run() {
            let minutes = options.limit.as_secs().div_ceil(60).max(1);
            let mut args = vec!["delete".to_owned(), format!("--wait={minutes}")];
            args.extend(["--namespace".to_owned(), self.namespace.clone()]);
            args.extend(program.access().flags());
            let patience = options.limit + Duration::from_mins(1);
            program.run(&args, patience).await?;
        }
        for left in &self.leftovers {
            cluster.delete_test_namespace(left).await?;
        }
        self.wait(cluster, options).await
    }

    async fn wait(&self, cluster: &Cluster, options: CleanOptions) -> Result<(), CleanError> {
        let until = tokio::time::Instant::now() + options.limit;
        loop {
            let mut names = Vec::new();
            if self.has_run() && cluster.namespace(&self.namespace).await? != NamespaceState::Absent
            {
                names.push(self.namespace.clone());
            }
            if !self.leftovers.is_empty() {
                let there = cluster.test_namespaces().await?;
                let ours = there
                    .iter()
                    .filter(|t| self.leftovers.iter().any(|l| l.uid == t.uid));
                names.extend(ours.map(|test| test.name.clone()));
            }
            if names.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                let limit = options.limit;
                return Err(CleanError::StillThere { names, limit });
            }
            tokio::time::sleep(options.interval).await;
        }
    }
}

/// Sonobuoy's namespaces carry no label of their own.
fn is_empty_remnant(namespace: &str, pods: usize) -> bool {
    pods == 0 && namespace.starts_with("sonobuoy")
}
