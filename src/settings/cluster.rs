//! Which cluster, and which sonobuoy.

use camino::Utf8PathBuf;

use super::{Environment, SettingsError};
use crate::cli::ClusterArgs;
use crate::cluster::{ClusterOptions, ClusterProxy};
use crate::sonobuoy::{Access, check_namespace};

/// Resolved cluster flags: the same cluster for our own reads and for sonobuoy.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// For our own reads.
    pub options: ClusterOptions,
    /// For sonobuoy.
    pub access: Access,
    /// The run's namespace.
    pub namespace: String,
    /// `--sonobuoy`.
    pub sonobuoy: Option<Utf8PathBuf>,
    /// Where else sonobuoy is looked for.
    pub search_path: Vec<Utf8PathBuf>,
}

impl ClusterSettings {
    /// Takes the flags apart. `--kubeconfig` is the only file; else every file of `KUBECONFIG`,
    /// else `~/.kube/config`, as kubectl does.
    pub fn resolve(args: &ClusterArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let ClusterArgs {
            kubeconfig,
            context,
            in_cluster,
            namespace,
            sonobuoy,
        } = args;
        check_namespace(namespace)
            .map_err(|error| SettingsError::value("--namespace", namespace, error.to_string()))?;
        let files = match kubeconfig {
            Some(file) => vec![file.clone()],
            None => environment.paths("KUBECONFIG").unwrap_or_else(|| {
                let home = environment.home();
                home.map(|home| home.join(".kube/config"))
                    .into_iter()
                    .collect()
            }),
        };
        let proxy = ClusterProxy {
            https: environment
                .first(&["HTTPS_PROXY", "https_proxy"])
                .map(str::to_owned),
            no_proxy: environment
                .first(&["NO_PROXY", "no_proxy"])
                .map(str::to_owned),
        };
        Ok(Self {
            access: Access {
                kubeconfig: if *in_cluster {
                    Vec::new()
                } else {
                    files.clone()
                },
                context: context.clone(),
                in_cluster: *in_cluster,
            },
            options: ClusterOptions {
                kubeconfig: files,
                context: context.clone(),
                in_cluster: *in_cluster,
                proxy,
                ..ClusterOptions::default()
            },
            namespace: namespace.clone(),
            sonobuoy: sonobuoy.clone(),
            search_path: environment.search_path(),
        })
    }
}
