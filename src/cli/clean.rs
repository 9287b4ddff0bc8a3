//! `airbuoy clean`.

use clap::builder::BoolishValueParser;

use super::ClusterArgs;

const AFTER_HELP: &str = "\
Examples:
  airbuoy clean
  airbuoy clean --yes --leftovers

Lists what will be deleted and asks. Results that were not retrieved are lost with the run.
Objects of other runs are never touched.";

/// Delete a run from the cluster, after asking.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct CleanArgs {
    /// Do not ask.
    #[arg(
        short,
        long,
        env = "AIRBUOY_YES",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub yes: bool,
    /// Also delete namespaces that aborted tests left.
    #[arg(
        long,
        env = "AIRBUOY_LEFTOVERS",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub leftovers: bool,
    /// Minutes to wait until everything is gone.
    #[arg(
        long,
        env = "AIRBUOY_WAIT",
        value_name = "MINUTES",
        default_value_t = 15,
        hide_env = true
    )]
    pub wait: u64,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
