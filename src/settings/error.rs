//! What is wrong with what was typed, set or written in a file.

use std::io;
use std::net::SocketAddr;

use camino::Utf8PathBuf;

use super::listen;
use crate::catalog::CatalogError;
use crate::kube_version::InvalidVersion;
use crate::relocate::{InvalidTarget, RelocateError};
use crate::submission::SubmissionError;

/// Bad input, found before anything was contacted.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The text is no Kubernetes version.
    #[error("--kubernetes-version: {0}")]
    Version(#[from] InvalidVersion),
    /// The catalogue has no answer.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The text is no TARGET.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// The text is neither a TARGET nor the path of a bundle.
    #[error("{0}")]
    NoSubject(InvalidTarget),
    /// There is no place for an image, or the repo config cannot be used.
    #[error(transparent)]
    Relocate(#[from] RelocateError),
    /// The product is not described as a submission needs it.
    #[error(transparent)]
    Product(#[from] SubmissionError),
    /// A value of a flag makes no sense.
    #[error("{flag}{}{value}: {reason}", if value.is_empty() { "" } else { " " })]
    Value {
        /// The flag, or the positional argument.
        flag: &'static str,
        /// As typed; empty for a switch.
        value: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A named file is not readable.
    #[error("{flag} {path}: {source}")]
    Unreadable {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A named file does not say what it should.
    #[error("{path}{}: {reason}", line.map_or(String::new(), |l| format!(", line {l}")))]
    Content {
        /// The file.
        path: Utf8PathBuf,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// Nothing says where to keep what is read once.
    #[error("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set")]
    NoCacheDir,
    /// Nothing says where to keep what must outlive a run.
    #[error("there is no folder for a certificate: neither XDG_DATA_HOME nor HOME is set")]
    NoDataDir,
    /// A registry cannot be checked without a list.
    #[error("{target} is no file here, and to check a registry --kubernetes-version is needed")]
    NoVersion {
        /// As typed.
        target: String,
    },
    /// Writing a bundle would lose what lies in its place.
    #[error("{bundle}: {reason}")]
    Occupied {
        /// The bundle.
        bundle: Utf8PathBuf,
        /// What is there.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A bundle does not hold what was asked for.
    #[error("{bundle} does not hold Kubernetes {version}: {held}")]
    NotInBundle {
        /// The bundle.
        bundle: Utf8PathBuf,
        /// What was asked for.
        version: String,
        /// What is in it.
        held: String,
    },
    /// The list of a release is not there yet.
    #[error("the image list of Kubernetes {version} was not read: --live does not work here")]
    Unread {
        /// Which release.
        version: String,
    },
    /// Nothing can be served there.
    #[error("cannot listen on {address}: {}", listen::reason(*address, source))]
    CannotListen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Files cannot be written where they should go.
    #[error("{flag} {path}: cannot write there: {source}")]
    NotWritable {
        /// The flag.
        flag: &'static str,
        /// The directory.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SettingsError {
    pub(super) fn value(flag: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::Value {
            flag,
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotWritable { flag, .. } => Some(format!(
                "give {flag} a place that you may write to; nothing was contacted yet"
            )),
            Self::Catalog(CatalogError::UnknownVersion { .. }) => Some(
                "a newer airbuoy may know it; --live reads the list out of the release's conformance \
                 image; --catalog takes a folder of lists"
                    .to_owned(),
            ),
            Self::CannotListen { address, source } => listen::hint(*address, source),
            Self::NoSubject(_) => Some(
                "if a bundle is meant: no file or directory of that name is here".to_owned(),
            ),
            Self::NoVersion { target } => Some(format!(
                "airbuoy verify {target} --kubernetes-version v1.36.1"
            )),
            Self::Occupied { hint, .. } => Some(hint.clone()),
            Self::NoDataDir => Some("name one with --tls-dir".to_owned()),
            Self::NoCacheDir => Some("name one with --cache-dir".to_owned()),
            Self::Product(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }

    /// Whether this machine is to blame, and not what was typed.
    pub fn is_local(&self) -> bool {
        match self {
            Self::NotWritable { .. } => true,
            // Only a foreign address was typed wrong.
            Self::CannotListen { source, .. } => source.kind() != io::ErrorKind::AddrNotAvailable,
            Self::Unreadable { source, .. } => source.kind() != io::ErrorKind::NotFound,
            Self::Catalog(CatalogError::Unreadable { source, .. }) => {
                source.kind() != io::ErrorKind::NotFound
            }
            Self::Version(_)
            | Self::Catalog(_)
            | Self::Target(_)
            | Self::NoSubject(_)
            | Self::Relocate(_)
            | Self::Product(_)
            | Self::Value { .. }
            | Self::Content { .. }
            | Self::NoCacheDir
            | Self::NoDataDir
            | Self::NoVersion { .. }
            | Self::NotInBundle { .. }
            | Self::Occupied { .. }
            | Self::Unread { .. } => false,
        }
    }
}
