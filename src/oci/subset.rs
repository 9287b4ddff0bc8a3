//! An index narrowed to some platforms.

use super::manifest::{ManifestError, RawManifest};
use super::platform::PlatformSelection;

/// What a [`PlatformSelection`] leaves of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subset {
    /// All of it: the bytes and the digest stay.
    Whole,
    /// Some children: a new index with a digest of its own.
    Narrowed(RawManifest),
    /// Nothing: the image has none of the platforms.
    Nothing,
}

/// Narrows an index to the selected platforms: the same JSON without the other children, order
/// of members kept, compact, so that the result is the same at every run.
///
/// An attestation follows the image it speaks of. A child that names no platform (a nested
/// index, an artifact) stays. A plain image manifest says nothing about its platform and stays.
pub fn subset(
    manifest: &RawManifest,
    selection: &PlatformSelection,
) -> Result<Subset, ManifestError> {
    if *selection == PlatformSelection::All || !manifest.is_index() {
        return Ok(Subset::Whole);
    }
    let json = |e: serde_json::Error| ManifestError::Json(e.to_string());
    let mut body: serde_json::Value = serde_json::from_slice(manifest.bytes()).map_err(json)?;
    let Some(entries) = body
        .get_mut("manifests")
        .and_then(serde_json::Value::as_array_mut)
    else {
        return Ok(Subset::Whole);
    };

    let children = manifest.entries()?;
    let runnable = |i: usize| {
        children[i]
            .platform
            .as_ref()
            .is_none_or(|p| !p.is_unknown() && selection.wants(p))
    };
    let kept_digests: Vec<_> = (0..children.len())
        .filter(|&i| children[i].attests.is_none() && runnable(i))
        .map(|i| children[i].digest.clone())
        .collect();
    if kept_digests.is_empty() {
        return Ok(Subset::Nothing);
    }
    let keep: Vec<bool> = children
        .iter()
        .map(|child| kept_digests.contains(child.attests.as_ref().unwrap_or(&child.digest)))
        .collect();
    if keep.iter().all(|&k| k) {
        return Ok(Subset::Whole);
    }
    let mut keep = keep.into_iter();
    entries.retain(|_| keep.next().unwrap_or(false));
    let bytes = serde_json::to_vec(&body).map_err(json)?;
    RawManifest::new(bytes.into(), Some(manifest.media_type())).map(Subset::Narrowed)
}

#[cfg(test)]
mod tests {
    use super::super::{Digest, media_type};
    use super::*;

    fn index(children: &[(&str, Option<usize>)]) -> (RawManifest, Vec<Digest>) {
        let digests: Vec<Digest> = (0..children.len())
            .map(|i| Digest::of(&i.to_le_bytes()))
            .collect();
        let entries: Vec<String> = children
            .iter()
            .zip(&digests)
            .map(|((platform, attests), digest)| {
                let (os, architecture) = platform.split_once('/').expect("a platform");
                let annotations = attests.map_or(String::new(), |of| {
                    format!(r#","annotations":{{"vnd.docker.reference.digest":"{}"}}"#, digests[of])
                });
                format!(
                    r#"{{"size":1, "digest":"{digest}","mediaType":"{}","x":1,"platform":{{"os":"{os}","architecture":"{architecture}"}}{annotations}}}"#,
                    media_type::OCI_MANIFEST
                )
            })
            .collect();
        let text = format!(
            r#"{{"manifests":[{}], "schemaVersion":2, "zebra":true, "annotations":{{"b":"1","a":"2"}}}}"#,
            entries.join(",\n")
        );
        (
            RawManifest::new(text.into(), None).expect("an index"),
            digests,
        )
    }

    fn narrowed(manifest: &RawManifest, platforms: &str) -> Subset {
        subset(manifest, &platforms.parse().expect("a selection")).expect("a subset")
    }

    #[test]
    fn attestations_follow_their_image_and_order_is_kept() {
        let (manifest, digests) = index(&[
            ("linux/amd64", None),
            ("linux/arm64", None),
            ("unknown/unknown", Some(0)),
            ("unknown/unknown", Some(1)),
        ]);
        let Subset::Narrowed(small) = narrowed(&manifest, "linux/arm64") else {
            panic!("not narrowed")
        };
        let kept: Vec<_> = small.successors().expect("children").manifests;
        assert_eq!(
            kept.iter().map(|d| &d.digest).collect::<Vec<_>>(),
            [&digests[1], &digests[3]]
        );
        let text = String::from_utf8(small.bytes().to_vec()).expect("text");
        assert!(
            text.starts_with(r#"{"manifests":[{"size":1,"digest":"#),
            "{text}"
        );
        assert!(
            text.ends_with(r#""schemaVersion":2,"zebra":true,"annotations":{"b":"1","a":"2"}}"#),
            "{text}"
        );
    }

    #[test]
    fn everything_or_nothing_makes_no_new_index() {
        let (manifest, _) = index(&[("linux/amd64", None), ("windows/amd64", None)]);
        assert_eq!(narrowed(&manifest, "all"), Subset::Whole);
        assert_eq!(
            narrowed(&manifest, "linux/amd64,windows/amd64"),
            Subset::Whole
        );
        assert_eq!(narrowed(&manifest, "linux/s390x"), Subset::Nothing);
        assert!(matches!(narrowed(&manifest, "linux"), Subset::Narrowed(_)));
    }
}
