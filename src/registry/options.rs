//! Everything a [`Registry`](super::Registry) is told. The environment was read before, in
//! `settings`: nothing in this room looks at it.

use camino::Utf8PathBuf;

/// Which end of a copy a registry is on: for reports and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Read from.
    Source,
    /// Written to.
    Target,
}

impl Side {
    /// The word, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// How to reach registries and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which end of the copy.
    pub side: Side,
    /// Credential files in the order in which they are asked; the first that has a login wins.
    pub auth_files: Vec<Utf8PathBuf>,
    /// `--authfile` was given: it is the only file, and it must exist.
    pub auth_file_explicit: bool,
    /// Where `docker-credential-NAME` programs are looked for: the entries of `PATH`.
    pub helper_path: Vec<Utf8PathBuf>,
    /// PEM files whose certificates are trusted besides the system's: `--ca-file`.
    pub ca_files: Vec<Utf8PathBuf>,
    /// Roots of `certs.d` folders; the first that has a folder for the host counts.
    pub certs_dirs: Vec<Utf8PathBuf>,
    /// Shown to the hosts that references name, when they ask for it: `--client-cert` and
    /// `--client-key`. No other host gets it, whatever it redirects or is redirected to.
    pub client_certificate: Option<ClientCertificate>,
    /// Talk plain HTTP: `--plain-http`. On the source side a mirror written with `http://` is
    /// plain without it.
    pub plain_http: bool,
    /// Trust any certificate: `--insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// Proxies, as the environment names them.
    pub proxies: Proxies,
    /// Where to fetch instead: `--source-mirror`. Only used on the source side.
    pub source_mirrors: Vec<SourceMirror>,
    /// Small requests that one host gets at once.
    pub requests_per_host: usize,
    /// A body that brings no byte for this long is given up and resumed.
    pub idle_timeout: std::time::Duration,
    /// The first back-off; doubled at every attempt.
    pub first_backoff: std::time::Duration,
    /// How often a request is tried in all.
    pub attempts: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            side: Side::Source,
            auth_files: Vec::new(),
            auth_file_explicit: false,
            helper_path: Vec::new(),
            ca_files: Vec::new(),
            certs_dirs: Vec::new(),
            client_certificate: None,
            plain_http: false,
            insecure_skip_tls_verify: false,
            proxies: Proxies::default(),
            source_mirrors: Vec::new(),
            // Enough to hide an 80 ms round trip behind 40 images, few enough for one Harbor.
            requests_per_host: 32,
            idle_timeout: std::time::Duration::from_secs(30),
            first_backoff: std::time::Duration::from_millis(200),
            attempts: 5,
        }
    }
}

/// Files of a client certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and after it what it was issued by.
    pub certificate: Utf8PathBuf,
    /// Its key, not encrypted; none when the certificate's file holds it too.
    pub key: Option<Utf8PathBuf>,
}

/// `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For plain HTTP.
    pub http: Option<String>,
    /// For HTTPS.
    pub https: Option<String>,
    /// Hosts reached directly, comma-separated.
    pub no_proxy: Option<String>,
}

/// What is named `HOST/x` is fetched as `MIRROR_HOST/PREFIX/x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMirror {
    /// The host in image references; `docker.io` for Docker Hub.
    pub host: String,
    /// Talk plain HTTP to the mirror.
    pub plain_http: bool,
    /// The mirror's `host[:port]`.
    pub mirror_host: String,
    /// The path under which it keeps this host's repositories; empty for none.
    pub prefix: String,
}
