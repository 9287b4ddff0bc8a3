//! `airbuoy status`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{ClusterArgs, Format};

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

    /// Write the results to DIR.
    #[arg(
        long,
        env = "AIRBUOY_OUT_DIR",
        value_name = "DIR",
        default_value = ".",
        help_heading = "Output",
        hide_env = true
    )]
    pub out_dir: Utf8PathBuf,
    /// Print the status as FORMAT: table or json.
    #[arg(
        short,
        long,
        env = "AIRBUOY_OUTPUT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output",
        hide_possible_values = true,
        hide_env = true
    )]
    pub output: Format,
}
