//! Image sets in files: an OCI image layout as a directory, as one `NAME.tar` or as its volumes,
//! written and read in place (OCI image-spec, image-layout.md).

mod error;
mod index;
mod record;
mod slices;
mod volumes;

pub use error::BundleError;
pub use index::{BUNDLE_HOST, Entry, bundle_reference};
pub use record::{External, ImageRecord, Record};
