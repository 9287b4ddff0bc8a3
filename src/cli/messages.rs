//! Flags of every verb: how much is said on standard error.

use clap::builder::BoolishValueParser;

/// How work in progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// Bars.
    Bars,
    /// One line an image.
    Plain,
    /// One JSON object a line, with `event` and `time`.
    Json,
    /// Nothing.
    None,
}

/// `--progress`, `-q`, `-v`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Messages")]
pub struct MessageArgs {
    /// How to show progress, on standard error.
    #[arg(
        long,
        global = true,
        env = "AIRBUOY_PROGRESS",
        value_name = "HOW",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_env = true,
        help = "Show progress as HOW: auto, bars, plain, json or none"
    )]
    pub progress: ProgressMode,

    /// Print nothing but errors, and what was asked for.
    #[arg(
        short,
        long,
        global = true,
        env = "AIRBUOY_QUIET",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub quiet: bool,

    /// Log what is done; -vv also every request.
    #[arg(
        short,
        long,
        global = true,
        action = clap::ArgAction::Count,
        env = "AIRBUOY_VERBOSE",
        conflicts_with = "quiet",
        hide_env = true
    )]
    pub verbose: u8,
}
