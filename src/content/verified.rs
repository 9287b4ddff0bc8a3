//! A digest check that cannot be forgotten.

use bytes::Bytes;

use super::{Code, Failure, Held};
use crate::oci::{Descriptor, Digest, Hasher};

/// Hashes and counts what passes, one chunk behind: the newest chunk is held back until the one
/// after it comes, and the last one until size and digest match.
///
/// An error raised after the last byte would never be seen: an HTTP client that has sent
/// `Content-Length` bytes stops asking its body for more, and wrong bytes of the right length
/// would be committed.
pub struct Verified {
    hasher: Hasher,
    held: Option<Bytes>,
    seen: u64,
    size: u64,
    digest: Digest,
}

impl Verified {
    /// Expects the content that `descriptor` names.
    pub fn new(descriptor: &Descriptor) -> Self {
        Self {
            hasher: Hasher::new(descriptor.digest.algorithm()),
            held: None,
            seen: 0,
            size: descriptor.size,
            digest: descriptor.digest.clone(),
        }
    }

    /// As [`new`](Self::new), when the content's first bytes are there and hashed already.
    pub fn resume(descriptor: &Descriptor, held: Held) -> Self {
        Self {
            hasher: held.hasher,
            seen: held.bytes,
            ..Self::new(descriptor)
        }
    }

    /// How many bytes were taken in: where a broken stream goes on.
    pub fn offset(&self) -> u64 {
        self.seen
    }

    /// Takes in the next chunk and gives the one before it. `host` is where it came from.
    pub fn push(&mut self, chunk: Bytes, host: &str) -> Result<Option<Bytes>, Failure> {
        if chunk.is_empty() {
            return Ok(None);
        }
        self.seen += chunk.len() as u64;
        if self.seen > self.size {
            let message = format!("the blob is longer than the {} bytes announced", self.size);
            return Err(
                Failure::new(Code::SizeMismatch, host, message).about(&self.digest.clone().into())
            );
        }
        self.hasher.update(&chunk);
        Ok(self.held.replace(chunk))
    }

    /// Ends the stream: the last chunk, when everything matched (`None` for an empty blob).
    pub fn finish(self, host: &str) -> Result<Option<Bytes>, Failure> {
        let fail = |code, message: String| {
            Err(Failure::new(code, host, message).about(&self.digest.clone().into()))
        };
        if self.seen != self.size {
            return fail(
                Code::SizeMismatch,
                format!("the blob ended after {} of {} bytes", self.seen, self.size),
            );
        }
        let found = self.hasher.finish();
        if found != self.digest {
            return fail(
                Code::DigestMismatch,
                format!(
                    "the bytes hash to {found}: something between the registry and here changes them"
                ),
            );
        }
        Ok(self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(bytes: &[u8]) -> Descriptor {
        Descriptor::new("x", Digest::of(bytes), bytes.len() as u64)
    }

    #[test]
    fn the_last_chunk_waits_for_the_verdict() {
        let mut verified = Verified::new(&descriptor(b"abcdef"));
        assert_eq!(
            verified
                .push(Bytes::from_static(b"abc"), "h")
                .expect("fits"),
            None
        );
        let first = verified
            .push(Bytes::from_static(b"def"), "h")
            .expect("fits");
        assert_eq!(first.as_deref(), Some(&b"abc"[..]));
        assert_eq!(verified.offset(), 6);
        assert_eq!(
            verified.finish("h").expect("sound").as_deref(),
            Some(&b"def"[..])
        );
    }

    #[test]
    fn wrong_bytes_never_leave_whole() {
        let mut verified = Verified::new(&descriptor(b"abcdef"));
        assert_eq!(
            verified
                .push(Bytes::from_static(b"abcdeX"), "h")
                .expect("fits"),
            None
        );
        assert_eq!(
            verified.finish("h").expect_err("wrong").code(),
            Code::DigestMismatch
        );

        let mut short = Verified::new(&descriptor(b"abcdef"));
        short.push(Bytes::from_static(b"abc"), "h").expect("fits");
        assert_eq!(
            short.finish("h").expect_err("short").code(),
            Code::SizeMismatch
        );

        let mut long = Verified::new(&descriptor(b"abc"));
        assert!(long.push(Bytes::from_static(b"abcd"), "h").is_err());
    }

    #[test]
    fn an_empty_blob_has_no_chunk() {
        let verified = Verified::new(&descriptor(b""));
        assert_eq!(verified.finish("h").expect("sound"), None);
    }
}
