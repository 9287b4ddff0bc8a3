//! `airbuoy bundle rm BUNDLE`.

use super::ExitStatus;
use crate::bundle::remove_versions;
use crate::cli::BundleRmArgs;
use crate::settings::BundleRmSettings;
use crate::ui::{self, Printer};

pub(super) fn run(args: &BundleRmArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = BundleRmSettings::resolve(args)?;
    let removed = remove_versions(&settings.bundle, &settings.versions)?;
    for line in ui::removed(&settings.bundle, &removed) {
        printer.say(&line);
    }
    Ok(ExitStatus::Done)
}
