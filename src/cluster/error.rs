//! Why the cluster gave no answer, in words that say whose turn it is.

use std::error::Error as StdError;
use std::io;

use camino::Utf8PathBuf;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The cluster could not be asked, or said no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClusterError {
    /// None of the kubeconfig files is there.
    #[error("no kubeconfig: {}", not_there(tried))]
    NoKubeconfig {
        /// Where it was looked for.
        tried: Vec<Utf8PathBuf>,
    },
    /// A kubeconfig cannot be used.
    #[error("kubeconfig {file}: {reason}")]
    Kubeconfig {
        /// One file, or the list that was merged.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The kubeconfig has no such context.
    #[error("kubeconfig {file} has no context `{context}`")]
    NoContext {
        /// One file, or the list that was merged.
        file: String,
        /// As asked for.
        context: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The proxy's URL is none.
    #[error("HTTPS_PROXY is no URL of a proxy")]
    Proxy,
    /// The program that fetches the login failed.
    #[error("the kubeconfig's login cannot be had: {reason}")]
    Login {
        /// Why.
        reason: String,
    },
    /// No connection, or no answer in time.
    #[error("cannot reach the cluster at {server}: {reason}")]
    Unreachable {
        /// Its URL.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server's certificate, or ours, was not accepted.
    #[error("the cluster at {server}: {reason}")]
    Certificate {
        /// Its URL.
        server: String,
        /// What is wrong with which certificate.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// 401: the user is not accepted.
    #[error("the cluster at {server} does not accept the kubeconfig's user (401 Unauthorized)")]
    Unauthorized {
        /// Its URL.
        server: String,
    },
    /// 403: the user may not do this.
    #[error("the cluster does not let you {action}: {message}")]
    Forbidden {
        /// `list nodes`.
        action: String,
        /// The server's words.
        message: String,
    },
    /// Another refusal.
    #[error("the cluster could not {action}: {message} ({code})")]
    Refused {
        /// `list nodes`.
        action: String,
        /// The server's words.
        message: String,
        /// HTTP status.
        code: u16,
    },
    /// The answer cannot be read.
    #[error("cannot make sense of the cluster's answer to `{action}`: {reason}")]
    Answer {
        /// `list nodes`.
        action: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn not_there(tried: &[Utf8PathBuf]) -> String {
    match tried {
        [] => "none was named and there is no home folder to look in".to_owned(),
        [one] => format!("{one} is not there"),
        several => {
            let names: Vec<&str> = several.iter().map(|path| path.as_str()).collect();
            format!("none of {} is there", names.join(", "))
        }
    }
}

impl ClusterError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoKubeconfig { .. } => {
                "name it with --kubeconfig FILE; inside a pod of the cluster use --in-cluster"
            }
            Self::NoContext { known, .. } => {
                return Some(match known.as_slice() {
                    [] => "the kubeconfig holds no context at all".to_owned(),
                    known => format!("it has {}", known.join(", ")),
                });
            }
            Self::Certificate { hint, .. } => hint,
            Self::Unauthorized { .. } => {
                "the token or client certificate may have expired or belong to another cluster: log \
                 in again, or fetch the kubeconfig anew; `kubectl auth whoami` uses the same login"
            }
            Self::Forbidden { .. } => {
                "a conformance run needs cluster-admin; use the kubeconfig of an administrator"
            }
            Self::Unreachable { .. } => {
                "is this the right kubeconfig and context, and does this machine reach that address?"
            }
            Self::Login { .. } => {
                "run `kubectl version` with the same kubeconfig: it starts the same login program"
            }
            Self::Proxy => "write it like http://proxy.example.com:3128",
            Self::Kubeconfig { .. } | Self::Refused { .. } | Self::Answer { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// Whether the user may not do it.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden { .. })
    }

    /// From kube's error while doing `action` at `server`.
    pub(super) fn of(error: &kube::Error, action: &str, server: &str) -> Self {
        if let kube::Error::Api(status) = error {
            return Self::of_status(status, action, server);
        }
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        let mut reason = String::new();
        while let Some(error) = cause {
            if let Some(auth) = error.downcast_ref::<kube::client::AuthError>() {
                return Self::Login {
                    reason: login_failure(auth),
                };
            }
            if let Some(tls) = tls_error(error) {
                return Self::of_tls(tls, server);
            }
            reason = error.to_string();
            cause = error.source();
        }
        match error {
            kube::Error::SerdeError(e) => Self::Answer {
                action: action.to_owned(),
                reason: e.to_string(),
            },
            _ => Self::Unreachable {
                server: server.to_owned(),
                reason,
            },
        }
    }

    fn of_status(status: &kube::core::Status, action: &str, server: &str) -> Self {
        let action = action.to_owned();
        let message = if status.message.is_empty() {
            status.reason.clone()
        } else {
            status.message.clone()
        };
        match status.code {
            401 => Self::Unauthorized {
                server: server.to_owned(),
            },
            403 => Self::Forbidden { action, message },
            code => Self::Refused {
                action,
                message,
                code,
            },
        }
    }

    fn of_tls(error: &TlsError, server: &str) -> Self {
        const KUBECONFIG: &str = "the kubeconfig's certificate-authority does not belong to this server: fetch the kubeconfig anew";
        const CLIENT: &str = "the kubeconfig's client certificate was not accepted: renew it (kubeadm certs renew, or fetch the kubeconfig anew)";
        let (reason, hint) = match error {
            TlsError::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => (
                "its certificate has expired".to_owned(),
                "renew the API server's certificate (kubeadm certs renew apiserver), and look at both clocks",
            ),
            TlsError::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => (
                "its certificate is not valid yet".to_owned(),
                "look at this machine's clock",
            ),
            // The authorities of most clusters share one name, so that another cluster's shows as a
            // signature that does not fit.
            TlsError::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => (
                "its certificate was issued by an authority that the kubeconfig does not trust"
                    .to_owned(),
                KUBECONFIG,
            ),
            TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => (
                "its certificate is for another name".to_owned(),
                "use a name of the server that its certificate holds, or set tls-server-name in the kubeconfig",
            ),
            TlsError::AlertReceived(AlertDescription::CertificateExpired) => {
                ("the client certificate has expired".to_owned(), CLIENT)
            }
            TlsError::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRevoked,
            ) => (error.to_string(), CLIENT),
            other => (format!("no TLS connection: {other}"), KUBECONFIG),
        };
        Self::Certificate {
            server: server.to_owned(),
            reason,
            hint,
        }
    }
}

/// The TLS error itself, or the one wrapped in an I/O error, whose `source` would skip it.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    error.downcast_ref::<TlsError>().or_else(|| {
        let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
        inner
            .downcast_ref::<TlsError>()
            .or_else(|| tls_error_in_io(inner))
    })
}

fn tls_error_in_io<'a>(inner: &'a (dyn StdError + Send + Sync + 'static)) -> Option<&'a TlsError> {
    let nested = inner.downcast_ref::<io::Error>()?.get_ref()?;
    nested.downcast_ref::<TlsError>()
}

/// Without the output of the login program, which holds tokens, and without its arguments, which
/// may.
fn login_failure(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
            let said = last.map_or_else(|| out.status.to_string(), |line| line.trim().to_owned());
            format!("the login program failed: {said}")
        }
        AuthError::AuthExecParse(_) => "the login program's answer is no ExecCredential".to_owned(),
        other => other.to_string(),
    }
}
