//! `airbuoy mirror`.

use clap::builder::BoolishValueParser;

use super::{
    AccessArgs, CatalogArgs, FormatArgs, NamingArgs, OutDirArgs, ReleaseArgs, SelectionArgs,
    SourceMirrorArgs,
};

const AFTER_HELP: &str = "\
Examples:
  airbuoy mirror registry.example.com/k8s --kubernetes-version v1.36.1
  airbuoy mirror registry.example.com/k8s --kubernetes-version 1.35 --kubernetes-version 1.36
  airbuoy mirror 10.0.0.5:5000 --kubernetes-version v1.36.1 --conformance-only --plain-http
  airbuoy mirror registry.example.com/k8s --kubernetes-version v1.36.1 \\
      --source-mirror docker.io=proxy.example.com/dockerhub

Nothing is kept on disk: a run that was cut short goes on where the target stands when the same
command runs again. The config files are written only when every image is in place.";

/// Copy the images into a private registry, then write the config files.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct MirrorArgs {
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
    /// One more registry to fill in the same run; each blob is read once. Repeatable.
    #[arg(
        long,
        env = "AIRBUOY_ALSO",
        value_name = "TARGET",
        value_delimiter = ',',
        help_heading = "Registries",
        hide_env = true
    )]
    pub also: Vec<String>,

    /// Places to fetch from instead.
    #[command(flatten)]
    pub source_mirror: SourceMirrorArgs,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,
    /// Show what would be copied, with sizes; write nothing.
    #[arg(
        long,
        env = "AIRBUOY_DRY_RUN",
        value_parser = BoolishValueParser::new(),
        help_heading = "Output",
        hide_env = true
    )]
    pub dry_run: bool,
    /// Form of the answer.
    #[command(flatten)]
    pub format: FormatArgs,
}
