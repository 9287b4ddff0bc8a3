//! The image list of a release that the catalogue does not know, read out of its conformance
//! image: fetch the layer that holds e2e.test, run that one program, keep what it prints. It stops
//! at an [`ImageSet`](crate::catalog::ImageSet); everything after that is the same as for a list of
//! the catalogue.
//!
//! It runs a program from a registry, so nothing in here happens unless it was asked for.

mod cache;
mod extract;
mod feed;
mod fetch;
mod find;
mod list;
mod machine;
mod map;
mod member;
mod read;
mod run;

#[cfg(test)]
mod testing;

pub use cache::Cache;
pub use read::read;
