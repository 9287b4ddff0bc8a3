//! Following a run: what the cluster and the log of the tests say, turned into events. It never
//! claims that a run failed because the connection did, and it changes nothing.

mod event;
mod follow;
mod pods;
mod pull;
mod state;
#[cfg(test)]
mod tests;

pub use event::{Progress, RunEvent, WatchEnd};
pub use follow::{WatchOptions, watch};
pub use pull::PullTrouble;
