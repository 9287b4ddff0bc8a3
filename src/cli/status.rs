//! `airbuoy status`.

use clap::builder::BoolishValueParser;

use super::{ClusterArgs, OutDirArgs, OutputArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy status
  airbuoy status --watch
  airbuoy status -o json

With --watch: follows the run to its end, retrieves the results and judges them, as run does.";

/// Say how far a run is; --watch follows it to its end.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct StatusArgs {
    /// Follow the run to its end, then retrieve and judge its results.
    #[arg(
        short,
        long,
        env = "AIRBUOY_WATCH",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub watch: bool,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,
    /// Form of the answer.
    #[command(flatten)]
    pub output: OutputArgs,
}
