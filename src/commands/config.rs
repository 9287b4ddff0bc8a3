//! `airbuoy config`.

use super::config_files::ConfigFiles;
use super::notices::say_about;
use super::{ExitStatus, files};
use crate::cli::ConfigArgs;
use crate::settings::ConfigSettings;
use crate::ui::Printer;

pub(super) fn run(args: &ConfigArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ConfigSettings {
        placement,
        target,
        out_dir,
    } = ConfigSettings::resolve(args)?;
    let relocation = placement.relocation(Some(&target))?;
    say_about(printer, &placement.release, &relocation);
    let config = ConfigFiles::new(&placement.release, &relocation, &out_dir)?;
    files::write_all(config.files())?;
    for line in config.told() {
        printer.say(line);
    }
    Ok(ExitStatus::Done)
}
