//! `airbuoy verify`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{
    AccessArgs, CatalogArgs, FormatArgs, LiveMirrorArgs, NamingArgs, ReleaseArgs, SelectionArgs,
};

const AFTER_HELP: &str = "\
Examples:
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1 --deep
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1 --against report.json

Exit code 1 and a list when something is missing or not sound.";

/// Check that a private registry holds everything, sound.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// The private registry, HOST[:PORT][/PREFIX].
    #[arg(value_name = "TARGET")]
    pub target: String,

    /// Also read and hash every blob.
    #[arg(
        long,
        env = "AIRBUOY_DEEP",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub deep: bool,
    /// Compare digests with this JSON report of mirror.
    #[arg(long, env = "AIRBUOY_AGAINST", value_name = "FILE", hide_env = true)]
    pub against: Option<Utf8PathBuf>,

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
    pub source: LiveMirrorArgs,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Form of the answer.
    #[command(flatten)]
    pub format: FormatArgs,
}
