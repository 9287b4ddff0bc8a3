//! Settings of `airbuoy images`.

use super::SettingsError;
use super::placement::{Placement, target};
use crate::cli::{ImagesArgs, ListFormat, ReleaseArgs};
use crate::relocate::TargetPrefix;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct ImagesSettings {
    /// Which images.
    pub placement: Placement,
    /// Where they would go.
    pub target: Option<TargetPrefix>,
    /// Form of the list.
    pub output: ListFormat,
}

impl ImagesSettings {
    /// Takes the flags apart.
    pub fn resolve(args: &ImagesArgs) -> Result<Self, SettingsError> {
        let ImagesArgs {
            release: ReleaseArgs { kubernetes_version },
            catalog,
            selection,
            to,
            naming,
            source: _,
            output,
        } = args;
        Ok(Self {
            placement: Placement::resolve(kubernetes_version, catalog, selection, naming)?,
            target: to.as_deref().map(target).transpose()?,
            output: *output,
        })
    }
}
