//! What can be typed: clap structs and their help texts. No behaviour lives here; `settings`
//! turns these structs into resolved values, and every field is taken apart there.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "the docs are help texts, where brackets mark what may be left out"
)]

mod access;
mod bundle;
#[cfg(feature = "cluster")]
mod clean;
#[cfg(feature = "cluster")]
mod cluster;
mod completions;
mod config;
mod format;
mod images;
mod live;
mod messages;
mod mirror;
mod naming;
mod product;
mod pull;
mod push;
mod rehearse;
mod release;
mod results;
mod root;
#[cfg(feature = "cluster")]
mod run;
mod selection;
mod serve;
#[cfg(feature = "cluster")]
mod status;
mod submission;
mod verify;

#[cfg(test)]
mod help_tests;

pub use access::{AccessArgs, SourceAccessArgs, SourceMirrorArgs};
pub use bundle::{BundleArgs, BundleCommand, BundleLsArgs, BundleRmArgs};
#[cfg(feature = "cluster")]
pub use clean::CleanArgs;
#[cfg(feature = "cluster")]
pub use cluster::ClusterArgs;
pub use completions::CompletionsArgs;
pub use config::ConfigArgs;
pub use format::{Format, FormatArgs, ListFormat, OutDirArgs, OutputArgs};
pub use images::ImagesArgs;
pub use live::{LiveArgs, LiveMirrorArgs, LiveSourceArgs};
pub use messages::{MessageArgs, ProgressMode};
pub use mirror::MirrorArgs;
pub use naming::NamingArgs;
pub use product::ProductArgs;
pub use pull::PullArgs;
pub use push::PushArgs;
pub use rehearse::RehearseArgs;
pub use release::{CatalogArgs, ReleaseArgs};
pub use results::ResultsArgs;
pub use root::{Cli, Command};
#[cfg(feature = "cluster")]
pub use run::{RunArgs, RunMode};
pub use selection::SelectionArgs;
pub use serve::{LimitArgs, ProtectionArgs, ServeArgs};
#[cfg(feature = "cluster")]
pub use status::StatusArgs;
pub use submission::SubmissionArgs;
pub use verify::VerifyArgs;
