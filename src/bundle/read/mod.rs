//! Reads bundles in place: opening, looking up, checking, hashing, serving, and repairing what
//! was damaged on the way. Nothing is unpacked.

mod bundle;
mod check;
mod contents;
mod fault;
mod folder;
mod graph;
mod locking;
#[cfg(test)]
mod open_tests;
mod region;
mod repair;
#[cfg(test)]
mod repair_tests;
mod source;
#[cfg(test)]
mod source_tests;
mod storage;
mod store;
#[cfg(test)]
mod store_tests;
mod tar_files;
#[cfg(test)]
mod testing;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use bundle::{Bundle, Place};
pub use contents::{Contents, ImageContents};
pub use fault::{Fault, FaultKind};
pub use locking::Shared;
pub use region::Region;
pub use repair::Repaired;
pub use verify::{Totals, Verification};
