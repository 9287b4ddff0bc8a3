//! One file a verb: settings ▶ engine ▶ ui ▶ [`ExitStatus`].

mod completions;
mod config;
mod config_files;
mod copying;
mod exit;
mod files;
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
mod run;
mod runtime;
mod submission;
mod verify;

pub use exit::ExitStatus;
pub use run::run;
