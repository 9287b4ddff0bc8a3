//! `airbuoy completions`.

use clap::CommandFactory as _;

use super::ExitStatus;
use crate::cli::{Cli, CompletionsArgs};
use crate::ui::Printer;

pub(super) fn run(args: &CompletionsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let CompletionsArgs { shell } = *args;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "airbuoy", &mut script);
    printer.document_bytes(&script)?;
    Ok(ExitStatus::Done)
}
