//! Flags that say which cluster is meant, and which sonobuoy.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

/// Cluster, namespace, program.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Read the cluster's address and login from FILE; without it $KUBECONFIG or ~/.kube/config.
    #[arg(long, env = "AIRBUOY_KUBECONFIG", value_name = "FILE", hide_env = true)]
    pub kubeconfig: Option<Utf8PathBuf>,

    /// Use this context of the kubeconfig instead of its current one.
    #[arg(long, env = "AIRBUOY_CONTEXT", value_name = "NAME", hide_env = true)]
    pub context: Option<String>,

    /// Use the service account of the pod that airbuoy runs in.
    #[arg(
        long,
        env = "AIRBUOY_IN_CLUSTER",
        value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["kubeconfig", "context"],
        hide_env = true
    )]
    pub in_cluster: bool,

    /// Namespace of the run.
    #[arg(
        short,
        long,
        env = "AIRBUOY_NAMESPACE",
        value_name = "NAME",
        default_value = "sonobuoy",
        hide_env = true
    )]
    pub namespace: String,

    /// The sonobuoy program; without it the one in PATH.
    #[arg(long, env = "AIRBUOY_SONOBUOY", value_name = "PATH", hide_env = true)]
    pub sonobuoy: Option<Utf8PathBuf>,
}
