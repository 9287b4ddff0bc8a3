//! Settings of `airbuoy mirror`.

use camino::Utf8PathBuf;

use super::out_dir::{out_dir, report_file};
use super::placement::{Placement, others, target};
use super::{Access, Environment, SettingsError};
use crate::cli::{
    Format, FormatArgs, MirrorArgs, OutDirArgs, OutputArgs, ReleaseArgs, SourceMirrorArgs,
};
use crate::relocate::TargetPrefix;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct MirrorSettings {
    /// Which images, and their names.
    pub placement: Placement,
    /// The private registry: the config files speak of it.
    pub target: TargetPrefix,
    /// More registries to fill.
    pub also: Vec<TargetPrefix>,
    /// How both sides are reached.
    pub access: Access,
    /// Where the config files go.
    pub out_dir: Utf8PathBuf,
    /// Plan only.
    pub dry_run: bool,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

impl MirrorSettings {
    /// Takes the flags apart; what will be written must be writable, and TARGETs differ.
    pub fn resolve(args: &MirrorArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let MirrorArgs {
            target: to,
            also,
            source_mirror: SourceMirrorArgs { source_mirror },
            release: ReleaseArgs { kubernetes_version },
            catalog,
            selection,
            naming,
            access,
            out_dir: OutDirArgs { out_dir: dir },
            dry_run,
            format:
                FormatArgs {
                    output: OutputArgs { output },
                    report,
                },
        } = args;
        let placement = Placement::resolve(kubernetes_version, catalog, selection, naming)?;
        let first = target(to)?;
        let others = others(also, &first)?;
        let access = Access::resolve(access, source_mirror, environment)?;
        Ok(Self {
            placement,
            target: first,
            also: others,
            access,
            // A dry run writes no config files, so it needs no place for them.
            out_dir: if *dry_run { dir.clone() } else { out_dir(dir)? },
            dry_run: *dry_run,
            output: *output,
            report: report_file(report.as_deref())?,
        })
    }
}
