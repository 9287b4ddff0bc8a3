//! From a parsed command line to an exit code: the one place where errors end.

use super::{
    ExitStatus, bundle_ls, bundle_rm, completions, config, images, man, mirror, pull, push,
    rehearse, results, serve, submission, verify,
};
#[cfg(feature = "cluster")]
use super::{clean, run as run_tests, status};
use crate::cli::{BundleCommand, Cli, Command};
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
    let service = matches!(command, Command::Serve(_));
    start_logging(messages.verbose, service, printer.style());
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
        Command::Pull(args) => pull::run(&args, environment, printer),
        Command::Push(args) => push::run(&args, environment, printer),
        Command::Serve(args) => serve::run(&args, environment, printer),
        Command::Bundle(args) => match args.command {
            BundleCommand::Ls(args) => bundle_ls::run(&args, printer),
            BundleCommand::Rm(args) => bundle_rm::run(&args, printer),
        },
        Command::Verify(args) => verify::run(&args, environment, printer),
        Command::Config(args) => config::run(&args, environment, printer),
        Command::Rehearse(args) => rehearse::run(&args, environment, printer),
        Command::Results(args) => results::run(&args, printer),
        Command::Submission(args) => submission::run(&args, environment, printer),
        #[cfg(feature = "cluster")]
        Command::Run(args) => run_tests::run(&args, environment, printer),
        #[cfg(feature = "cluster")]
        Command::Status(args) => status::run(&args, environment, printer),
        #[cfg(feature = "cluster")]
        Command::Clean(args) => clean::run(&args, environment, printer),
        Command::Completions(args) => completions::run(&args, printer),
        Command::Man => man::run(printer),
    }
}
