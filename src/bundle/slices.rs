//! Positioned reads over one file or several that are read as one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use camino::Utf8PathBuf;

use super::disk::read_cached;

/// Files that stand for one run of bytes. Reading needs no lock: every read says where.
#[derive(Debug)]
pub(super) struct Slices {
    slices: Vec<Slice>,
    total: u64,
}

#[derive(Debug)]
struct Slice {
    path: Utf8PathBuf,
    file: File,
    start: u64,
    length: u64,
}

impl Slices {
    /// Joins files in order; `length` is how much of each counts.
    pub(super) fn new(files: impl IntoIterator<Item = (Utf8PathBuf, File, u64)>) -> Self {
        let mut total = 0;
        let slices = files.into_iter().map(|(path, file, length)| {
            let start = total;
            total += length;
            Slice {
                path,
                file,
                start,
                length,
            }
        });
        let slices = slices.collect();
        Self { slices, total }
    }

    /// Bytes in all.
    pub(super) fn len(&self) -> u64 {
        self.total
    }

    /// Fills `buffer` from `offset` on; an error when there is not that much.
    pub(super) fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let Some(slice) = self.slice(offset) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let inside = offset - slice.start;
            let left = usize::try_from(slice.length - inside).unwrap_or(usize::MAX);
            let (now, later) = buffer.split_at_mut(left.min(buffer.len()));
            slice.file.read_exact_at(now, inside)?;
            offset += now.len() as u64;
            buffer = later;
        }
        Ok(())
    }

    /// Fills as much of `buffer` from `offset` on as needs no disk; gives how much.
    pub(super) fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let Some(slice) = self.slice(offset) else {
            return 0;
        };
        let inside = offset - slice.start;
        let left = usize::try_from(slice.length - inside).unwrap_or(usize::MAX);
        let here = left.min(buffer.len());
        read_cached(&slice.file, &mut buffer[..here], inside)
    }

    /// The parts of files that hold `length` bytes from `offset` on: path, place in it, length.
    pub(super) fn pieces(&self, offset: u64, length: u64) -> Vec<(&Utf8PathBuf, u64, u64)> {
        let end = offset.saturating_add(length);
        let inside = |slice: &Slice| {
            let from = offset.max(slice.start);
            let to = end.min(slice.start + slice.length);
            (from, to)
        };
        let pieces = self.slices.iter().filter_map(|slice| {
            let (from, to) = inside(slice);
            (from < to).then(|| (&slice.path, from - slice.start, to - from))
        });
        pieces.collect()
    }

    /// The file that holds the byte at `offset`.
    pub(super) fn path_at(&self, offset: u64) -> Option<&Utf8PathBuf> {
        self.slice(offset).map(|slice| &slice.path)
    }

    /// The first path that is no longer the file that is open here, or no longer as long.
    pub(super) fn replaced(&self) -> io::Result<Option<&Utf8PathBuf>> {
        for slice in &self.slices {
            let ours = slice.file.metadata()?;
            let is_ours = match fs::metadata(&slice.path) {
                Ok(named) => {
                    (named.dev(), named.ino(), named.len())
                        == (ours.dev(), ours.ino(), slice.length)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            };
            if !is_ours {
                return Ok(Some(&slice.path));
            }
        }
        Ok(None)
    }

    fn slice(&self, offset: u64) -> Option<&Slice> {
        let after = self.slices.partition_point(|slice| slice.start <= offset);
        self.slices[..after]
            .iter()
            .rev()
            .find(|slice| offset - slice.start < slice.length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn slices_read_as_one(
            lengths in prop::collection::vec(0..40usize, 1..6),
            a: prop::sample::Index,
            b: prop::sample::Index,
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let total: usize = lengths.iter().sum();
            let whole: Vec<u8> = (0..=250).cycle().take(total).collect();
            let mut files = Vec::new();
            let mut at = 0;
            for (index, &length) in lengths.iter().enumerate() {
                let path = Utf8PathBuf::from_path_buf(dir.path().join(index.to_string()))
                    .expect("UTF-8");
                std::fs::write(&path, &whole[at..at + length]).expect("written");
                at += length;
                files.push((path.clone(), File::open(&path).expect("open"), length as u64));
            }
            let slices = Slices::new(files);
            prop_assert_eq!(slices.len(), total as u64);
            let (a, b) = (a.index(total + 1), b.index(total + 1));
            let (from, to) = (a.min(b), a.max(b));
            let mut buffer = vec![0; to - from];
            slices.read_exact_at(&mut buffer, from as u64).expect("inside");
            prop_assert_eq!(&buffer, &whole[from..to]);
            let mut beyond = vec![0; to - from + 1];
            prop_assert!(slices.read_exact_at(&mut beyond, total as u64 - (to - from) as u64).is_err());
        }
    }
}
