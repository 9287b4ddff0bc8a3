//! airbuoy: from a Kubernetes version to a filled private registry, a conformance run and its
//! CNCF submission, with one program and no Docker daemon.
//!
//! The rooms form layers, and a room uses only rooms of a smaller layer (`ARCHITECTURE.md`;
//! `tests/it/layers.rs` enforces it). The library never prints: engines tell what happens through
//! [`event::Observer`], and only [`ui`] writes to the terminal.

pub mod archive_path;
pub mod event;
pub mod kube_version;
pub mod oci;

pub mod catalog;
pub mod content;

pub mod bundle;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod registry;
pub mod relocate;
pub mod results;
pub mod server;

pub mod live;
pub mod rehearsal;
pub mod transfer;

pub mod sonobuoy;
pub mod submission;

pub mod cli;
pub mod settings;

pub mod ui;

pub mod commands;
