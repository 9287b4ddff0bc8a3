//! The JSON report of a copy or a check. Fields may be added, never renamed.

use serde::Serialize;

use crate::content::Failure;
use crate::event::ImageStatus;
use crate::registry::{RequestCount, Side};

/// `mirror`, `verify`, `rehearse` `-o json` and `--report`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this format: 1.
    pub format: u32,
    /// One row an image and target, in the plan's order.
    pub images: Vec<ImageRow>,
    /// How many blobs went which way.
    pub blobs: Blobs,
    /// How many bytes went which way.
    pub bytes: Bytes,
    /// How many requests each host got.
    pub requests: Vec<RequestCount>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Files written.
    pub files: Vec<String>,
}

/// One image at one target.
#[derive(Debug, Clone, Serialize)]
pub struct ImageRow {
    /// Where it comes from.
    pub source: String,
    /// Where it goes; null when it is skipped.
    pub target: Option<String>,
    /// Digest of the source's manifest, when it was resolved.
    pub source_digest: Option<String>,
    /// Digest of the target's manifest, when it is there. Differs from the source's only when
    /// platforms were left out.
    pub target_digest: Option<String>,
    /// How it ended.
    pub status: ImageStatus,
    /// Why it failed or was skipped.
    pub error: Option<ErrorRow>,
}

/// A [`Failure`] with its side, as a report shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorRow {
    /// The kind: [`crate::content::Code`].
    pub code: &'static str,
    /// `source` or `target`.
    pub side: Side,
    /// `host[:port]`.
    pub host: String,
    /// The repository's path.
    pub repository: Option<String>,
    /// The tag or digest.
    pub digest: Option<String>,
    /// Why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl ErrorRow {
    /// The row of a failure on `side`.
    pub fn new(side: Side, failure: &Failure) -> Self {
        Self {
            code: failure.code().as_str(),
            side,
            host: failure.host().to_owned(),
            repository: failure.repository().map(str::to_owned),
            digest: failure.reference().map(str::to_owned),
            message: failure.message().to_owned(),
            hint: failure.hint_text().map(str::to_owned),
        }
    }
}

/// Blob counts. `unique` = `transferred` + `present`, counted as digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Blobs {
    /// Distinct digests that the copied images need.
    pub unique: u64,
    /// Digests whose bytes were sent.
    pub transferred: u64,
    /// (repository, digest) pairs that were mounted instead of sent.
    pub mounted: u64,
    /// Digests that were at the target already.
    pub present: u64,
    /// Of these, digests that a delta leaves to its base.
    pub external: u64,
}

/// Bytes of blob bodies; manifests are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Every image's blobs, repetitions counted.
    pub logical: u64,
    /// Each digest once.
    pub unique: u64,
    /// Sent to the target and accepted.
    pub transferred: u64,
    /// Of blobs that were completed, what an earlier run had brought: it was read again here and
    /// not fetched.
    pub resumed: u64,
    /// Sent again after a fault.
    pub wasted: u64,
    /// Left out of a delta because its base has them.
    pub external: u64,
}
