//! Manifests come from registries: any bytes may be announced as any type.
#![no_main]

use airbuoy::oci::{Digest, PlatformSelection, RawManifest, Subset, media_type, subset};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (&kind, body) = data.split_first().unwrap_or((&0, &[]));
    let announced = match kind % 4 {
        0 => None,
        1 => Some(media_type::OCI_INDEX),
        2 => Some(media_type::DOCKER_MANIFEST),
        _ => Some("text/plain"),
    };
    let Ok(manifest) = RawManifest::new(Bytes::copy_from_slice(body), announced) else { return };
    assert_eq!(manifest.digest(), &Digest::of(body));
    assert_eq!(manifest.bytes(), body);
    let _ = manifest.successors();
    if let Ok(Subset::Narrowed(small)) = subset(&manifest, &PlatformSelection::Linux) {
        let whole = manifest.successors().expect("it was narrowed");
        let kept = small.successors().expect("a narrowed index is one");
        assert!(kept.manifests.len() < whole.manifests.len() + whole.blobs.len());
    }
});
