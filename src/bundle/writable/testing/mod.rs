//! What the tests of the store stand on.

mod disk;
mod world;

pub(in crate::bundle) use disk::{Crash, MemoryDisk, litter};
pub(in crate::bundle) use world::{Act, World, image};
