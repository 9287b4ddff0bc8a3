//! A reader that counts, stops at the archive's bound, and remembers how the data ended.

use std::io::{self, Read};

use camino::Utf8PathBuf;

use super::error::ResultsError;
use super::limits;

/// A tar ends in two blocks of 512 zeros (POSIX pax, "ustar Interchange Format"); one without even
/// the first was cut.
pub(super) const END: usize = 512;

/// Passes bytes through; an error of its own once more than `limit` came.
pub(super) struct Counted<R> {
    inner: R,
    seen: u64,
    limit: u64,
    trailing_zeros: usize,
    ended: bool,
}

/// A bound was passed. Travels inside an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OverLimit {
    #[error("{what} has more than {limit} bytes")]
    Bytes { what: String, limit: u64 },
    #[error("more than {limit} members")]
    Members { limit: u64 },
}

impl OverLimit {
    /// `what` has more than `limit` bytes.
    pub(super) fn of(what: String, limit: u64) -> io::Error {
        io::Error::other(Self::Bytes { what, limit })
    }

    /// The archive has too many members.
    pub(super) fn members() -> io::Error {
        let limit = limits::MEMBERS;
        io::Error::other(Self::Members { limit })
    }

    /// As the caller of the room sees it.
    pub(super) fn explained(self, path: Utf8PathBuf) -> ResultsError {
        match self {
            Self::Bytes { what, limit } => ResultsError::TooLarge { path, what, limit },
            Self::Members { limit } => ResultsError::TooMany { path, limit },
        }
    }
}

impl<R: Read> Counted<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            seen: 0,
            limit,
            trailing_zeros: 0,
            ended: false,
        }
    }

    /// Whether the source said that nothing more comes.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Bytes that came so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Zero bytes at the end of what came, counted up to [`END`].
    pub(super) fn trailing_zeros(&self) -> usize {
        self.trailing_zeros
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.ended |= n == 0 && !buf.is_empty();
        self.seen += n as u64;
        if self.seen > self.limit {
            return Err(OverLimit::of("its unpacked content".into(), self.limit));
        }
        let tail = &buf[n.saturating_sub(END)..n];
        let zeros = tail.iter().rev().take_while(|&&b| b == 0).count();
        let before = if zeros == n { self.trailing_zeros } else { 0 };
        self.trailing_zeros = (before + zeros).min(END);
        Ok(n)
    }
}

/// Whether `error` is [`OverLimit`].
pub(super) fn over_limit(error: &io::Error) -> Option<&OverLimit> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_the_bound() {
        let mut out = Vec::new();
        let error = Counted::new(io::repeat(0), 1000)
            .read_to_end(&mut out)
            .expect_err("an endless source");
        assert!(matches!(
            over_limit(&error),
            Some(OverLimit::Bytes { limit: 1000, .. })
        ));
        assert!(out.len() <= 1000);
    }

    #[test]
    fn remembers_the_zeros_at_the_end() {
        let data = [&[0; 40][..], b"x", &[0; 700]].concat();
        let mut reader = Counted::new(&data[..], 10_000);
        let mut small = [0; 64];
        while reader.read(&mut small).expect("memory") > 0 {}
        assert_eq!((reader.seen(), reader.trailing_zeros()), (741, END));
        let data = [&[0; 40][..], b"x", &[0; 70]].concat();
        let mut reader = Counted::new(&data[..], 10_000);
        while reader.read(&mut small).expect("memory") > 0 {}
        assert_eq!(reader.trailing_zeros(), 70);
    }
}
