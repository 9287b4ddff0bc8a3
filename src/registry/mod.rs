//! The client side of the OCI distribution-spec: one [`Registry`] a side, one connection pool,
//! token cache, pause and quirk memory a host.

mod auth;
mod blobs;
mod body;
mod chunking;
mod chunks;
mod classify;
mod client;
mod counters;
mod credentials;
mod endpoint;
mod exchange;
mod extras;
mod feed;
mod flight;
mod handshake;
mod host;
mod identity;
#[cfg(test)]
mod loopback;
mod manifests;
mod options;
mod place;
mod proxy;
mod range;
mod redirect;
mod refusal;
mod retry;
mod scheme;
mod sending;
mod sending_refused;
mod setup;
mod small;
mod source;
mod target;
mod tls;
mod trouble;
mod uploads;
mod verifier;
mod warning;
mod web;
mod wire;

pub use client::Registry;
pub use counters::{RequestCount, RequestKind};
pub use options::{ClientCertificate, Options, Proxies, Side, SourceMirror};
pub use setup::SetupError;
pub use uploads::Upload;
pub use web::web_client;
