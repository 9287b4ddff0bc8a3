//! Flags, environment and files, resolved into plain values. The only reader of the environment;
//! what comes out of here was checked before any byte moves.

mod access;
mod credentials;
mod environment;
mod error;
mod messages;
mod source_mirror;

pub use access::Access;
pub use environment::Environment;
pub use error::SettingsError;
pub use messages::Messages;
