//! The client side of the OCI distribution-spec: one [`Registry`] a side, one connection pool,
//! token cache, pause and quirk memory a host.

mod options;

pub use options::{Options, Proxies, Side, SourceMirror};
