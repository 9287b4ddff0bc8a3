//! What engines tell while they work. Nobody in the library prints: an [`Observer`] decides what
//! to show, and tests record.

use std::time::Duration;

/// One thing that happened.
///
/// `image` is the source reference as text; `blob` a digest. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The images are being resolved on both sides.
    Resolving {
        /// How many.
        images: usize,
    },
    /// One image was resolved (both sides asked).
    Resolved {
        /// Which.
        image: String,
    },
    /// Everything is known; copying begins.
    Planned {
        /// Images in the plan.
        images: usize,
        /// Of these, images with anything to copy.
        to_copy: usize,
        /// Distinct platforms of the images to copy.
        platforms: usize,
        /// Unique blobs to bring to the target.
        blobs: usize,
        /// Their bytes, each digest once.
        bytes: u64,
        /// Bytes with every repetition counted.
        logical: u64,
    },
    /// A blob's bytes begin to flow.
    BlobStarted {
        /// Its digest.
        blob: String,
        /// One of the images that need it.
        image: String,
        /// Its size.
        size: u64,
    },
    /// Bytes of a blob have been handed to the target.
    BlobProgress {
        /// Which.
        blob: String,
        /// How many more.
        bytes: u64,
    },
    /// A broken transfer starts again: this much progress is void.
    BlobRestarted {
        /// Which.
        blob: String,
        /// How many bytes count as wasted.
        wasted: u64,
    },
    /// A blob is at the target.
    BlobFinished {
        /// Which.
        blob: String,
        /// How it got there.
        outcome: BlobOutcome,
        /// Its size.
        size: u64,
    },
    /// A blob could not be brought to the target.
    BlobFailed {
        /// Which.
        blob: String,
    },
    /// An image is complete at the target, or will not be.
    ImageFinished {
        /// Source reference.
        image: String,
        /// Target reference.
        target: String,
        /// How it ended.
        status: ImageStatus,
        /// Why it failed, one line.
        error: Option<String>,
    },
    /// A host is left alone for a while.
    Waiting {
        /// `host[:port]`.
        host: String,
        /// How long.
        delay: Duration,
        /// Why, one line.
        reason: String,
    },
    /// Something worth knowing.
    Notice(String),
    /// Something worth acting on.
    Warning(String),
}

/// How a blob came to be at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobOutcome {
    /// Its bytes were sent.
    Transferred,
    /// It was there.
    Present,
}

/// How an image ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageStatus {
    /// It was copied by this run.
    Copied,
    /// It was there already.
    Present,
    /// It would be copied: only a dry run says so.
    Planned,
    /// It was left out on purpose.
    Skipped,
    /// It is not complete at the target.
    Failed,
}

impl ImageStatus {
    /// The stable word, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Present => "present",
            Self::Planned => "planned",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// Hears what happens. Called from many tasks at once; must be quick and must not fail.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}
}
