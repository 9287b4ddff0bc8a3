//! Manifests that were read, kept as far as memory allows: each image that is pulled asks for its
//! manifests again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::oci::{Digest, RawManifest};

/// Bytes of manifests that are kept: those of ten thousand images.
const MOST: usize = 64 << 20;

/// A bounded cache.
#[derive(Default)]
pub(super) struct Known(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    manifests: HashMap<Digest, RawManifest>,
    bytes: usize,
}

impl Known {
    pub(super) fn get(&self, digest: &Digest) -> Option<RawManifest> {
        self.lock().manifests.get(digest).cloned()
    }

    pub(super) fn insert(&self, manifest: &RawManifest) {
        let mut kept = self.lock();
        let more = manifest.bytes().len();
        kept.remove(manifest.digest());
        while kept.bytes + more > MOST {
            // Any: what is asked for often comes back at once.
            let Some(digest) = kept.manifests.keys().next().cloned() else {
                return;
            };
            kept.remove(&digest);
        }
        // Copied: the bytes may be a part of a much larger buffer.
        let copy = bytes::Bytes::copy_from_slice(manifest.bytes());
        let media_type = Some(manifest.media_type());
        let digest = Some(manifest.digest().clone());
        if let Ok(copy) = RawManifest::with_digest(copy, media_type, digest) {
            kept.manifests.insert(manifest.digest().clone(), copy);
            kept.bytes += more;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, digest: &Digest) {
        if let Some(old) = self.manifests.remove(digest) {
            self.bytes -= old.bytes().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type;

    fn manifest(number: usize, length: usize) -> RawManifest {
        let head = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"n":{number}}}"#,
            media_type::OCI_INDEX
        );
        let text = head.clone() + &" ".repeat(length - head.len());
        RawManifest::new(text.into(), None).expect("an index")
    }

    #[test]
    fn it_keeps_what_fits() {
        let known = Known::default();
        let all: Vec<_> = (0..20).map(|n| manifest(n, 4 << 20)).collect();
        for manifest in &all {
            known.insert(manifest);
            known.insert(manifest);
            assert_eq!(known.get(manifest.digest()).as_ref(), Some(manifest));
        }
        let kept = all.iter().filter(|m| known.get(m.digest()).is_some());
        assert_eq!(kept.count(), 16);
    }
}
