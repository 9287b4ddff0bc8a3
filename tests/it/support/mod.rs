//! What the tests stand on: real registries, a faulty one, content to fill them, the program
//! under test and independent tools to check it. Nothing in here uses the library, but for the
//! embedded registry.

pub(crate) mod access_log;
pub(crate) mod airbuoy;
pub(crate) mod clients;
pub(crate) mod containerd;
pub(crate) mod content;
pub(crate) mod embedded;
#[cfg(feature = "cluster")]
pub(crate) mod fake_cluster;
#[cfg(feature = "cluster")]
pub(crate) mod fake_sonobuoy;
pub(crate) mod faulty;
pub(crate) mod http;
pub(crate) mod images;
pub(crate) mod layer;
pub(crate) mod limited;
pub(crate) mod mutual;
pub(crate) mod note;
pub(crate) mod peers;
pub(crate) mod push;
pub(crate) mod registry;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod site;
pub(crate) mod skip;
pub(crate) mod submission;
pub(crate) mod tls;
pub(crate) mod told;
pub(crate) mod writable;
