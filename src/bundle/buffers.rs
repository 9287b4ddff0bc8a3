//! Buffers that are used again: fresh memory for every chunk costs as much as reading into it,
//! since the system clears each page when it is first touched.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The buffers of one stream that nobody holds. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// Bytes whose buffer goes back when the last one who holds them lets go.
struct Lent {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// `length` bytes of no meaning, to be filled.
    pub(super) fn take(&self, length: usize) -> Vec<u8> {
        let kept = self.lock(Vec::pop);
        let mut bytes = kept.unwrap_or_default();
        bytes.resize(length, 0);
        bytes
    }

    /// Filled bytes on their way; their buffer comes back.
    pub(super) fn lend(&self, bytes: Vec<u8>) -> Bytes {
        let home = self.clone();
        Bytes::from_owner(Lent { bytes, home })
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.lock(|free| free.push(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_the_last_holder_lets_go() {
        let buffers = Buffers::default();
        let mut bytes = buffers.take(100);
        bytes.fill(7);
        let address = bytes.as_ptr();
        let lent = buffers.lend(bytes);
        let part = lent.slice(10..20);
        drop(lent);
        let other = buffers.take(100);
        assert_ne!(other.as_ptr(), address, "a part is still held");
        assert_eq!(&part[..], [7; 10]);
        drop(part);
        let again = buffers.take(60);
        assert_eq!((again.as_ptr(), again.len()), (address, 60));
    }
}
