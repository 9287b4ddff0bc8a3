//! The vocabulary of the OCI image and distribution specifications: digests, descriptors,
//! platforms, references and manifests as raw bytes beside a parsed view.
//!
//! [`successors`](RawManifest::successors) is the only place that knows manifest formats.

mod descriptor;
mod digest;
mod manifest;
pub mod media_type;
mod name;
mod platform;
mod reference;
mod referrer;
mod subset;

pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher, InvalidDigest};
pub use manifest::{ManifestError, RawManifest, Successors};
pub use name::{is_host, is_repository, is_tag};
pub use platform::{InvalidPlatform, Platform, PlatformSelection};
pub use reference::{InvalidReference, Reference, Repository, TagOrDigest};
pub use referrer::Referrer;
pub use subset::{Subset, subset};
