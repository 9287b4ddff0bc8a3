//! Why nothing can be said about an archive at all. What is wrong inside an archive that can be
//! read (a cut `JUnit` file, a run that broke off) is part of the verdict instead.

use camino::Utf8PathBuf;

/// The archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The archive.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has no bytes.
    #[error("{path} is empty")]
    Empty {
        /// The archive.
        path: Utf8PathBuf,
    },
    /// It is neither gzip nor tar.
    #[error("{path} is not a tarball: it begins like {looks_like}")]
    NotATarball {
        /// The archive.
        path: Utf8PathBuf,
        /// What its first bytes are.
        looks_like: &'static str,
    },
    /// It ends in the middle.
    #[error("{path} is cut off: it ends after {unpacked} bytes of its content ({reason})")]
    Truncated {
        /// The archive.
        path: Utf8PathBuf,
        /// Bytes that came out of it, decompressed.
        unpacked: u64,
        /// How it was noticed.
        reason: String,
    },
    /// Its compressed bytes or tar headers do not hold together.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The archive.
        path: Utf8PathBuf,
        /// Where.
        reason: String,
    },
    /// A member, or all of them together, is larger than any sonobuoy run writes.
    #[error("{path}: {what} is larger than {limit} bytes, which no sonobuoy run writes")]
    TooLarge {
        /// The archive.
        path: Utf8PathBuf,
        /// A member's name, or the whole.
        what: String,
        /// The bound, in bytes.
        limit: u64,
    },
    /// More members than any run writes.
    #[error("{path} holds more than {limit} members, which no sonobuoy run writes")]
    TooMany {
        /// The archive.
        path: Utf8PathBuf,
        /// The bound.
        limit: u64,
    },
    /// A tarball, but not one of sonobuoy's, or one without the conformance plugin.
    #[error("{path} holds no results of the e2e plugin: {reason}")]
    NoResults {
        /// The archive.
        path: Utf8PathBuf,
        /// What it holds instead.
        reason: String,
    },
}

impl ResultsError {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Empty { .. } | Self::Truncated { .. } | Self::Damaged { .. } => Some(
                "fetch it again with `sonobuoy retrieve` while the run is still in the cluster, and \
                 compare its size and sha256 with tar-info of `sonobuoy status --json`",
            ),
            Self::NotATarball { .. } => Some(
                "give the .tar.gz that `sonobuoy retrieve` saved, or the folder it was unpacked to",
            ),
            Self::TooLarge { .. } | Self::TooMany { .. } => Some(
                "if the archive is genuine, unpack meta, plugins and serverversion.json into a folder \
                 and give that",
            ),
            Self::NoResults { .. } => Some(
                "the conformance tests are sonobuoy's plugin `e2e`; its results lie in plugins/e2e of \
                 the tarball",
            ),
        }
    }
}
