//! Flags, environment and files, resolved into plain values. The only reader of the environment;
//! what comes out of here was checked before any byte moves.

mod access;
mod bundle_ls;
mod bundle_path;
mod bundle_rm;
mod byte_size;
mod carried;
#[cfg(feature = "cluster")]
mod cluster;
mod command_line;
mod config;
mod credentials;
mod environment;
mod error;
mod expected;
mod images;
mod images_file;
mod listen;
mod live;
mod messages;
mod mirror;
mod out_dir;
mod placement;
mod product;
mod pull;
mod push;
mod rehearse;
mod release;
mod results;
#[cfg(feature = "cluster")]
mod run;
mod run_script;
mod serve;
mod source_mirror;
#[cfg(feature = "cluster")]
mod status;
mod submission;
mod verify;

pub use access::Access;
pub use bundle_ls::BundleLsSettings;
pub use bundle_rm::BundleRmSettings;
pub use carried::{Carried, Shipment};
#[cfg(feature = "cluster")]
pub use cluster::ClusterSettings;
pub use command_line::command_line;
pub use config::ConfigSettings;
pub use environment::Environment;
pub use error::SettingsError;
pub use expected::Expected;
pub use images::ImagesSettings;
pub use live::{cache_dir, live_source};
pub use messages::Messages;
pub use mirror::MirrorSettings;
pub use placement::Placement;
pub use pull::PullSettings;
pub use push::PushSettings;
pub use rehearse::RehearseSettings;
pub use release::Release;
pub use results::ResultsSettings;
#[cfg(feature = "cluster")]
pub use run::RunSettings;
pub use run_script::RunScript;
pub use serve::{AccessLog, ServeSettings, ServeTls};
#[cfg(feature = "cluster")]
pub use status::{CleanSettings, StatusSettings};
pub use submission::{NewFolder, Subject, SubmissionSettings};
pub use verify::{VerifyBundle, VerifyRegistry, VerifySettings};
