//! From a Kubernetes version to the images that its end-to-end tests use: the files of
//! `registries/`, embedded or from a folder. It stops at upstream names; where they go is
//! `relocate`'s business.

mod embedded;
mod error;
mod file;
mod image;
mod resolve;
mod sonobuoy;
mod store;

pub use error::CatalogError;
pub use image::{CatalogImage, Conformance, Flag, ImageSet, Role};
pub use sonobuoy::SonobuoyImages;
pub use store::{Catalog, Range};
