//! The Kubernetes API, as far as a conformance run needs it. It reads; the only objects it ever
//! removes are left-over test namespaces that the user asked to have removed. Every call is in
//! `calls.rs`. What the answers mean for a run is `sonobuoy`'s business.

mod access;
mod calls;
mod connect;
mod error;
mod logs;
mod namespace;
mod node;
mod pod;
mod proxy;

pub use access::Right;
pub use connect::{Cluster, ClusterOptions};
pub use error::ClusterError;
pub use logs::LogStream;
pub use namespace::{NamespaceState, RunRoles, TestNamespace};
pub use node::{Node, Taint};
pub use pod::{Container, Pod, Waiting};
pub use proxy::ClusterProxy;
