//! The one error of everything that moves content: data first, so that a report, a retry and a
//! person at the terminal each find what they need in it.

use std::fmt;
use std::time::Duration;

use crate::oci::{Reference, Repository, TagOrDigest};

/// What kind of thing went wrong: stable words for reports and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No manifest, blob or repository of that name.
    NotFound,
    /// The registry wants a login, or did not take the one it got.
    Unauthorized,
    /// The login is good and may not do this.
    Denied,
    /// The registry refused to create the repository.
    RepositoryRefused,
    /// The server's certificate is not trusted.
    UnknownAuthority,
    /// No connection: name, route, refused, time-out.
    Unreachable,
    /// The connection broke or stood still in the middle.
    Interrupted,
    /// Too many requests.
    Throttled,
    /// The server failed (5xx).
    ServerError,
    /// Bytes that do not hash to what was announced.
    DigestMismatch,
    /// More or fewer bytes than announced.
    SizeMismatch,
    /// A manifest that cannot be read or that the registry refused.
    ManifestInvalid,
    /// The registry refused a manifest because it misses something the manifest names.
    ManifestBlobUnknown,
    /// A Docker schema 1 manifest.
    Schema1,
    /// Larger than the server, or this program, takes.
    TooLarge,
    /// The server does not offer this.
    Unsupported,
    /// An answer that the protocol does not allow.
    Protocol,
    /// The image has none of the wanted platforms.
    PlatformMissing,
    /// Two sources claim one target name.
    Collision,
    /// What was asked for cannot be done that way.
    Usage,
    /// This machine: disk, permission, a damaged bundle.
    Local,
    /// The run was stopped.
    Cancelled,
}

impl Code {
    /// The stable word, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Denied => "denied",
            Self::RepositoryRefused => "repository_refused",
            Self::UnknownAuthority => "unknown_authority",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::DigestMismatch => "digest_mismatch",
            Self::SizeMismatch => "size_mismatch",
            Self::ManifestInvalid => "manifest_invalid",
            Self::ManifestBlobUnknown => "manifest_blob_unknown",
            Self::Schema1 => "schema1",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Protocol => "protocol",
            Self::PlatformMissing => "platform_missing",
            Self::Collision => "collision",
            Self::Usage => "usage",
            Self::Local => "local",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Whether trying again can help: a value, decided where the failure is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail the same way.
    Never,
    /// After the caller's own back-off.
    Backoff,
    /// Not before this much time has passed: the server said so.
    After(Duration),
}

/// Something failed: what, where, why, and what the person can do.
#[derive(Debug, Clone)]
pub struct Failure(Box<Detail>);

#[derive(Debug, Clone)]
struct Detail {
    code: Code,
    retry: Retry,
    host: String,
    repository: Option<String>,
    reference: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure on `host` (`host[:port]`, or a path for what lies on disk). `message` is a
    /// lower-case fragment without a full stop; host, repository and reference are not repeated
    /// in it.
    pub fn new(code: Code, host: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Detail {
            code,
            retry: Retry::Never,
            host: host.into(),
            repository: None,
            reference: None,
            message: message.into(),
            hint: None,
        }))
    }

    /// In this repository.
    #[must_use]
    pub fn in_repository(mut self, repository: &Repository) -> Self {
        self.0.repository = Some(repository.path().to_owned());
        self
    }

    /// About this manifest or blob.
    #[must_use]
    pub fn about(mut self, reference: &TagOrDigest) -> Self {
        self.0.reference = Some(reference.to_string());
        self
    }

    /// About the manifest of this image reference: repository and tag or digest.
    #[must_use]
    pub fn at(self, reference: &Reference) -> Self {
        self.in_repository(reference.repository())
            .about(reference.reference())
    }

    /// What to do next; a sentence for the person at the terminal.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Whether to try again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// The kind.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Whether trying again can help.
    pub fn retry_class(&self) -> Retry {
        self.0.retry
    }

    /// `host[:port]`.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The repository's path on the host.
    pub fn repository(&self) -> Option<&str> {
        self.0.repository.as_deref()
    }

    /// The tag or digest.
    pub fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// Why, as a fragment.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Failure {
    /// One line: where, then why. The hint is left to who prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.host)?;
        if let Some(repository) = &self.0.repository {
            write!(f, "/{repository}")?;
        }
        if let Some(reference) = &self.0.reference {
            let separator = if reference.contains(':') { '@' } else { ':' };
            write!(f, "{separator}{reference}")?;
        }
        write!(f, ": {}", self.0.message)
    }
}

impl std::error::Error for Failure {}
