//! Tests of the `airbuoy` program from outside: against real registries, against a scripted faulty
//! one, and of the sources' own rules. One binary, so that it links once.

mod support;

mod catalogue;
#[cfg(feature = "cluster")]
mod cluster;
mod faults;
mod flags;
mod kinds;
mod layers;
mod live;
mod memory;
mod messages;
mod mirror;
mod readme;
mod rehearse;
mod resume;
#[cfg(feature = "cluster")]
mod sonobuoy;
mod support_works;
mod verify;
