//! `airbuoy verify`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{AccessArgs, CatalogArgs, FormatArgs, NamingArgs, SelectionArgs, SourceMirrorArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1 --deep
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1 --against report.json
  airbuoy verify registry.example.com/k8s --kubernetes-version v1.36.1 --inventory k8s.inventory
  airbuoy verify k8s-1.36.tar
  airbuoy verify k8s-1.36.tar --repair

A path that exists, or that ends in .tar or .volumes, is a bundle: it needs no version, and every
byte of it is read. Exit code 1 and a list when something is missing or not sound.";

/// Check that a private registry, or a bundle, holds everything, sound.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// The private registry, HOST[:PORT][/PREFIX], or the bundle: a directory or NAME.tar.
    #[arg(value_name = "TARGET|BUNDLE")]
    pub target: String,

    /// Of a registry, also read and hash every blob.
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
    /// Of a sound registry, write which blobs it holds to FILE: a base for pull.
    #[arg(long, env = "AIRBUOY_INVENTORY", value_name = "FILE", hide_env = true)]
    pub inventory: Option<Utf8PathBuf>,
    /// Of a bundle, fetch what is damaged from upstream again.
    #[arg(
        long,
        env = "AIRBUOY_REPAIR",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub repair: bool,

    /// Kubernetes version: v1.36.1, 1.36.1, or 1.36; needed for a registry. Repeatable.
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
    /// Where --live and --repair read.
    #[command(flatten)]
    pub source: SourceMirrorArgs,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Form of the answer.
    #[command(flatten)]
    pub format: FormatArgs,
}
