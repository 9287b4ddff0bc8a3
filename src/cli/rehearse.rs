//! `airbuoy rehearse`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{AccessArgs, CatalogArgs, FormatArgs, LiveMirrorArgs, NamingArgs, SelectionArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy rehearse
  airbuoy rehearse registry.example.com/k8s --kubernetes-version v1.36.1
  airbuoy rehearse --via-bundle

In your registry the real repositories are used, but only tags that end in -airbuoy-rehearsal;
they are removed afterwards as far as the registry allows. No real tag is ever written.";

/// Walk the whole path with small stand-in images, before 10 GB do.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct RehearseArgs {
    /// The private registry, HOST[:PORT][/PREFIX]; an embedded one if left out.
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,

    /// Go the way of an air gap: pull into a bundle, check it, push it.
    #[arg(
        long,
        env = "AIRBUOY_VIA_BUNDLE",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub via_bundle: bool,

    /// Kubernetes version: v1.36.1, 1.36.1, or 1.36; by default the newest known. Repeatable.
    #[arg(
        long,
        env = "AIRBUOY_KUBERNETES_VERSION",
        value_name = "VERSION",
        value_delimiter = ',',
        help_heading = "Release",
        hide_env = true
    )]
    pub kubernetes_version: Vec<String>,
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
    pub source: LiveMirrorArgs,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Also write the config files to DIR.
    #[arg(
        long,
        env = "AIRBUOY_OUT_DIR",
        value_name = "DIR",
        help_heading = "Output",
        hide_env = true
    )]
    pub out_dir: Option<Utf8PathBuf>,
    /// Form of the answer.
    #[command(flatten)]
    pub format: FormatArgs,
}
