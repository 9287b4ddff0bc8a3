//! One file a verb: settings ▶ engine ▶ ui ▶ [`ExitStatus`].

mod access_log;
mod addresses;
mod bundle_check;
mod bundle_ls;
mod bundle_rm;
mod certificate;
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
mod in_bundle;
mod interrupt;
#[cfg(test)]
mod journey_tests;
mod live_lists;
mod man;
mod mirror;
mod notices;
#[cfg(unix)]
mod open_files;
mod pull;
mod pull_existing;
mod push;
mod rehearsal_end;
mod rehearse;
mod rehearse_bundle;
mod relied;
mod reporting;
mod results;
#[cfg(feature = "cluster")]
mod run;
#[cfg(feature = "cluster")]
mod run_files;
#[cfg(feature = "cluster")]
mod run_images;
mod runtime;
mod serve;
mod serving;
mod shelf;
#[cfg(feature = "cluster")]
mod status;
mod submission;
mod verify;
mod verify_bundle;

pub use dispatch::run;
pub use exit::ExitStatus;
