//! Whether blobs go to a host in chunks, and of which size: learnt from what it refuses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::oci::Digest;

/// The first size tried, in bytes: between the 5 MiB that stores like S3 want of a part and the
/// 10 MiB that ECR takes at most; above the specification's customary 4 MiB.
const FIRST: u64 = 8 * 1024 * 1024;

/// Chunks are not halved below this: nginx's own limit is 1 MiB, and a smaller one is a mistake
/// that somebody has to mend.
const SMALLEST: u64 = 256 * 1024;

/// Larger chunks are not made for any registry: one is held in memory for each upload.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// How often one blob's single PUT may break before its size is suspected.
const RESETS: u32 = 2;

/// What is known about a host.
#[derive(Debug, Default)]
pub(super) struct Chunking(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Bytes of a chunk; `None` while single PUTs are the way.
    size: Option<u64>,
    /// The host said so (413), and it was not only suspected.
    told: bool,
    /// The host takes no chunks: connections that break teach nothing more.
    hopeless: bool,
    /// Single PUTs that broke, by blob.
    resets: HashMap<Digest, u32>,
}

impl Chunking {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of the chunks in which `blob_size` bytes go, when they do: `least` is what the
    /// registry wants of each but the last. A blob that is not larger than one chunk goes whole.
    pub(super) fn size(&self, blob_size: u64, least: u64) -> Option<u64> {
        let size = self.state().size?.max(least);
        (blob_size > size).then_some(size)
    }

    /// The size that is in force, whatever the blob.
    pub(super) fn current(&self, least: u64) -> u64 {
        self.state().size.unwrap_or(FIRST).max(least)
    }

    /// The host refused a body of `length` bytes for its size. True when smaller ones can still
    /// be tried, with `least` as the least that it takes.
    pub(super) fn refused(&self, host: &str, length: u64, least: u64) -> bool {
        let mut state = self.state();
        let known = state.size;
        let size = halved(known.unwrap_or(FIRST), length);
        let smaller = size.max(least) < length;
        if smaller {
            state.told = true;
            state.size = Some(size);
            if known != Some(size) {
                tracing::debug!(host, size, "learnt: body-413");
            }
        }
        smaller
    }

    /// A single PUT of `length` bytes broke under way. When that happens to one blob again and
    /// again, a proxy that limits bodies and says so by hanging up is the likely reason.
    pub(super) fn broke(&self, host: &str, blob: &Digest, length: u64) {
        let mut state = self.state();
        if state.hopeless || state.size.is_some() {
            return;
        }
        let resets = state.resets.entry(blob.clone()).or_default();
        *resets += 1;
        let size = halved(FIRST, length);
        if *resets >= RESETS && size < length {
            state.size = Some(size);
            tracing::debug!(host, size, "learnt: body-413 (suspected)");
        }
    }

    /// The host takes no chunk. True when single PUTs are worth another try, because their size
    /// was only suspected.
    pub(super) fn unsupported(&self, host: &str) -> bool {
        let mut state = self.state();
        if state.told {
            return false;
        }
        tracing::debug!(host, "learnt: patch-refused");
        state.size = None;
        state.hopeless = true;
        true
    }
}

/// `size`, halved until it is below `length`, or the smallest.
fn halved(mut size: u64, length: u64) -> u64 {
    while size >= length && size > SMALLEST {
        size /= 2;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn sizes_are_learnt_from_refusals() {
        let chunking = Chunking::default();
        assert_eq!(chunking.size(1 << 40, 0), None);
        assert!(chunking.refused("h", 100 * MIB, 0));
        assert_eq!(chunking.size(100 * MIB, 0), Some(8 * MIB));
        assert_eq!(chunking.size(8 * MIB, 0), None, "one chunk is one PUT");
        // Eight uploads meet the same refusal: that is one halving.
        for _ in 0..8 {
            assert!(chunking.refused("h", 8 * MIB, 0));
        }
        assert_eq!(chunking.size(100 * MIB, 0), Some(4 * MIB));
        assert_eq!(chunking.size(100 * MIB, 5 * MIB), Some(5 * MIB));
        assert!(!chunking.refused("h", 5 * MIB, 5 * MIB));
        assert!(chunking.refused("h", 300 * 1024, 0));
        assert_eq!(chunking.current(0), SMALLEST);
        assert!(!chunking.refused("h", SMALLEST, 0));
        assert!(!chunking.refused("h", 100, 0));
    }

    #[test]
    fn a_small_blob_that_is_refused_sets_the_first_size() {
        let chunking = Chunking::default();
        assert!(chunking.refused("h", 3 * MIB, 0));
        assert_eq!(chunking.size(3 * MIB, 0), Some(2 * MIB));
    }

    #[test]
    fn broken_connections_are_suspected_once_a_blob_breaks_twice() {
        let (chunking, blob) = (Chunking::default(), Digest::of(b"a"));
        chunking.broke("h", &blob, 100 * MIB);
        chunking.broke("h", &Digest::of(b"b"), 100 * MIB);
        assert_eq!(chunking.size(100 * MIB, 0), None);
        chunking.broke("h", &blob, 100 * MIB);
        assert_eq!(chunking.size(100 * MIB, 0), Some(8 * MIB));
        assert!(chunking.unsupported("h"));
        chunking.broke("h", &blob, 100 * MIB);
        assert_eq!(chunking.size(100 * MIB, 0), None, "it takes no chunks");
        assert!(chunking.refused("h", 100 * MIB, 0));
        assert!(!chunking.unsupported("h"), "there is no other way");
    }
}
