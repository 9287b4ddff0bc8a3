//! `airbuoy config`.

use super::{CatalogArgs, LiveSourceArgs, NamingArgs, OutDirArgs, ReleaseArgs, SelectionArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy config registry.example.com/k8s --kubernetes-version v1.36.1
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

    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,
}
