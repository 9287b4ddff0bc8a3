//! The whole path on stand-in images: small, real in form, made on the spot. Here they are made
//! and named; who serves and mirrors them is the caller's business.

mod image;
mod layer;
mod stand_ins;
mod tag;

pub use stand_ins::StandIns;
pub use tag::{TAG_SUFFIX, rehearsal_tag};
