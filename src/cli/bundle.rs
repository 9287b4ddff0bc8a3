//! `airbuoy bundle`: verbs about a bundle alone.

use camino::Utf8PathBuf;

use super::OutputArgs;

/// What to do with a bundle.
#[derive(Debug, Clone, clap::Args)]
pub struct BundleArgs {
    /// The verb.
    #[command(subcommand)]
    pub command: BundleCommand,
}

/// The verbs about a bundle alone.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum BundleCommand {
    /// List what a bundle holds: versions, images, sizes; no network.
    Ls(BundleLsArgs),
    /// Remove Kubernetes versions from a bundle directory.
    Rm(BundleRmArgs),
}

const LS_AFTER_HELP: &str = "\
Examples:
  airbuoy bundle ls k8s-1.36.tar
  airbuoy bundle ls bundles/k8s -o json

OWN are the bytes that only this image needs, SHARED those that others need as well.";

/// List what a bundle holds: versions, images, sizes; no network.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = LS_AFTER_HELP)]
pub struct BundleLsArgs {
    /// The bundle: a directory, NAME.tar or its volumes.
    #[arg(value_name = "BUNDLE")]
    pub bundle: Utf8PathBuf,
    /// Form of the answer.
    #[command(flatten)]
    pub output: OutputArgs,
}

const RM_AFTER_HELP: &str = "\
Examples:
  airbuoy bundle rm bundles/k8s --kubernetes-version v1.34.2

Images that other versions need as well stay. A tar is not changed in place: pull a new one. Killed
half-way, the same command finishes.";

/// Remove Kubernetes versions from a bundle directory.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = RM_AFTER_HELP)]
pub struct BundleRmArgs {
    /// The bundle: a directory that nobody serves or writes.
    #[arg(value_name = "BUNDLE")]
    pub bundle: Utf8PathBuf,
    /// Kubernetes version to remove: v1.34.2, or 1.34 for all its patches; repeatable.
    #[arg(
        long,
        env = "AIRBUOY_KUBERNETES_VERSION",
        value_name = "VERSION",
        required = true,
        value_delimiter = ',',
        hide_env = true
    )]
    pub kubernetes_version: Vec<String>,
}
