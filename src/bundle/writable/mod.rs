//! A bundle directory that takes pushes: a [`Store`](crate::content::Store) whose truth is
//! `index.json` and the blobs beside it, with everything durable before it is answered.
//!
//! Requests prepare files side by side; one thread ([`committer`]) puts them in place and
//! rewrites the lists, for all that wait at once.

mod change;
mod committer;
mod files;
mod gathered;
mod held;
mod known;
mod links;
mod load;
mod open;
mod reader;
mod repository;
mod room;
mod state;
mod store;
mod upload;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
pub(super) mod testing;

pub(super) use files::Files;
pub(super) use load::load;
pub use open::StoreOptions;
pub(super) use open::{lock, read_index, read_record};
pub use reader::FileBlob;
pub use store::DirectoryStore;
pub use upload::DirectoryUpload;
