//! What a sonobuoy run left behind: its tarball read safely, the `JUnit` file and the log understood,
//! one verdict, one page to show people. It stops there: nothing here talks to a cluster, prints or
//! writes to disk.

mod archive;
mod collect;
mod counted;
mod credentials;
mod definition;
mod error;
mod found;
pub mod html;
mod junit;
mod limits;
mod log;
mod mode;
mod status;
mod summary;
mod verdict;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod testing;

pub use definition::PluginDefinition;
pub use error::ResultsError;
pub use found::{JunitFile, Results};
pub use junit::{Case, Junit, Outcome};
pub use log::LogSummary;
pub use mode::RunMode;
pub use status::PluginStatus;
pub use summary::{Failed, Images, Nodes, SonobuoyCounts, Summary, TestCounts, TestRun, Versions};
pub use verdict::{Ruling, Verdict};
