//! Settings of `airbuoy verify`.

use camino::Utf8PathBuf;

use super::expected::{Expected, expected};
use super::out_dir::report_file;
use super::placement::{Placement, target};
use super::{Access, Environment, SettingsError};
use crate::cli::{Format, FormatArgs, LiveMirrorArgs, OutputArgs, ReleaseArgs, VerifyArgs};
use crate::relocate::TargetPrefix;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct VerifySettings {
    /// Which images, and their names.
    pub placement: Placement,
    /// The private registry.
    pub target: TargetPrefix,
    /// How it is reached.
    pub access: Access,
    /// Read and hash every blob.
    pub deep: bool,
    /// What an earlier run reported.
    pub expected: Option<Expected>,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

impl VerifySettings {
    /// Takes the flags apart and reads the report to compare with.
    pub fn resolve(args: &VerifyArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let VerifyArgs {
            target: to,
            deep,
            against,
            release: ReleaseArgs { kubernetes_version },
            catalog,
            selection,
            naming,
            source: LiveMirrorArgs { source_mirror },
            access,
            format:
                FormatArgs {
                    output: OutputArgs { output },
                    report,
                },
        } = args;
        Ok(Self {
            placement: Placement::resolve(kubernetes_version, catalog, selection, naming)?,
            target: target(to)?,
            access: Access::resolve(access, source_mirror, environment)?,
            deep: *deep,
            expected: against.as_deref().map(expected).transpose()?,
            output: *output,
            report: report_file(report.as_deref())?,
        })
    }
}
