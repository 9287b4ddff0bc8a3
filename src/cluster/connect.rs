//! From kubeconfig files to a connection that has answered once.

use std::time::Duration;

use camino::Utf8PathBuf;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::error::ClusterError;
use super::proxy::ClusterProxy;
use crate::kube_version::KubeVersion;

/// Where the cluster is and who asks. Nothing here is read from the environment.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The files to merge, the first one wins: `--kubeconfig` alone, or the list of `KUBECONFIG`,
    /// or `~/.kube/config`. Those that are not there are skipped, as kubectl does.
    pub kubeconfig: Vec<Utf8PathBuf>,
    /// Instead of the kubeconfig's current one.
    pub context: Option<String>,
    /// Use the service account of the pod that this program runs in, and no kubeconfig.
    pub in_cluster: bool,
    /// For a server that the kubeconfig names no proxy for.
    pub proxy: ClusterProxy,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            kubeconfig: Vec::new(),
            context: None,
            in_cluster: false,
            proxy: ClusterProxy::default(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// A cluster that has told its version.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) timeout: Duration,
    server: String,
    name: String,
    version: KubeVersion,
}

impl Cluster {
    /// Reads the kubeconfig and asks the cluster for its version.
    pub async fn connect(options: &ClusterOptions) -> Result<Self, ClusterError> {
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (mut config, context) = if options.in_cluster {
            (in_cluster()?, None)
        } else {
            from_files(options).await?
        };
        config.connect_timeout = Some(options.timeout);
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/').to_owned();
        let client = Client::try_from(config)
            .map_err(|e| ClusterError::of(&e, "prepare the connection", &server))?;
        let version = KubeVersion::minor_release(0, 0);
        let mut cluster = Self {
            client,
            timeout: options.timeout,
            name: context.unwrap_or_else(|| server.clone()),
            server,
            version,
        };
        cluster.version = cluster.ask_version().await?;
        Ok(cluster)
    }

    /// What people call it: the context, else the server's URL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The API server's version, a vendor's suffix included.
    pub fn version(&self) -> &KubeVersion {
        &self.version
    }
}

fn in_cluster() -> Result<Config, ClusterError> {
    Config::incluster().map_err(|e| ClusterError::Login {
        reason: format!("--in-cluster outside of a pod with a service account: {e}"),
    })
}

async fn from_files(options: &ClusterOptions) -> Result<(Config, Option<String>), ClusterError> {
    let paths = options.kubeconfig.clone();
    let read = tokio::task::spawn_blocking(move || read_files(&paths));
    let (kubeconfig, file) = read.await.map_err(|e| ClusterError::Kubeconfig {
        file: String::new(),
        reason: e.to_string(),
    })??;
    let known: Vec<String> = kubeconfig.contexts.iter().map(|c| c.name.clone()).collect();
    let context = options
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone());
    if let Some(context) = context.as_ref().filter(|context| !known.contains(context)) {
        return Err(ClusterError::NoContext {
            file,
            context: context.clone(),
            known,
        });
    }
    let explicit_proxy = explicit_proxy(&kubeconfig, context.as_deref());
    let chosen = KubeConfigOptions {
        context: context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &chosen)
        .await
        .map_err(|e| unusable(&file, &e))?;
    if !explicit_proxy {
        set_proxy(&mut config, &options.proxy)?;
    }
    Ok((config, context))
}

/// The files merged, and what to call them.
fn read_files(paths: &[Utf8PathBuf]) -> Result<(Kubeconfig, String), ClusterError> {
    let there: Vec<&Utf8PathBuf> = paths.iter().filter(|path| path.exists()).collect();
    if there.is_empty() {
        return Err(ClusterError::NoKubeconfig {
            tried: paths.to_vec(),
        });
    }
    let names: Vec<&str> = there.iter().map(|path| path.as_str()).collect();
    let mut merged = Kubeconfig::default();
    for path in &there {
        let one = Kubeconfig::read_from(path).map_err(|e| unusable(path.as_str(), &e))?;
        merged = merged.merge(one).map_err(|e| unusable(path.as_str(), &e))?;
    }
    Ok((merged, names.join(", ")))
}

fn unusable(file: &str, error: &KubeconfigError) -> ClusterError {
    let reason = match error {
        KubeconfigError::CurrentContextNotSet => {
            "no context is current; choose one with --context".to_owned()
        }
        KubeconfigError::ReadConfig(source, _) => source.to_string(),
        // The parser's message quotes the text around, and that may be a token.
        KubeconfigError::Parse(_) => {
            "it is no kubeconfig (YAML with clusters, users and contexts)".to_owned()
        }
        other => other.to_string(),
    };
    ClusterError::Kubeconfig {
        file: file.to_owned(),
        reason,
    }
}

/// Whether the kubeconfig itself names a proxy for the context's cluster.
fn explicit_proxy(kubeconfig: &Kubeconfig, context: Option<&str>) -> bool {
    let named = kubeconfig
        .contexts
        .iter()
        .find(|c| Some(c.name.as_str()) == context);
    let cluster = named.and_then(|c| c.context.as_ref()).map(|c| &c.cluster);
    let entry = kubeconfig
        .clusters
        .iter()
        .find(|c| Some(&c.name) == cluster);
    let url = entry.and_then(|c| c.cluster.as_ref()?.proxy_url.as_ref());
    url.is_some_and(|url| !url.is_empty())
}

fn set_proxy(config: &mut Config, proxy: &ClusterProxy) -> Result<(), ClusterError> {
    let url = &config.cluster_url;
    let scheme = url.scheme_str().unwrap_or("https");
    let port = url.port_u16().unwrap_or(443);
    let chosen = proxy.for_server(scheme, url.host().unwrap_or_default(), port);
    config.proxy_url = match chosen {
        None => None,
        // The text may hold a password.
        Some(text) => Some(text.parse().map_err(|_| ClusterError::Proxy)?),
    };
    Ok(())
}
