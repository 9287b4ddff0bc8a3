//! A blob in memory as equal segments: appended without moving what is there, read without
//! copying.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;

use super::{BlobReader, BlobStream};

/// One segment is one chunk of an answer: large enough that the cost per chunk vanishes
/// (measured from 256 KiB on), small enough to interleave connections.
const SEGMENT: usize = 256 * 1024;

/// Takes in the bytes of a blob.
#[derive(Debug, Default)]
pub(super) struct Builder {
    full: Vec<Bytes>,
    last: BytesMut,
}

impl Builder {
    pub(super) fn append(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            let (now, later) = chunk.split_at(chunk.len().min(SEGMENT - self.last.len()));
            self.last.extend_from_slice(now);
            if self.last.len() == SEGMENT {
                let next = BytesMut::with_capacity(SEGMENT);
                let full = std::mem::replace(&mut self.last, next);
                self.full.push(full.freeze());
            }
            chunk = later;
        }
    }

    pub(super) fn finish(mut self) -> MemoryBlob {
        let size = (self.full.len() * SEGMENT + self.last.len()) as u64;
        if !self.last.is_empty() {
            self.full.push(self.last.freeze());
        }
        MemoryBlob {
            segments: self.full.into(),
            size,
        }
    }
}

/// A blob in memory. Cloning copies a pointer.
#[derive(Debug, Clone)]
pub struct MemoryBlob {
    /// All of [`SEGMENT`] bytes but the last.
    segments: Arc<[Bytes]>,
    size: u64,
}

impl MemoryBlob {
    /// The bytes, segment by segment.
    pub(super) fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The slices that hold `length` bytes from `offset` on; what lies beyond the end is left out.
    fn slices(&self, offset: u64, length: u64) -> impl Iterator<Item = Bytes> + Send + use<> {
        let start = clamp(offset, self.size);
        let end = clamp(offset.saturating_add(length), self.size);
        let segments = Arc::clone(&self.segments);
        (start / SEGMENT..end.div_ceil(SEGMENT)).filter_map(move |index| {
            let first = index * SEGMENT;
            let from = start.saturating_sub(first);
            let to = SEGMENT.min(end - first);
            (from < to).then(|| segments[index].slice(from..to))
        })
    }
}

/// Both fit: `size` counts bytes that are in memory.
fn clamp(position: u64, size: u64) -> usize {
    usize::try_from(position.min(size)).unwrap_or(usize::MAX)
}

impl BlobReader for MemoryBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: u64) -> BlobStream {
        Box::pin(stream::iter(self.slices(offset, length).map(Ok)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(size: usize) -> Vec<u8> {
        (0..=250).cycle().take(size).collect()
    }

    fn build(bytes: &[u8], chunk: usize) -> MemoryBlob {
        let mut builder = Builder::default();
        bytes.chunks(chunk).for_each(|c| builder.append(c));
        builder.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_range_reads_what_was_written(
            size in prop_oneof![0..9usize, SEGMENT - 2..SEGMENT + 3, 2 * SEGMENT - 1..3 * SEGMENT],
            chunk in 1..SEGMENT * 2,
            a: prop::sample::Index,
            b: prop::sample::Index,
        ) {
            let all = bytes(size);
            let blob = build(&all, chunk);
            prop_assert_eq!(blob.size(), size as u64);
            let (a, b) = (a.index(size + 1), b.index(size + 1));
            let (from, to) = (a.min(b), a.max(b));
            let read: Vec<u8> = blob.slices(from as u64, (to - from) as u64).flatten().collect();
            prop_assert_eq!(&read, &all[from..to]);
        }
    }

    #[test]
    fn what_lies_beyond_the_end_is_left_out() {
        let blob = build(&bytes(10), 3);
        assert_eq!(blob.slices(8, u64::MAX).flatten().count(), 2);
        assert_eq!(blob.slices(u64::MAX, 1).count(), 0);
        assert_eq!(build(b"", 1).slices(0, 0).count(), 0);
    }
}
