//! What a copy is asked to do and what came of it.

use std::time::Duration;

use super::delta::AtTarget;
use super::report::{Blobs, Bytes, ErrorRow, ImageRow};
use crate::bundle::External;
use crate::content::{Code, Failure};
use crate::event::ImageStatus;
use crate::oci::{PlatformSelection, Reference};
use crate::registry::Side;

/// One image to copy: from where, and to which names. Several targets share one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The upstream name.
    pub source: Reference,
    /// The names it gets, one a target.
    pub targets: Vec<Reference>,
}

/// How to copy.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Which platforms of each image.
    pub platforms: PlatformSelection,
    /// Large blobs in flight at once. Small requests have room of their own beside them.
    pub jobs: usize,
    /// Bytes that may wait between the two sides, over all blobs.
    pub buffer: usize,
    /// How often one piece of work is tried before it counts as failed.
    pub attempts: u32,
    /// The first pause before trying again; doubled every time.
    pub first_backoff: Duration,
    /// Resolve and plan only.
    pub dry_run: bool,
    /// Blobs that need not be sent: they are mounted from where they lie.
    pub at_target: AtTarget,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            platforms: PlatformSelection::All,
            jobs: 8,
            // Two chunks of 512 KiB for each of eight blobs, and as much again in reserve: more
            // does not make a copy faster, and the whole program stays under 64 MB.
            buffer: 16 << 20,
            attempts: 5,
            first_backoff: Duration::from_millis(200),
            dry_run: false,
            at_target: AtTarget::default(),
        }
    }
}

/// A failure and the side it happened on.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {failure}", side.as_str())]
pub struct CopyError {
    /// Which end.
    pub side: Side,
    /// What.
    pub failure: Failure,
}

impl CopyError {
    pub(super) fn source(failure: Failure) -> Self {
        Self {
            side: Side::Source,
            failure,
        }
    }

    pub(super) fn target(failure: Failure) -> Self {
        Self {
            side: Side::Target,
            failure,
        }
    }
}

impl From<&CopyError> for ErrorRow {
    fn from(error: &CopyError) -> Self {
        Self::new(error.side, &error.failure)
    }
}

/// What came of a copy or a check.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// One row an image and target, in the order they were asked for.
    pub images: Vec<ImageRow>,
    /// The first failure of each failed row, beside its row: `(index into images, error)`.
    pub errors: Vec<(usize, CopyError)>,
    /// Why the target takes none of it: it heard the plan and said no. Every planned row failed by
    /// this one error.
    pub refused: Option<CopyError>,
    /// Blob counts.
    pub blobs: Blobs,
    /// Byte counts.
    pub bytes: Bytes,
    /// Of a check: the blobs of the sound images, sorted by digest, with their upstream
    /// repositories.
    pub held: Vec<External>,
    /// The run was stopped before its end.
    pub cancelled: bool,
}

impl Outcome {
    /// Whether everything that was asked for is at the target.
    pub fn is_complete(&self) -> bool {
        !self.cancelled
            && !self
                .images
                .iter()
                .any(|row| row.status == ImageStatus::Failed)
    }

    /// How many rows ended as `status`.
    pub fn count(&self, status: ImageStatus) -> usize {
        self.images
            .iter()
            .filter(|row| row.status == status)
            .count()
    }

    /// Whether a failure lies with this machine rather than with a registry or the network.
    pub fn failed_locally(&self) -> bool {
        self.errors
            .iter()
            .any(|(_, error)| error.failure.code() == Code::Local)
    }
}
