//! The copy engine: resolve on both sides, one plan for all images, then blobs, manifests and
//! tags from the bottom up.

mod report;

pub use report::{Blobs, Bytes, ErrorRow, ImageRow, Report, RequestRow};
