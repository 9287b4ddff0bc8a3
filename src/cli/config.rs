//! `airbuoy config`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{CatalogArgs, LiveSourceArgs, NamingArgs, OutDirArgs, ReleaseArgs, SelectionArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy config registry.example.com/k8s --kubernetes-version v1.36.1
  airbuoy config 10.0.0.5:5000 --kubernetes-version v1.36.1 --nodes --nodes-ca ca.pem
  airbuoy config registry.example.com --flat --kubernetes-version v1.36.1 --out-dir site/

Writes custom-repo-config.yaml and sonobuoy-run.sh. It takes the image flags of mirror, so that
one set of flags serves both; what they leave out is still named in the files.";

/// Write the config files of a private registry; no copying, no network without --live.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct ConfigArgs {
    /// The private registry, HOST[:PORT][/PREFIX].
    #[arg(value_name = "TARGET")]
    pub target: String,

    /// Kubernetes versions.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Sonobuoy version, other lists.
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Filters and more images.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Layout of the names.
    #[command(flatten)]
    pub naming: NamingArgs,
    /// Where --live reads.
    #[command(flatten)]
    pub source: LiveSourceArgs,

    /// Also write nodes/: files that make nodes pull from TARGET what pods name by its upstream
    /// name.
    ///
    /// For containerd hosts.toml files, for CRI-O and podman a drop-in of registries.conf.
    #[arg(
        long,
        env = "AIRBUOY_NODES",
        value_parser = BoolishValueParser::new(),
        help_heading = "Nodes",
        hide_env = true
    )]
    pub nodes: bool,
    /// With --nodes, the certificate authority of TARGET, as serve --tls-self-signed names it.
    #[arg(
        long,
        env = "AIRBUOY_NODES_CA",
        value_name = "FILE",
        requires = "nodes",
        conflicts_with = "nodes_plain_http",
        help_heading = "Nodes",
        hide_env = true
    )]
    pub nodes_ca: Option<Utf8PathBuf>,
    /// With --nodes, let nodes talk plain HTTP to TARGET.
    #[arg(
        long,
        env = "AIRBUOY_NODES_PLAIN_HTTP",
        value_parser = BoolishValueParser::new(),
        requires = "nodes",
        help_heading = "Nodes",
        hide_env = true
    )]
    pub nodes_plain_http: bool,

    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,
}
