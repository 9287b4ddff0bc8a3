//! `airbuoy images`.

use super::{CatalogArgs, ListFormat, LiveSourceArgs, NamingArgs, ReleaseArgs, SelectionArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy images --kubernetes-version v1.36.1
  airbuoy images --kubernetes-version 1.36 --to registry.example.com/k8s -o json
  airbuoy images --kubernetes-version v1.36.1 --conformance-only -o name
  airbuoy images --kubernetes-version v1.38.0 --live";

/// List what a Kubernetes version needs, and where it goes; no network without --live.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct ImagesArgs {
    /// Kubernetes versions.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Sonobuoy version, other lists.
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Filters and more images.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Show each image's name under TARGET, HOST[:PORT][/PREFIX].
    #[arg(
        long,
        env = "AIRBUOY_TO",
        value_name = "TARGET",
        help_heading = "Names at the target",
        hide_env = true
    )]
    pub to: Option<String>,
    /// Layout of the names.
    #[command(flatten)]
    pub naming: NamingArgs,
    /// Where --live reads.
    #[command(flatten)]
    pub source: LiveSourceArgs,

    /// Print the list as FORMAT: table, json, yaml or name.
    #[arg(
        short,
        long,
        env = "AIRBUOY_OUTPUT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output",
        hide_possible_values = true,
        hide_env = true
    )]
    pub output: ListFormat,
}
