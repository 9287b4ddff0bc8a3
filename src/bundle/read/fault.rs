//! What is wrong with one piece of a bundle.

use std::fmt;

use super::Place;
use super::bundle::Bundle;
use super::storage::member;
use crate::oci::Digest;

/// What kind of thing is wrong: stable words for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It is named and not there.
    Missing,
    /// It has another size than it is given by what names it.
    Size,
    /// Its bytes do not hash to its name.
    Digest,
    /// The disk did not give its bytes.
    Unreadable,
    /// It is a manifest that cannot be understood.
    Manifest,
    /// It is a manifest that is too large, or one of too many.
    TooLarge,
    /// Two entries of `index.json` have one name.
    Name,
}

/// One damaged or missing piece, and whom it hurts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// With which blob or manifest.
    pub digest: Digest,
    /// Where it lies, or would lie.
    #[serde(flatten)]
    pub place: Place,
    /// The names of the images that need it; none when nothing in the bundle names it.
    pub images: Vec<String>,
    /// Why, as a fragment; the place is not repeated in it.
    pub message: String,
}

impl Fault {
    pub(super) fn new(
        bundle: &Bundle,
        kind: FaultKind,
        digest: &Digest,
        message: impl Into<String>,
    ) -> Self {
        let nowhere = || Place {
            member: member(digest),
            volumes: Vec::new(),
        };
        Self {
            kind,
            digest: digest.clone(),
            place: bundle.locate(digest).unwrap_or_else(nowhere),
            images: bundle.images_of(digest),
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    /// One line: the member, its volumes, why. The images are left to who prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.member)?;
        let names = self.volumes.iter();
        let names: Vec<&str> = names.filter_map(|volume| volume.file_name()).collect();
        if names.is_empty() {
            return Ok(());
        }
        write!(f, " in {}", names.join(", "))
    }
}
