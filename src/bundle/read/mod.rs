//! Reads bundles in place: opening, looking up, checking, hashing, serving, and repairing what
//! was damaged on the way. Nothing is unpacked.

mod bundle;
mod check;
mod contents;
mod fault;
mod folder;
mod graph;
mod region;
mod repair;
mod source;
mod storage;
mod store;
mod tar_files;
mod verify;

pub use bundle::{Bundle, Place};
pub use contents::{Contents, ImageContents};
pub use fault::{Fault, FaultKind};
pub use region::Region;
pub use repair::Repaired;
pub use verify::{Totals, Verification};
