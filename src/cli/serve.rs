//! `airbuoy serve`.

use std::num::NonZeroUsize;

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

const AFTER_HELP: &str = "\
Examples:
  airbuoy serve k8s-1.36.tar
  airbuoy serve k8s-1.36.tar --listen 10.0.0.5:5000 --tls-self-signed
  airbuoy serve k8s-1.36.tar --listen 0.0.0.0:443 --tls-cert reg.crt --tls-key reg.key \\
      --htpasswd users
  airbuoy serve registry --writable --htpasswd users

The bundle is read where it lies and, without --writable, never changed. Ctrl-C or SIGTERM let
requests under way end; SIGHUP reads the htpasswd file and the certificate again and opens the access
log anew. /healthz asks for no login; /metrics is for Prometheus.";

/// Serve a bundle as a registry, where there is none.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct ServeArgs {
    /// The bundle: a directory, NAME.tar or its volumes.
    #[arg(value_name = "BUNDLE")]
    pub bundle: Utf8PathBuf,

    /// Take pushes and deletes too; BUNDLE is a directory, made when there is none.
    ///
    /// What is answered is on the disk. Blobs that no image needs are removed after a day; an image
    /// whose tag has moved on stays until it is deleted by its digest, which bundle ls shows.
    #[arg(
        long,
        env = "AIRBUOY_WRITABLE",
        value_parser = BoolishValueParser::new(),
        conflicts_with = "base",
        hide_env = true
    )]
    pub writable: bool,

    /// Answer at this address; 0.0.0.0 and [::] stand for all of this machine, port 0 for a free
    /// one.
    ///
    /// The default is the port that registries usually have, for this machine alone: what others
    /// can reach should be somebody's decision.
    #[arg(
        long,
        env = "AIRBUOY_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:5000",
        hide_env = true
    )]
    pub listen: String,
    /// Serve all repositories below PREFIX: pause as PREFIX/pause.
    #[arg(long, env = "AIRBUOY_PREFIX", value_name = "PREFIX", hide_env = true)]
    pub prefix: Option<String>,
    /// What BUNDLE, a delta, leaves out; repeatable.
    #[arg(
        long,
        env = "AIRBUOY_BASE",
        value_name = "BUNDLE",
        value_delimiter = ',',
        hide_env = true
    )]
    pub base: Vec<Utf8PathBuf>,

    /// Who may pull, and over what.
    #[command(flatten)]
    pub protection: ProtectionArgs,
    /// What one client may take.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Write a line of JSON for every request to FILE, or with - to standard output.
    #[arg(
        long,
        env = "AIRBUOY_ACCESS_LOG",
        value_name = "FILE",
        help_heading = "Output",
        hide_env = true
    )]
    pub access_log: Option<Utf8PathBuf>,
}

/// TLS and logins of a server.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TLS and logins")]
pub struct ProtectionArgs {
    /// Serve HTTPS with the certificate chain of this PEM file.
    #[arg(
        long,
        env = "AIRBUOY_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key",
        conflicts_with = "tls_self_signed",
        hide_env = true
    )]
    pub tls_cert: Option<Utf8PathBuf>,
    /// The private key that belongs to --tls-cert.
    #[arg(
        long,
        env = "AIRBUOY_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert",
        hide_env = true
    )]
    pub tls_key: Option<Utf8PathBuf>,
    /// Serve HTTPS with a certificate that is made here; nodes trust the file of its authority.
    ///
    /// It is kept and used again, so that nodes need that file once: until it expires, after a
    /// year, or no longer covers the addresses that are listened on.
    #[arg(
        long,
        env = "AIRBUOY_TLS_SELF_SIGNED",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub tls_self_signed: bool,
    /// One more name or address in the certificate of --tls-self-signed; repeatable.
    #[arg(
        long,
        env = "AIRBUOY_TLS_NAME",
        value_name = "HOST",
        value_delimiter = ',',
        requires = "tls_self_signed",
        hide_env = true
    )]
    pub tls_name: Vec<String>,
    /// Keep the certificate of --tls-self-signed in DIR; by default ~/.local/share/airbuoy/tls.
    #[arg(
        long,
        env = "AIRBUOY_TLS_DIR",
        value_name = "DIR",
        requires = "tls_self_signed",
        hide_env = true
    )]
    pub tls_dir: Option<Utf8PathBuf>,
    /// Also write the authority's certificate, for the nodes, to FILE.
    #[arg(
        long,
        env = "AIRBUOY_TLS_CA_OUT",
        value_name = "FILE",
        requires = "tls_self_signed",
        hide_env = true
    )]
    pub tls_ca_out: Option<Utf8PathBuf>,
    /// Ask for a login of this file, as htpasswd -B writes it (bcrypt).
    #[arg(long, env = "AIRBUOY_HTPASSWD", value_name = "FILE", hide_env = true)]
    pub htpasswd: Option<Utf8PathBuf>,
}

/// What one client may take of a server.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Connections at once; further clients wait.
    #[arg(
        long,
        env = "AIRBUOY_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "500",
        hide_env = true
    )]
    pub max_connections: NonZeroUsize,
    /// Refuse a blob of more than so many bytes.
    #[arg(
        long,
        env = "AIRBUOY_MAX_BLOB_SIZE",
        value_name = "SIZE",
        default_value = "16GiB",
        hide_env = true
    )]
    pub max_blob_size: String,
    /// Refuse a request whose head has more than so many bytes.
    #[arg(
        long,
        env = "AIRBUOY_MAX_HEAD_SIZE",
        value_name = "SIZE",
        default_value = "64KiB",
        hide_env = true
    )]
    pub max_head_size: String,
    /// Close a connection that asks nothing for so many seconds.
    #[arg(
        long,
        env = "AIRBUOY_IDLE_TIMEOUT",
        value_name = "SECONDS",
        default_value = "120",
        value_parser = clap::value_parser!(u32).range(1..),
        hide_env = true
    )]
    pub idle_timeout: u32,
    /// Close a connection on which a body moves by less than 64 KiB in so many seconds.
    #[arg(
        long,
        env = "AIRBUOY_STALL_TIMEOUT",
        value_name = "SECONDS",
        default_value = "60",
        value_parser = clap::value_parser!(u32).range(1..),
        hide_env = true
    )]
    pub stall_timeout: u32,
    /// When stopped, let requests under way go on for so many seconds.
    #[arg(
        long,
        env = "AIRBUOY_GRACE",
        value_name = "SECONDS",
        default_value = "5",
        hide_env = true
    )]
    pub grace: u32,
}
