//! Where images go: source reference ▶ target reference by registry key, and the repo config that
//! tells e2e.test the same. It stops at names; digests and bytes are `transfer`'s business.

#[cfg(test)]
mod bench;
mod error;
mod filter;
mod layout;
mod nodes;
mod place;
mod relocation;
mod repo_config;
mod row;
mod target;
mod warning;

pub use error::RelocateError;
pub use filter::Filters;
pub use layout::Layout;
pub use nodes::{NodeAccess, NodeFile};
pub use relocation::{Collision, Relocation, RunnerImages};
pub use repo_config::RepoConfig;
pub use row::{Row, Skipped};
pub use target::{InvalidTarget, TargetPrefix};
