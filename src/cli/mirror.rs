//! `airbuoy mirror`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{AccessArgs, CatalogArgs, FormatArgs, NamingArgs, ReleaseArgs, SelectionArgs};

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

    /// Fetch what is named HOST/x as HOST2/PREFIX/x; http:// before HOST2 for plain HTTP.
    ///
    /// Docker Hub is docker.io. There is no fall-back to upstream. Repeatable.
    #[arg(
        long,
        env = "AIRBUOY_SOURCE_MIRROR",
        value_name = "HOST=HOST2[/PREFIX]",
        value_delimiter = ',',
        help_heading = "Registries",
        hide_env = true
    )]
    pub source_mirror: Vec<String>,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Write the config files to DIR; several versions get a folder each.
    #[arg(
        long,
        env = "AIRBUOY_OUT_DIR",
        value_name = "DIR",
        default_value = ".",
        help_heading = "Output",
        hide_env = true
    )]
    pub out_dir: Utf8PathBuf,
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
