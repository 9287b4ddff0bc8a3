//! `airbuoy images`.

use std::collections::HashSet;

use super::ExitStatus;
use super::live_lists::read_lists;
use super::notices::say_about;
use crate::cli::{ImagesArgs, ListFormat};
use crate::relocate::Row;
use crate::settings::{Environment, ImagesSettings, live_source};
use crate::ui::{Printer, images_summary, images_table};

pub(super) fn run(
    args: &ImagesArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let ImagesSettings {
        mut placement,
        target,
        output,
    } = ImagesSettings::resolve(args)?;
    if !placement.release.unread.is_empty() {
        let source = live_source(&args.source, environment)?;
        let live = &args.catalog.live;
        read_lists(&mut placement.release, &source, live, environment, printer)?;
    }
    let relocation = placement.relocation(target.as_ref())?;
    let rows = relocation.rows();
    printer.document(&match output {
        ListFormat::Table => images_table(rows),
        ListFormat::Json => serde_json::to_string_pretty(rows)? + "\n",
        ListFormat::Yaml => serde_yaml::to_string(rows)?,
        ListFormat::Name => names(rows),
    })?;
    say_about(printer, &placement.release, &relocation);
    if output == ListFormat::Table {
        for line in images_summary(rows) {
            printer.say(&line);
        }
    }
    Ok(ExitStatus::Done)
}

/// One source a line, each once, without what is skipped.
fn names(rows: &[Row]) -> String {
    let mut seen = HashSet::new();
    let listed = rows.iter().filter(|row| row.skipped.is_none());
    listed
        .filter(|row| seen.insert(&row.listed))
        .flat_map(|row| [row.listed.as_str(), "\n"])
        .collect()
}
