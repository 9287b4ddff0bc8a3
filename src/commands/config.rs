//! `airbuoy config`.

use super::config_files::ConfigFiles;
use super::live_lists::read_lists;
use super::notices::say_about;
use super::{ExitStatus, files};
use crate::cli::ConfigArgs;
use crate::settings::{ConfigSettings, Environment, live_source};
use crate::ui::Printer;

pub(super) fn run(
    args: &ConfigArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let ConfigSettings {
        mut placement,
        target,
        out_dir,
    } = ConfigSettings::resolve(args)?;
    if !placement.release.unread.is_empty() {
        let source = live_source(&args.source, environment)?;
        let live = &args.catalog.live;
        read_lists(&mut placement.release, &source, live, environment, printer)?;
    }
    let relocation = placement.relocation(Some(&target))?;
    say_about(printer, &placement.release, &relocation);
    let config = ConfigFiles::new(&placement.release, &relocation, &out_dir)?;
    files::write_all(config.files())?;
    for line in config.told() {
        printer.say(line);
    }
    Ok(ExitStatus::Done)
}
