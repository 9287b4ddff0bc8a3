//! The tags of a rehearsal in a user's own registry, where no real tag may be written.

use crate::oci::Digest;

/// What every rehearsal's tag ends with: recognisable, so that it can be removed afterwards.
pub const TAG_SUFFIX: &str = "-airbuoy-rehearsal";

/// Longest tag (distribution-spec, "Pulling manifests").
const LIMIT: usize = 128;
/// Hex digits that keep apart long tags with one beginning.
const DISTINCT: usize = 12;

/// `3.10` becomes `3.10-airbuoy-rehearsal`. Of a tag that would become too long the beginning is
/// kept, with twelve hex digits of its SHA-256 behind.
///
/// ```
/// assert_eq!(airbuoy::rehearsal::rehearsal_tag("3.10"), "3.10-airbuoy-rehearsal");
/// ```
pub fn rehearsal_tag(tag: &str) -> String {
    let room = LIMIT - TAG_SUFFIX.len();
    if tag.len() <= room {
        return format!("{tag}{TAG_SUFFIX}");
    }
    // A tag is ASCII; what is not is cut no less safely.
    let kept: String = tag.chars().take(room - 1 - DISTINCT).collect();
    let hash = Digest::of(tag.as_bytes());
    format!("{kept}-{}{TAG_SUFFIX}", &hash.hex()[..DISTINCT])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_tags_stay_apart() {
        let long = "a".repeat(127);
        let (one, two) = (format!("{long}1"), format!("{long}2"));
        assert_eq!(rehearsal_tag(&one).len(), LIMIT);
        assert_ne!(rehearsal_tag(&one), rehearsal_tag(&two));
        let fits = "b".repeat(LIMIT - TAG_SUFFIX.len());
        assert_eq!(rehearsal_tag(&fits), format!("{fits}{TAG_SUFFIX}"));
        assert!(rehearsal_tag(&"é".repeat(200)).ends_with(TAG_SUFFIX));
    }

    proptest! {
        #[test]
        fn every_tag_gives_a_legal_one(tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            let made = rehearsal_tag(&tag);
            prop_assert!(made.len() <= LIMIT);
            prop_assert_eq!(&made[..1], &tag[..1]);
            prop_assert!(made.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            prop_assert_ne!(made, tag);
        }
    }
}
