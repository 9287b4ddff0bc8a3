//! Tests of the `airbuoy` program from outside: against real registries, against a scripted faulty
//! one, and of the sources' own rules. One binary, so that it links once.

mod support;

mod bad_products;
mod broken_folders;
mod bundle_pull;
mod bundle_push;
mod bundle_verify;
mod carried;
mod catalogue;
#[cfg(feature = "cluster")]
mod certify;
mod chunks;
mod client_certificates;
mod clients;
#[cfg(feature = "cluster")]
mod cluster;
mod conformance;
mod deltas;
mod faults;
mod flags;
mod foreign_layouts;
mod full_output;
#[cfg(feature = "cluster")]
mod interrupted;
mod killed;
mod kinds;
mod layers;
mod live;
mod memory;
mod messages;
mod mirror;
mod misnamed;
mod page;
mod readme;
mod rehearse;
mod results;
mod resume;
mod serve;
#[cfg(feature = "cluster")]
mod sonobuoy;
mod submission;
mod support_works;
mod variables;
mod verify;
mod writable;
