//! Why a [`Registry`](super::Registry) cannot be set up: files and settings of this machine.

use camino::Utf8PathBuf;

/// A setting that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetupError {
    /// A file of `--ca-file`.
    #[error("cannot use the CA file {path}: {why}")]
    CaFile {
        /// Which.
        path: Utf8PathBuf,
        /// Why not.
        why: String,
    },
    /// A client certificate or its key: of `--client-cert` and `--client-key`, or of `certs.d`.
    #[error("cannot use the client certificate {path}: {why}")]
    ClientCertificate {
        /// Which file.
        path: Utf8PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// A credential file that was asked for by name.
    #[error("cannot use the credential file {path}: {why}")]
    AuthFile {
        /// Which.
        path: Utf8PathBuf,
        /// Why not.
        why: String,
    },
    /// A proxy setting; its text is left out, since it may hold a password.
    #[error("{name} is no proxy URL: expected http://[user:password@]host:port")]
    Proxy {
        /// The setting.
        name: &'static str,
    },
    /// The TLS or HTTP library refused its configuration.
    #[error("cannot set up the network client: {0}")]
    Client(String),
}
