//! Settings of `airbuoy rehearse`.

use camino::Utf8PathBuf;

use super::out_dir::{out_dir, report_file};
use super::placement::{Placement, target};
use super::{Access, Environment, SettingsError};
use crate::cli::{Format, FormatArgs, LiveMirrorArgs, OutputArgs, RehearseArgs};
use crate::relocate::TargetPrefix;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct RehearseSettings {
    /// Which images, and their names.
    pub placement: Placement,
    /// The private registry; none for an embedded one.
    pub target: Option<TargetPrefix>,
    /// Go over a bundle.
    pub via_bundle: bool,
    /// How it is reached.
    pub access: Access,
    /// Where the config files go, when they are wanted.
    pub out_dir: Option<Utf8PathBuf>,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

impl RehearseSettings {
    /// Takes the flags apart; what will be written must be writable.
    pub fn resolve(args: &RehearseArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let RehearseArgs {
            target: to,
            via_bundle,
            kubernetes_version,
            catalog,
            selection,
            naming,
            source: LiveMirrorArgs { source_mirror },
            access,
            out_dir: dir,
            format:
                FormatArgs {
                    output: OutputArgs { output },
                    report,
                },
        } = args;
        if let (None, Some(path)) = (to, &naming.e2e_repo_config) {
            // Its prefixes lie in a registry of the user's, and that was not asked to be touched.
            let reason = "it names a registry of yours: give TARGET as well";
            return Err(SettingsError::value(
                "--e2e-repo-config",
                path.as_str(),
                reason,
            ));
        }
        Ok(Self {
            placement: Placement::resolve(kubernetes_version, catalog, selection, naming)?,
            target: to.as_deref().map(target).transpose()?,
            via_bundle: *via_bundle,
            access: Access::resolve(access, source_mirror, environment)?,
            out_dir: dir.as_deref().map(out_dir).transpose()?,
            output: *output,
            report: report_file(report.as_deref())?,
        })
    }
}
