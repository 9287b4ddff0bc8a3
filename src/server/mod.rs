//! The embedded registry: a [`Store`](crate::content::Store) served by the OCI distribution-spec
//! 1.1 over HTTP/1.1, with or without TLS and logins.
//!
//! Reading is complete; writing takes monolithic and streamed uploads, mounts and manifests.
//! Blobs are not deleted. Files are read by the caller: certificates, keys and logins come as
//! text.

mod access;
mod answer;
mod body;
mod connection;
mod dispatch;
mod htpasswd;
mod limits;
mod lists;
mod login;
mod metrics;
mod operation;
mod options;
mod pace;
mod page;
mod prefix;
mod publish;
mod pull;
mod push;
mod range;
mod route;
mod self_signed;
mod serve;
mod socket;
mod tally;
#[cfg(test)]
mod testing;
mod tls;
mod uploads;

pub use access::{AccessLine, OnRequest};
pub use htpasswd::HtpasswdError;
pub use limits::Limits;
pub use login::Logins;
pub use options::Options;
pub use route::PathKind;
pub use self_signed::{SelfSigned, covers, self_signed};
pub use serve::{Running, Server};
pub use tls::{Tls, TlsError};
