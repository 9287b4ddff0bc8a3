//! Chunks of the network on their way to become a piece.

use bytes::Bytes;

/// What is written at once: from here on the cost of handing over is lost in that of the bytes.
pub(super) const PIECE: usize = 1 << 20;

/// Chunks below this size are copied together: each that is kept costs a write and keeps the whole
/// buffer of the network that it is a part of.
const SMALL: usize = 64 << 10;

/// Bytes that wait for their piece to be full.
///
/// Until it is, it keeps less than [`PIECE`] / [`SMALL`] = 16 large chunks and at most one buffer of
/// its own before and after each. Its own buffers are less than twice a piece together. A large chunk
/// is as the network gave it: hyper reads into buffers of up to 408 KiB, so that in a stream made to
/// waste them 15 chunks hold 6 MiB; usual ones hold little more than their bytes.
#[derive(Default)]
pub(super) struct Gathered {
    chunks: Vec<Bytes>,
    /// The small ones that came after all of them.
    joined: Vec<u8>,
    bytes: usize,
}

impl Gathered {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        let missing = PIECE.saturating_sub(self.bytes);
        self.bytes += chunk.len();
        if chunk.len() >= SMALL {
            self.close();
            self.chunks.push(chunk);
            return;
        }
        if self.joined.capacity() - self.joined.len() < chunk.len() {
            // Twice as much each time, but no more than the piece can still take.
            let more = self.joined.len().min(missing).max(chunk.len());
            self.joined.reserve_exact(more);
        }
        self.joined.extend_from_slice(&chunk);
    }

    /// All bytes in their order, as they should be written.
    pub(super) fn into_parts(mut self) -> Vec<Bytes> {
        self.close();
        self.chunks
    }

    fn close(&mut self) {
        if !self.joined.is_empty() {
            self.chunks.push(std::mem::take(&mut self.joined).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes() -> impl Strategy<Value = Vec<usize>> {
        let size = prop_oneof![
            4 => 0..4_usize,
            2 => 0..SMALL,
            1 => SMALL - 1..SMALL + 2,
            2 => SMALL..400_000,
        ];
        // Runs of one size, and mixtures.
        let runs = prop::collection::vec((size, 1..40_usize), 0..40);
        runs.prop_map(|runs| {
            let runs = runs.into_iter();
            runs.flat_map(|(size, times)| std::iter::repeat_n(size, times))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn all_bytes_stay_in_their_order_and_few_chunks_are_kept(sizes in sizes()) {
            let mut gathered = Gathered::default();
            let (mut expected, mut large) = (Vec::new(), Vec::new());
            for (number, size) in sizes.into_iter().enumerate() {
                if gathered.bytes() >= PIECE {
                    break;
                }
                let chunk: Vec<u8> = (0..size).map(|at| (at * 7 + number).to_le_bytes()[0]).collect();
                expected.extend_from_slice(&chunk);
                let chunk = Bytes::from(chunk);
                if size >= SMALL {
                    large.push(chunk.as_ptr());
                }
                gathered.push(chunk);
                prop_assert_eq!(gathered.bytes(), expected.len());
                prop_assert!(gathered.chunks.len() <= 2 * PIECE / SMALL);
                prop_assert!(gathered.joined.capacity() < PIECE + SMALL);
            }
            let parts = gathered.into_parts();
            prop_assert!(parts.len() <= 2 * PIECE / SMALL + 1);
            prop_assert!(parts.concat() == expected);
            let kept: Vec<_> = parts.iter().map(|part| part.as_ptr()).collect();
            prop_assert!(large.iter().all(|chunk| kept.contains(chunk)), "a large one was copied");
        }
    }

    #[test]
    fn a_piece_of_single_bytes_is_one_buffer() {
        let mut gathered = Gathered::default();
        for at in 0..PIECE {
            gathered.push(Bytes::copy_from_slice(&at.to_le_bytes()[..1]));
        }
        assert_eq!(gathered.joined.capacity(), PIECE);
        assert!(gathered.chunks.is_empty());
        assert_eq!(gathered.into_parts().len(), 1);
    }
}
