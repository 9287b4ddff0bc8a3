//! How the program ends, as a number.

use std::io;
use std::process::ExitCode;

use crate::bundle::BundleError;
use crate::content::{Code, Failure};
use crate::registry::SetupError;
use crate::results::ResultsError;
use crate::server::{HtpasswdError, TlsError};
use crate::settings::SettingsError;
use crate::sonobuoy::{DockerConfigError, ProgramError, RetrieveError};
use crate::submission::SubmissionError;

/// The exit codes. Scripts rely on them; they are never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Everything that was asked for is done.
    Done = 0,
    /// A check, or the tests, said no.
    CheckFailed = 1,
    /// The command line, a variable or a file of settings makes no sense.
    Usage = 2,
    /// A registry or the network.
    Registry = 3,
    /// This machine, or a damaged bundle.
    Local = 4,
    /// Sonobuoy or the cluster.
    Cluster = 5,
    /// Stopped by a signal: 128 + SIGINT, as shells count.
    Interrupted = 130,
}

impl ExitStatus {
    /// How a run ends that could not go on after `error`.
    pub(super) fn of_error(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(failure) = cause.downcast_ref::<Failure>() {
                return failure.code().into();
            }
            if let Some(settings) = cause.downcast_ref::<SettingsError>() {
                return if settings.is_local() {
                    Self::Local
                } else {
                    Self::Usage
                };
            }
            if let Some(bundle) = cause.downcast_ref::<BundleError>() {
                return bundle.into();
            }
            if cause.is::<DockerConfigError>() {
                return Self::Usage;
            }
            if let Some(RetrieveError::Local { .. }) = cause.downcast_ref() {
                return Self::Local;
            }
            if is_of_cluster(cause) {
                return Self::Cluster;
            }
            // Files that flags name.
            if cause.is::<HtpasswdError>() || cause.is::<TlsError>() {
                return Self::Usage;
            }
            if let Some(setup) = cause.downcast_ref::<SetupError>() {
                return match setup {
                    SetupError::Client(_) => Self::Local,
                    _ => Self::Usage,
                };
            }
            if let Some(results) = cause.downcast_ref::<ResultsError>() {
                return results.into();
            }
            if let Some(submission) = cause.downcast_ref::<SubmissionError>() {
                return submission.into();
            }
        }
        // What is left is files, pipes and processes.
        Self::Local
    }
}

fn is_of_cluster(cause: &(dyn std::error::Error + 'static)) -> bool {
    #[cfg(feature = "cluster")]
    if cause.is::<crate::cluster::ClusterError>() || cause.is::<crate::sonobuoy::CleanError>() {
        return true;
    }
    cause.is::<ProgramError>() || cause.is::<RetrieveError>()
}

impl From<Code> for ExitStatus {
    fn from(code: Code) -> Self {
        match code {
            Code::Local => Self::Local,
            Code::Cancelled => Self::Interrupted,
            Code::Collision | Code::Usage => Self::Usage,
            Code::NotFound
            | Code::Unauthorized
            | Code::Denied
            | Code::RepositoryRefused
            | Code::UnknownAuthority
            | Code::Unreachable
            | Code::Interrupted
            | Code::Throttled
            | Code::ServerError
            | Code::DigestMismatch
            | Code::SizeMismatch
            | Code::ManifestInvalid
            | Code::ManifestBlobUnknown
            | Code::Schema1
            | Code::TooLarge
            | Code::Unsupported
            | Code::Protocol
            | Code::PlatformMissing => Self::Registry,
        }
    }
}

impl From<&ResultsError> for ExitStatus {
    fn from(error: &ResultsError) -> Self {
        match error {
            ResultsError::Unreadable { source, .. } => of_path(source),
            ResultsError::Empty { .. }
            | ResultsError::NotATarball { .. }
            | ResultsError::Truncated { .. }
            | ResultsError::Damaged { .. }
            | ResultsError::TooLarge { .. }
            | ResultsError::TooMany { .. }
            | ResultsError::NoResults { .. } => Self::Local,
        }
    }
}

impl From<&SubmissionError> for ExitStatus {
    fn from(error: &SubmissionError) -> Self {
        match error {
            SubmissionError::Io { source, .. } => of_path(source),
            SubmissionError::Occupied { .. } => Self::Local,
            SubmissionError::NothingToSubmit { .. } => Self::CheckFailed,
            SubmissionError::NotAFolder { .. }
            | SubmissionError::ProductFile { .. }
            | SubmissionError::Product { .. }
            | SubmissionError::DirectoryName { .. }
            | SubmissionError::NoRelease
            | SubmissionError::NoCommands
            | SubmissionError::TestsFile { .. }
            | SubmissionError::TestsFileRelease { .. } => Self::Usage,
        }
    }
}

impl From<&BundleError> for ExitStatus {
    fn from(error: &BundleError) -> Self {
        match error {
            BundleError::Refused { .. } => Self::Usage,
            BundleError::Io { .. }
            | BundleError::Record { .. }
            | BundleError::Index { .. }
            | BundleError::Volumes { .. }
            | BundleError::Tar { .. }
            | BundleError::Structure { .. }
            | BundleError::Locked { .. }
            | BundleError::Space { .. }
            | BundleError::Missing { .. } => Self::Local,
        }
    }
}

/// A path that was typed and leads nowhere is wrong usage.
fn of_path(error: &io::Error) -> ExitStatus {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ExitStatus::Usage,
        _ => ExitStatus::Local,
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_deepest_known_cause_decides() {
        let failure = |code| {
            Err::<(), _>(Failure::new(code, "reg:5000", "x"))
                .context("while trying")
                .expect_err("an error")
        };
        let status = |code| ExitStatus::of_error(&failure(code)) as u8;
        assert_eq!(status(Code::Unreachable), 3);
        assert_eq!(status(Code::Local), 4);
        assert_eq!(status(Code::Cancelled), 130);
        let usage = SettingsError::Content {
            path: "f".into(),
            line: None,
            reason: "r".into(),
        };
        assert_eq!(ExitStatus::of_error(&usage.into()), ExitStatus::Usage);
        let htpasswd = crate::server::Logins::parse("ci:plain").map(drop);
        let htpasswd = htpasswd.context("--htpasswd users").expect_err("no bcrypt");
        assert_eq!(ExitStatus::of_error(&htpasswd), ExitStatus::Usage);
        let plain = anyhow::anyhow!("disk full");
        assert_eq!(ExitStatus::of_error(&plain), ExitStatus::Local);
    }
}
