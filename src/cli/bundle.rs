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
