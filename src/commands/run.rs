//! From a parsed command line to an exit code: the one place where errors end.

use super::{
    ExitStatus, completions, config, images, man, mirror, rehearse, results, submission, verify,
};
use crate::cli::{Cli, Command};
use crate::settings::{Environment, Messages};
use crate::ui::{Printer, start_logging};

/// Runs the verb. Whatever goes wrong is printed here, once.
pub fn run(cli: Cli) -> ExitStatus {
    run_with(cli, &Environment::of_process())
}

/// Runs the verb in another environment.
pub(super) fn run_with(cli: Cli, environment: &Environment) -> ExitStatus {
    let Cli { command, messages } = cli;
    let messages = Messages::resolve(&messages, environment);
    let printer = Printer::new(&messages);
    start_logging(messages.verbose, printer.style());
    dispatch(command, environment, &printer).unwrap_or_else(|error| {
        printer.error(&error);
        ExitStatus::of_error(&error)
    })
}

fn dispatch(
    command: Command,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Images(args) => images::run(&args, environment, printer),
        Command::Mirror(args) => mirror::run(&args, environment, printer),
        Command::Verify(args) => verify::run(&args, environment, printer),
        Command::Config(args) => config::run(&args, environment, printer),
        Command::Rehearse(args) => rehearse::run(&args, environment, printer),
        Command::Results(args) => results::run(&args, printer),
        Command::Submission(args) => submission::run(&args, environment, printer),
        Command::Completions(args) => completions::run(&args, printer),
        Command::Man => man::run(printer),
    }
}
