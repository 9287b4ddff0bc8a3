//! Flags that say how registries are reached, and as whom.

use std::num::NonZeroUsize;

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

const AUTHFILE_HELP: &str = "\
Read logins from FILE alone, as docker login writes it.

Without it: $REGISTRY_AUTH_FILE alone, or $DOCKER_CONFIG/config.json, ~/.docker/config.json and \
podman's auth.json, in this order.";

/// Login, TLS and concurrency.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Registries")]
pub struct AccessArgs {
    /// Read logins from FILE alone, as docker login writes it.
    #[arg(long, long_help = AUTHFILE_HELP, env = "AIRBUOY_AUTHFILE", value_name = "FILE", hide_env = true)]
    pub authfile: Option<Utf8PathBuf>,

    /// Also trust the certificates of this PEM file; repeatable.
    ///
    /// Folders like /etc/docker/certs.d/HOST:PORT are read without it.
    #[arg(
        long,
        env = "AIRBUOY_CA_FILE",
        value_name = "FILE",
        value_delimiter = ',',
        hide_env = true
    )]
    pub ca_file: Vec<Utf8PathBuf>,

    /// Talk plain HTTP to TARGET.
    #[arg(
        long,
        env = "AIRBUOY_PLAIN_HTTP",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub plain_http: bool,

    /// Trust any certificate of TARGET and of source mirrors.
    #[arg(
        long,
        env = "AIRBUOY_INSECURE_SKIP_TLS_VERIFY",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub insecure_skip_tls_verify: bool,

    /// Blobs on the way at once.
    #[arg(
        long,
        env = "AIRBUOY_JOBS",
        value_name = "N",
        default_value = "8",
        hide_env = true
    )]
    pub jobs: NonZeroUsize,
}

/// Login, TLS and concurrency where only sources are contacted.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Registries")]
pub struct SourceAccessArgs {
    /// Read logins from FILE alone, as docker login writes it.
    #[arg(long, long_help = AUTHFILE_HELP, env = "AIRBUOY_AUTHFILE", value_name = "FILE", hide_env = true)]
    pub authfile: Option<Utf8PathBuf>,

    /// Also trust the certificates of this PEM file; repeatable.
    ///
    /// Folders like /etc/docker/certs.d/HOST:PORT are read without it.
    #[arg(
        long,
        env = "AIRBUOY_CA_FILE",
        value_name = "FILE",
        value_delimiter = ',',
        hide_env = true
    )]
    pub ca_file: Vec<Utf8PathBuf>,

    /// Trust any certificate of source mirrors.
    #[arg(
        long,
        env = "AIRBUOY_INSECURE_SKIP_TLS_VERIFY",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub insecure_skip_tls_verify: bool,

    /// Blobs on the way at once.
    #[arg(
        long,
        env = "AIRBUOY_JOBS",
        value_name = "N",
        default_value = "8",
        hide_env = true
    )]
    pub jobs: NonZeroUsize,
}

/// `--source-mirror`.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Registries")]
pub struct SourceMirrorArgs {
    /// Fetch what is named HOST/x as HOST2/PREFIX/x; http:// before HOST2 for plain HTTP.
    ///
    /// Docker Hub is docker.io. There is no fall-back to upstream. Repeatable.
    #[arg(
        long,
        env = "AIRBUOY_SOURCE_MIRROR",
        value_name = "HOST=HOST2[/PREFIX]",
        value_delimiter = ',',
        hide_env = true
    )]
    pub source_mirror: Vec<String>,
}
