//! Writing bundles: a [`Target`](crate::content::Target) that is a directory, one tar or its
//! volumes, safe to stop at any moment and to go on with later.

mod content;
mod directory;
mod directory_names;
mod feed;
mod laid;
mod medium;
mod names;
mod older;
mod options;
#[cfg(test)]
mod order_tests;
mod preview;
#[cfg(test)]
mod recording;
mod state;
mod syncer;
mod tar;
mod tar_commit;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
mod writer;

pub(super) use content::OCI_LAYOUT;
pub use options::{Finished, WriteOptions};
pub use preview::Preview;
pub use writer::{Upload, Writer};
