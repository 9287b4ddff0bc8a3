//! The command line of this process, with its variables.

use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;

/// Parses the process's arguments and `AIRBUOY_…` variables; ends the process with a usage error, or
/// after `--help`. A variable that is set to nothing counts as not set, as everywhere else here:
/// that is how scripts and CI systems turn one off.
pub fn command_line() -> Cli {
    let matches = without_empty_variables(Cli::command()).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn without_empty_variables(command: Command) -> Command {
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(None) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

fn is_empty(arg: &Arg) -> bool {
    let value = arg.get_env().and_then(std::env::var_os);
    value.is_some_and(|value| value.is_empty())
}
