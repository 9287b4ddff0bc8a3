//! Flags that say which releases are meant, and where their lists come from.

use camino::Utf8PathBuf;

use super::LiveArgs;

/// `--kubernetes-version` where it must be given.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Release")]
pub struct ReleaseArgs {
    /// Kubernetes version: v1.36.1, 1.36.1, or 1.36 for its newest known patch.
    ///
    /// Give it several times where several minors share a mirror.
    #[arg(
        long,
        env = "AIRBUOY_KUBERNETES_VERSION",
        value_name = "VERSION",
        required = true,
        value_delimiter = ',',
        hide_env = true
    )]
    pub kubernetes_version: Vec<String>,
}

/// `--sonobuoy-version`, `--catalog`, `--live`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Release")]
pub struct CatalogArgs {
    /// Sonobuoy version whose images are used; by default the newest known.
    #[arg(
        long,
        env = "AIRBUOY_SONOBUOY_VERSION",
        value_name = "VERSION",
        hide_env = true
    )]
    pub sonobuoy_version: Option<String>,

    /// Read the image lists from DIR instead of the built-in ones.
    #[arg(long, env = "AIRBUOY_CATALOG", value_name = "DIR", hide_env = true)]
    pub catalog: Option<Utf8PathBuf>,

    /// Lists that no catalogue has.
    #[command(flatten)]
    pub live: LiveArgs,
}
