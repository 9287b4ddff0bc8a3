//! Image sets in files: an OCI image layout as a directory, as one `NAME.tar` or as its volumes,
//! written and read in place (OCI image-spec, image-layout.md).

mod disk;
mod error;
mod index;
mod lock;
mod record;
mod slices;
mod space;
mod tar_header;
mod tar_map;
mod volumes;
mod writable;
mod write;

pub use disk::{Disk, DiskFile, RealDisk};
pub use error::BundleError;
pub use index::{BUNDLE_HOST, Entry, bundle_reference};
pub use record::{External, ImageRecord, Record};
pub use writable::{DirectoryStore, DirectoryUpload, FileBlob, StoreOptions};
