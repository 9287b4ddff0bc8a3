//! The copy engine: resolve on both sides, one plan for all images, then blobs, manifests and
//! tags from the bottom up; and the check of what arrived.

mod blob;
mod content;
mod copy;
mod delta;
mod graph;
mod image;
mod pump;
mod queue;
mod report;
mod resolve;
mod run;
mod settle;
mod verify;

#[cfg(test)]
mod bundle_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use copy::copy;
pub use delta::{AtTarget, Relied, WithTarget, locate};
pub use image::{CopyError, CopyOptions, Image, Outcome};
pub use report::{Blobs, Bytes, ErrorRow, ImageRow, Report};
pub use verify::{Check, VerifyOptions, verify};
