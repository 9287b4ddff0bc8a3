//! Settings of `airbuoy run`.

use std::fs;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::out_dir::out_dir;
use super::placement::{Placement, target};
use super::{Access, ClusterSettings, Environment, SettingsError};
use crate::catalog::Catalog;
use crate::cli::{
    CatalogArgs, NamingArgs, OutDirArgs, RunArgs, RunMode, SelectionArgs, SourceMirrorArgs,
};
use crate::kube_version::KubeVersion;
use crate::relocate::TargetPrefix;
use crate::sonobuoy::{Mode, check_passthrough, sonobuoy_config};

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// The private registry.
    pub target: TargetPrefix,
    /// The Kubernetes version that was named.
    pub given: Option<KubeVersion>,
    /// What is known of releases.
    pub catalog: Catalog,
    /// Which cluster.
    pub cluster: ClusterSettings,
    /// How registries are reached.
    pub access: Access,
    /// Mirror first.
    pub mirror: bool,
    /// Do not follow the run.
    pub detach: bool,
    /// Print and write only.
    pub dry_run: bool,
    /// Which tests.
    pub mode: Mode,
    /// Zero for no limit.
    pub timeout: Duration,
    /// `--image-pull-secret`.
    pub pull_secret: Option<String>,
    /// Sonobuoy's own settings file that names it.
    pub sonobuoy_config: Option<String>,
    /// `--e2e-docker-config-file` and its content.
    pub docker_config: Option<(Utf8PathBuf, Vec<u8>)>,
    /// Flags passed on.
    pub passthrough: Vec<String>,
    /// Where files go.
    pub out_dir: Utf8PathBuf,
    /// Flags of the list and the names: they are resolved once the version is known.
    lists: CatalogArgs,
    selection: SelectionArgs,
    naming: NamingArgs,
}

impl RunSettings {
    /// Takes the flags apart and reads the files they name.
    pub fn resolve(args: &RunArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let RunArgs {
            target: to,
            kubernetes_version,
            mirror,
            detach,
            dry_run,
            mode,
            timeout,
            image_pull_secret,
            e2e_docker_config_file,
            cluster,
            catalog,
            selection,
            naming,
            source_mirror: SourceMirrorArgs { source_mirror },
            access,
            out_dir: OutDirArgs { out_dir: dir },
            passthrough,
        } = args;
        let given = kubernetes_version
            .as_deref()
            .map(|text| text.trim().parse::<KubeVersion>());
        let sonobuoy_config = image_pull_secret.as_deref().map(|name| {
            sonobuoy_config(name)
                .map_err(|e| SettingsError::value("--image-pull-secret", name, e.to_string()))
        });
        let docker_config = e2e_docker_config_file.as_ref().map(|path| {
            let content = fs::read(path).map_err(|source| SettingsError::Unreadable {
                flag: "--e2e-docker-config-file",
                path: path.clone(),
                source,
            })?;
            Ok::<_, SettingsError>((path.clone(), content))
        });
        let passthrough = check_passthrough(passthrough)
            .map_err(|e| SettingsError::value("--", &passthrough.join(" "), e.to_string()))?;
        Ok(Self {
            target: target(to)?,
            given: given.transpose()?,
            catalog: match &catalog.catalog {
                Some(dir) => Catalog::from_dir(dir)?,
                None => Catalog::embedded(),
            },
            cluster: ClusterSettings::resolve(cluster, environment)?,
            access: Access::resolve(access, source_mirror, environment)?,
            mirror: *mirror,
            detach: *detach,
            dry_run: *dry_run,
            mode: match mode {
                RunMode::CertifiedConformance => Mode::CertifiedConformance,
                RunMode::Quick => Mode::Quick,
                RunMode::NonDisruptiveConformance => Mode::NonDisruptiveConformance,
            },
            timeout: Duration::from_secs(*timeout),
            pull_secret: image_pull_secret.clone(),
            sonobuoy_config: sonobuoy_config.transpose()?,
            docker_config: docker_config.transpose()?,
            passthrough,
            out_dir: out_dir(dir)?,
            lists: catalog.clone(),
            selection: selection.clone(),
            naming: naming.clone(),
        })
    }

    /// The images of `version`, with those of the sonobuoy release that runs; without one of
    /// `--sonobuoy-version`.
    pub fn placement(
        &self,
        version: &KubeVersion,
        sonobuoy: Option<&str>,
    ) -> Result<Placement, SettingsError> {
        let mut lists = self.lists.clone();
        if let Some(release) = sonobuoy {
            lists.sonobuoy_version = Some(release.to_owned());
        }
        Placement::resolve(
            &[version.to_string()],
            &lists,
            &self.selection,
            &self.naming,
        )
    }
}
