//! Settings of `airbuoy bundle rm`.

use camino::Utf8PathBuf;

use super::SettingsError;
use crate::cli::BundleRmArgs;
use crate::kube_version::KubeVersion;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct BundleRmSettings {
    /// Where the bundle lies.
    pub bundle: Utf8PathBuf,
    /// What goes, as named: a minor stands for its patches.
    pub versions: Vec<KubeVersion>,
}

impl BundleRmSettings {
    /// Takes the flags apart.
    pub fn resolve(args: &BundleRmArgs) -> Result<Self, SettingsError> {
        let BundleRmArgs {
            bundle,
            kubernetes_version,
        } = args;
        let mut versions = Vec::new();
        for text in kubernetes_version {
            let version = text.trim().parse::<KubeVersion>()?;
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        Ok(Self {
            bundle: bundle.clone(),
            versions,
        })
    }
}
