//! Settings of `airbuoy config`.

use camino::Utf8PathBuf;

use super::SettingsError;
use super::out_dir::out_dir;
use super::placement::{Placement, target};
use crate::cli::{ConfigArgs, OutDirArgs, ReleaseArgs};
use crate::relocate::TargetPrefix;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct ConfigSettings {
    /// Which images, and their names.
    pub placement: Placement,
    /// The private registry.
    pub target: TargetPrefix,
    /// Where the files go.
    pub out_dir: Utf8PathBuf,
}

impl ConfigSettings {
    /// Takes the flags apart; the directory must be writable.
    pub fn resolve(args: &ConfigArgs) -> Result<Self, SettingsError> {
        let ConfigArgs {
            target: to,
            release: ReleaseArgs { kubernetes_version },
            catalog,
            selection,
            naming,
            source: _,
            out_dir: OutDirArgs { out_dir: dir },
        } = args;
        Ok(Self {
            placement: Placement::resolve(kubernetes_version, catalog, selection, naming)?,
            target: target(to)?,
            out_dir: out_dir(dir)?,
        })
    }
}
