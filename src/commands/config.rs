//! `airbuoy config`.

use super::ExitStatus;
use super::config_files::ConfigFiles;
use super::files::{self, NewFile};
use super::live_lists::read_lists;
use super::notices::say_about;
use crate::cli::ConfigArgs;
use crate::settings::{ConfigSettings, Environment, live_source};
use crate::ui::{self, Printer};

pub(super) fn run(
    args: &ConfigArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let ConfigSettings {
        mut placement,
        target,
        nodes,
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
    if let Some(access) = &nodes {
        let dir = out_dir.join("nodes");
        let written = relocation.node_files(access).unwrap_or_default();
        let written: Vec<NewFile> = written
            .into_iter()
            .map(|file| NewFile {
                path: dir.join(file.path),
                text: file.text,
                executable: false,
            })
            .collect();
        files::write_all(&written)?;
        let shown = dir.strip_prefix("./").unwrap_or(&dir);
        printer.say(&format!(
            "Wrote {shown} ({}): on every node copy {shown}/containerd to /etc/containerd, or \
             {shown}/containers to /etc/containers",
            ui::count(written.len(), "file")
        ));
    }
    for line in config.told() {
        printer.say(line);
    }
    Ok(ExitStatus::Done)
}
