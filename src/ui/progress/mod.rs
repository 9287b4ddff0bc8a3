//! Observers that show the work in progress on standard error.

mod bars;
mod json;
mod plain;
mod rate;
mod shown;
mod tally;
mod waits;
mod words;

pub(crate) use json::json_line;
pub use shown::Progress;
pub(crate) use shown::ProgressKind;
