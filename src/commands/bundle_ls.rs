//! `airbuoy bundle ls BUNDLE`.

use super::ExitStatus;
use crate::bundle::Bundle;
use crate::cli::{BundleLsArgs, Format};
use crate::settings::BundleLsSettings;
use crate::ui::{self, Printer};

pub(super) fn run(args: &BundleLsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = BundleLsSettings::resolve(args);
    let bundle = Bundle::open(&settings.bundle)?;
    let contents = bundle.contents();
    match settings.output {
        Format::Json => {
            printer.document(&(serde_json::to_string_pretty(&contents)? + "\n"))?;
        }
        Format::Table => {
            printer.document(&ui::contents_table(&contents))?;
            for line in ui::contents_summary(bundle.path(), &contents) {
                printer.say(&line);
            }
        }
    }
    let faults = bundle.check();
    if faults.is_empty() {
        return Ok(ExitStatus::Done);
    }
    printer.errors(&ui::faults(bundle.path(), &faults, printer.style()));
    Ok(ExitStatus::Local)
}
