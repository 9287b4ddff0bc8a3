//! Image sets in files: an OCI image layout as a directory, as one `NAME.tar` or as its volumes,
//! written and read in place (OCI image-spec, image-layout.md).

mod ahead;
mod buffers;
mod disk;
mod error;
mod index;
mod inventory;
mod links;
mod lock;
mod merge;
mod read;
mod record;
mod remove;
mod scan;
mod slices;
mod space;
mod tar_fault;
mod tar_header;
mod tar_map;
#[cfg(test)]
mod tarball;
mod volumes;
mod writable;
mod write;

pub use disk::{Disk, DiskFile, RealDisk};
pub use error::BundleError;
pub use index::{BUNDLE_HOST, Entry, bundle_reference};
pub use inventory::{Base, inventory_text};
pub use read::{
    Bundle, Contents, Fault, FaultKind, ImageContents, Place, Region, Repaired, Shared, Totals,
    Verification,
};
pub use record::{External, ImageRecord, Record};
pub use remove::{Removed, remove_versions};
pub use scan::{MEMBERS, Member, ReadAt, scan};
pub use tar_fault::TarFault;
pub use volumes::{SMALLEST_VOLUME, compressed_stem, tar_path};
pub use writable::{DirectoryStore, DirectoryUpload, FileBlob, StoreOptions};
pub use write::{Finished, Preview, Upload, WriteOptions, Writer};
