//! Sonobuoy as airbuoy launches it. It stops at what sonobuoy is told: the program itself is the
//! user's.

mod command;

pub use command::{Mode, RunCommand};
