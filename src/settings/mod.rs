//! Flags, environment and files, resolved into plain values. The only reader of the environment;
//! what comes out of here was checked before any byte moves.

mod access;
mod config;
mod credentials;
mod environment;
mod error;
mod expected;
mod images;
mod images_file;
mod messages;
mod mirror;
mod out_dir;
mod placement;
mod product;
mod rehearse;
mod release;
mod results;
mod run_script;
mod source_mirror;
mod submission;
mod verify;

pub use access::Access;
pub use config::ConfigSettings;
pub use environment::Environment;
pub use error::SettingsError;
pub use expected::Expected;
pub use images::ImagesSettings;
pub use messages::Messages;
pub use mirror::MirrorSettings;
pub use placement::Placement;
pub use rehearse::RehearseSettings;
pub use release::Release;
pub use results::ResultsSettings;
pub use run_script::RunScript;
pub use submission::{NewFolder, Subject, SubmissionSettings};
pub use verify::VerifySettings;
