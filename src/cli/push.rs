//! `airbuoy push`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{AccessArgs, FormatArgs, NamingArgs, OutDirArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy push k8s-1.36.tar registry.example.com/k8s
  airbuoy push k8s.tar 10.0.0.5:5000 --plain-http --kubernetes-version v1.36.1
  airbuoy push k8s.tar registry.example.com/k8s --verify-first

The bundle is read where it lies; nothing is unpacked, and only TARGET is contacted. A layout of
another tool works as well: its images keep their names, and there are no config files.";

/// Bring a bundle into a private registry, then write the config files.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct PushArgs {
    /// The bundle: a directory, NAME.tar or its volumes.
    #[arg(value_name = "BUNDLE")]
    pub bundle: Utf8PathBuf,
    /// The private registry, HOST[:PORT][/PREFIX].
    #[arg(value_name = "TARGET")]
    pub target: String,

    /// Read and hash the whole bundle before the first request.
    #[arg(
        long,
        env = "AIRBUOY_VERIFY_FIRST",
        value_parser = BoolishValueParser::new(),
        help_heading = "Bundle",
        hide_env = true
    )]
    pub verify_first: bool,
    /// Only this Kubernetes version of the bundle; by default all of them. Repeatable.
    #[arg(
        long,
        env = "AIRBUOY_KUBERNETES_VERSION",
        value_name = "VERSION",
        value_delimiter = ',',
        help_heading = "Bundle",
        hide_env = true
    )]
    pub kubernetes_version: Vec<String>,
    /// Only images that match GLOB, such as agnhost* or registry.k8s.io/sig-storage/*; repeatable.
    ///
    /// Compared with the upstream name and with its last part, each with and without the tag.
    #[arg(
        long,
        env = "AIRBUOY_INCLUDE",
        value_name = "GLOB",
        help_heading = "Bundle",
        hide_env = true
    )]
    pub include: Vec<String>,
    /// No image that matches GLOB; repeatable, wins over --include.
    #[arg(
        long,
        env = "AIRBUOY_EXCLUDE",
        value_name = "GLOB",
        help_heading = "Bundle",
        hide_env = true
    )]
    pub exclude: Vec<String>,

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
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,
    /// Show what would be sent, with sizes; write nothing.
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
