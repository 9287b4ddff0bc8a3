//! Writing bundles: a [`Target`](crate::content::Target) that is a directory, one tar or its
//! volumes, safe to stop at any moment and to go on with later.

mod content;
mod directory;
mod feed;
mod hold;
mod laid;
mod medium;
mod names;
mod older;
mod options;
mod state;
mod syncer;
mod tar;
mod tar_commit;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod writer;

pub use hold::Hold;
pub use options::{Finished, WriteOptions};
pub use writer::{Upload, Writer};
