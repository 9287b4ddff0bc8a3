//! The embedded registry: a [`Store`](crate::content::Store) served by the OCI distribution-spec
//! 1.1 over HTTP/1.1.
//!
//! Everything that the specification lets a registry do is here, along with what its next version
//! adds. There is no login and no TLS here.

mod answer;
mod body;
mod delete;
mod dispatch;
mod lists;
mod options;
mod page;
mod publish;
mod pull;
mod push;
mod range;
mod receive;
mod route;
mod serve;
#[cfg(test)]
mod testing;
mod uploads;

pub use options::{AccessLine, OnRequest, Options};
pub use route::PathKind;
pub use serve::{Running, Server};
