//! What an embedded registry is told, and what it tells.

use std::fmt;
use std::sync::Arc;

use super::PathKind;

/// Hears of every request once its answer's status is known. Called from many tasks at once;
/// must be quick.
pub type OnRequest = Arc<dyn Fn(AccessLine) + Send + Sync>;

/// How to serve.
#[derive(Clone)]
pub struct Options {
    /// Refuse every write with 405 before its body is read.
    pub read_only: bool,
    /// The most bytes that one blob upload may have.
    pub upload_limit: u64,
    /// Hears of every request.
    pub on_request: Option<OnRequest>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            // Far above any image layer; one client alone cannot send without end.
            upload_limit: 16 << 30,
            on_request: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("read_only", &self.read_only)
            .field("upload_limit", &self.upload_limit)
            .finish_non_exhaustive()
    }
}

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLine {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Which endpoint.
    pub path: PathKind,
    /// The repository, for the endpoints that have one.
    pub repository: Option<String>,
    /// The status of the answer.
    pub status: u16,
}
