//! What moves: the [`Source`], [`Target`] and [`Store`] traits that registries, bundles and
//! memory implement, the [`Failure`] they all speak, and the verifying stream between them.

mod contents;
#[cfg(test)]
pub(crate) mod contract;
mod failure;
mod memory;
mod segments;
mod source;
mod store;
mod target;
mod verified;

pub use failure::{Code, Failure, Retry};

pub use memory::{MemoryStore, MemoryUpload};
pub use segments::MemoryBlob;
pub use source::{BlobStream, Source};
pub use store::{BlobReader, Store, StoreError};
pub use target::{Begun, Held, Plan, Target};
pub use verified::Verified;
