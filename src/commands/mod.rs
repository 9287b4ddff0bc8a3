//! One file a verb: settings ▶ engine ▶ ui ▶ [`ExitStatus`].

#[cfg(feature = "cluster")]
mod clean;
mod completions;
mod config;
mod config_files;
mod copying;
mod dispatch;
mod exit;
mod files;
#[cfg(feature = "cluster")]
mod follow;
mod images;
mod interrupt;
#[cfg(test)]
mod journey_tests;
mod live_lists;
mod man;
mod mirror;
mod notices;
mod rehearsal_end;
mod rehearse;
mod reporting;
mod results;
#[cfg(feature = "cluster")]
mod run;
#[cfg(feature = "cluster")]
mod run_files;
#[cfg(feature = "cluster")]
mod run_images;
mod runtime;
#[cfg(feature = "cluster")]
mod status;
mod submission;
mod verify;

pub use dispatch::run;
pub use exit::ExitStatus;
