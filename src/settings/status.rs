//! Settings of `airbuoy status` and `airbuoy clean`.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::out_dir::out_dir;
use super::{ClusterSettings, Environment, SettingsError};
use crate::cli::{CleanArgs, Format, OutDirArgs, OutputArgs, StatusArgs};

/// Resolved settings of `status`.
#[derive(Debug, Clone)]
pub struct StatusSettings {
    /// Which cluster.
    pub cluster: ClusterSettings,
    /// Follow the run.
    pub watch: bool,
    /// Where results go.
    pub out_dir: Utf8PathBuf,
    /// Form of the answer.
    pub output: Format,
}

impl StatusSettings {
    /// Takes the flags apart.
    pub fn resolve(args: &StatusArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let StatusArgs {
            watch,
            cluster,
            out_dir: OutDirArgs { out_dir: dir },
            output: OutputArgs { output },
        } = args;
        Ok(Self {
            cluster: ClusterSettings::resolve(cluster, environment)?,
            watch: *watch,
            out_dir: if *watch { out_dir(dir)? } else { dir.clone() },
            output: *output,
        })
    }
}

/// Resolved settings of `clean`.
#[derive(Debug, Clone)]
pub struct CleanSettings {
    /// Which cluster.
    pub cluster: ClusterSettings,
    /// Do not ask.
    pub yes: bool,
    /// Namespaces of aborted tests too.
    pub leftovers: bool,
    /// How long to wait until everything is gone.
    pub wait: Duration,
}

impl CleanSettings {
    /// Takes the flags apart.
    pub fn resolve(args: &CleanArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let CleanArgs {
            yes,
            leftovers,
            wait,
            cluster,
        } = args;
        Ok(Self {
            cluster: ClusterSettings::resolve(cluster, environment)?,
            yes: *yes,
            leftovers: *leftovers,
            wait: Duration::from_secs(wait.saturating_mul(60)),
        })
    }
}
