//! Why a bundle cannot be read or written.

use std::io;

use camino::Utf8PathBuf;

use super::tar_fault::TarFault;
use crate::content::{Code, Failure};
use crate::oci::Digest;

/// Something about a bundle is wrong. Each says which file, and what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The disk.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// Which file or folder.
        path: Utf8PathBuf,
        /// What was tried, as a verb: `open`, `write`.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// `airbuoy.json`.
    #[error("{bundle}: its airbuoy.json cannot be used: {reason}")]
    Record {
        /// The bundle.
        bundle: String,
        /// Why.
        reason: String,
    },
    /// `index.json`.
    #[error("{bundle}: its index.json cannot be used: {reason}")]
    Index {
        /// The bundle.
        bundle: String,
        /// Why.
        reason: String,
    },
    /// `NAME.tar.volumes`.
    #[error("{path}: the list of volumes cannot be used: {reason}")]
    Volumes {
        /// The list.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// The tar that holds it, or the one that its volumes make.
    #[error("{bundle}: {fault}{}", in_volume(volume.as_ref()))]
    Tar {
        /// The bundle.
        bundle: Utf8PathBuf,
        /// The volume in which the fault lies, when there are several.
        volume: Option<Utf8PathBuf>,
        /// What is wrong with it.
        fault: TarFault,
    },
    /// The bundle's structure: what it is made of is not what it should be.
    #[error("{bundle}: {reason}")]
    Structure {
        /// The bundle.
        bundle: Utf8PathBuf,
        /// Why.
        reason: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// What was asked for cannot be done with what is there, or with nothing: nothing is damaged,
    /// and another path or flag is needed.
    #[error("{bundle}: {reason}")]
    Refused {
        /// The path, as typed.
        bundle: Utf8PathBuf,
        /// Why.
        reason: String,
        /// What to do next.
        hint: String,
    },
    /// Someone else writes it.
    #[error("{bundle}: another airbuoy is writing this bundle, or serves it")]
    Locked {
        /// The bundle.
        bundle: Utf8PathBuf,
    },
    /// The disk is too small.
    #[error("{path}: the bundle needs {needed} bytes more and the disk has {free} bytes free")]
    Space {
        /// The folder it goes to.
        path: Utf8PathBuf,
        /// Bytes still to be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A blob or manifest is not in the bundle.
    #[error("{bundle}: {digest} is not in the bundle")]
    Missing {
        /// The bundle.
        bundle: Utf8PathBuf,
        /// What is looked for.
        digest: Digest,
    },
}

impl BundleError {
    /// An error of the disk.
    pub(super) fn io(
        path: impl Into<Utf8PathBuf>,
        action: &'static str,
        source: io::Error,
    ) -> Self {
        Self::Io {
            path: path.into(),
            action,
            source,
        }
    }

    /// What was asked for does not fit what is there.
    pub(super) fn refused(
        bundle: impl Into<Utf8PathBuf>,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Refused {
            bundle: bundle.into(),
            reason: reason.into(),
            hint: hint.into(),
        }
    }

    /// Nothing of that name is there to be read.
    pub(super) fn absent(bundle: impl Into<Utf8PathBuf>) -> Self {
        let bundle = bundle.into();
        let hint = "check the path; `airbuoy pull` writes bundles";
        if bundle.as_str().is_empty() {
            return Self::refused("''", "the path of a bundle is needed", hint);
        }
        let reason = "there is no bundle here: no such file or directory";
        Self::refused(bundle, reason, hint)
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => {
                    Some("make room and run the same command again: what is written is kept".into())
                }
                io::ErrorKind::FileTooLarge => Some(
                    "this file system takes no file of that size: cut the bundle with --split-size 4G"
                        .into(),
                ),
                io::ErrorKind::ReadOnlyFilesystem => {
                    Some("the disk is mounted read-only: write the bundle somewhere else".into())
                }
                io::ErrorKind::QuotaExceeded => Some(
                    "your quota on this disk is used up: make room and run the same command again"
                        .into(),
                ),
                io::ErrorKind::PermissionDenied => {
                    Some("this user may not do that there: write the bundle somewhere else".into())
                }
                _ => None,
            },
            Self::Structure { hint, .. } => hint.clone(),
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::Tar {
                volume: Some(volume),
                ..
            } => Some(format!(
                "compare {volume} and its neighbours with the originals: one is damaged, or two are swapped"
            )),
            Self::Tar { bundle, fault, .. } => fault.hint(bundle.as_str()),
            Self::Locked { .. } => Some("wait until it has ended, or stop it".into()),
            Self::Space { .. } => Some(
                "make room, choose another disk, or take less: --conformance-only, --platform, --base"
                    .into(),
            ),
            Self::Missing { .. } => {
                Some("pull it again, or for a delta name its base with --base".into())
            }
            Self::Record { .. } | Self::Index { .. } | Self::Volumes { .. } => None,
        }
    }
}

fn in_volume(volume: Option<&Utf8PathBuf>) -> String {
    volume.map_or_else(String::new, |volume| format!(" (in {volume})"))
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        let text = error.to_string();
        let (host, message) = text.split_once(": ").unwrap_or(("bundle", &text));
        let code = match error {
            BundleError::Refused { .. } => Code::Usage,
            _ => Code::Local,
        };
        let failure = Self::new(code, host, message);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
