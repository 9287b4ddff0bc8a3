//! Takes the one program out of a layer's archive. The archive is hostile until proven otherwise:
//! headers are read one by one, nothing but that one regular file is written, and to a place that
//! no name in the archive decides.

use std::io::{self, Read, Write};

use flate2::read::MultiGzDecoder;
use tar::Archive;

use super::member::{Meaning, PROGRAM, meaning};

/// How a layer is compressed, told by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
}

impl Compression {
    /// Of a layer of this media type; why not, when it cannot be read.
    pub(super) fn of(media_type: &str) -> Result<Self, String> {
        let is = |endings: &[&str]| endings.iter().any(|ending| media_type.ends_with(ending));
        if is(&["tar+gzip", "tar.gzip"]) {
            Ok(Self::Gzip)
        } else if is(&[".tar"]) {
            Ok(Self::None)
        } else {
            Err(format!(
                "layers of the type {media_type} are not read, only tar and gzip"
            ))
        }
    }
}

/// How much is taken in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of the program.
    pub(super) program: u64,
    /// Bytes of the archive, unpacked.
    pub(super) archive: u64,
}

/// The program of Kubernetes 1.36 has 120 MB, its layer little more.
pub(super) const LIMITS: Limits = Limits {
    program: 1 << 30,
    archive: 4 << 30,
};

/// What a layer holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The program, which was written.
    Program,
    /// A mark that no lower layer's program counts.
    Removed,
    /// Neither.
    Nothing,
}

/// Why a layer was given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExtractError {
    /// It is no archive of the announced kind.
    #[error("{0}")]
    Unreadable(io::Error),
    /// It is one that nobody should unpack.
    #[error("{0}")]
    Refused(String),
    /// The program cannot be written.
    #[error("{0}")]
    Disk(io::Error),
}

/// Looks through a layer and writes the program. It stops at the program: an archive holds each
/// path once (image-spec, layer.md).
pub(super) fn extract(
    layer: impl Read,
    compression: Compression,
    limits: Limits,
    into: &mut impl Write,
) -> Result<Found, ExtractError> {
    match compression {
        Compression::None => scan(layer, limits, into),
        // Some builders write a gzip member a file.
        Compression::Gzip => scan(MultiGzDecoder::new(layer), limits, into),
    }
}

fn scan(archive: impl Read, limits: Limits, into: &mut impl Write) -> Result<Found, ExtractError> {
    let mut archive = Archive::new(Limited {
        inner: archive,
        left: limits.archive,
    });
    let mut found = Found::Nothing;
    // Raw: long names and extended headers are entries to be skipped. Read as what they are they
    // would be taken into memory whole, and the one name that counts needs none.
    let entries = archive.entries().map_err(foreign)?.raw(true);
    for entry in entries {
        let mut entry = entry.map_err(foreign)?;
        let kind = entry.header().entry_type();
        match meaning(&entry.path_bytes(), kind) {
            Meaning::Nothing => {}
            Meaning::Hides => found = Found::Removed,
            Meaning::Program if !kind.is_file() => {
                return Err(ExtractError::Refused(format!(
                    "{PROGRAM} is no regular file in it"
                )));
            }
            Meaning::Program => {
                let size = entry.size();
                if size > limits.program {
                    return Err(ExtractError::Refused(format!(
                        "{PROGRAM} has {size} bytes, more than {}",
                        limits.program
                    )));
                }
                copy(&mut entry, size, into)?;
                return Ok(Found::Program);
            }
        }
    }
    Ok(found)
}

/// Copies exactly `size` bytes, telling the two sides' errors apart.
fn copy(from: &mut impl Read, size: u64, into: &mut impl Write) -> Result<(), ExtractError> {
    let mut buffer = vec![0; 64 << 10];
    let mut left = size;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = match from.read(&mut buffer[..wanted]) {
            Ok(0) => return Err(foreign(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(foreign(e)),
        };
        into.write_all(&buffer[..read])
            .map_err(ExtractError::Disk)?;
        left -= read as u64;
    }
    into.flush().map_err(ExtractError::Disk)
}

/// Says which kind of error a reading of the archive is.
fn foreign(error: io::Error) -> ExtractError {
    match error.get_ref() {
        Some(inner) if inner.is::<TooLong>() => ExtractError::Refused(inner.to_string()),
        _ => ExtractError::Unreadable(error),
    }
}

/// A small file can unpack to a hundred gigabytes of zeros.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than is ever taken in")]
struct TooLong;

/// Fails where a plain `take` would seem to end.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(TooLong))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::{Member, gzip, tar};
    use proptest::prelude::*;

    const SMALL: Limits = Limits {
        program: 1000,
        archive: 20_000,
    };

    fn of(members: &[Member]) -> (Result<Found, ExtractError>, Vec<u8>) {
        let mut written = Vec::new();
        let layer = gzip(&tar(members));
        let found = extract(&layer[..], Compression::Gzip, SMALL, &mut written);
        (found, written)
    }

    fn refusal(members: &[Member]) -> String {
        match of(members) {
            (Err(ExtractError::Refused(why)), written) => {
                assert_eq!(written, b"", "{why}");
                why
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_program_is_found_among_others() {
        let program = Member::file("./usr/local/bin/e2e.test", b"#!/bin/sh\n");
        let other = Member::file("usr/local/bin/ginkgo", &[7; 3000]);
        let (found, written) = of(&[other.clone(), program.clone(), other.clone()]);
        assert_eq!(found.expect("a program"), Found::Program);
        assert_eq!(written, b"#!/bin/sh\n");
        let plain = tar(&[other.clone(), program]);
        let mut written = Vec::new();
        let found = extract(&plain[..], Compression::None, SMALL, &mut written);
        assert_eq!(found.expect("a program"), Found::Program);
        assert_eq!(of(&[other]).0.expect("an archive"), Found::Nothing);
    }

    #[test]
    fn a_whiteout_counts_for_lower_layers_only() {
        let mark = Member::file("usr/local/bin/.wh.e2e.test", b"");
        let program = Member::file(PROGRAM, b"x");
        assert_eq!(
            of(std::slice::from_ref(&mark)).0.expect("one"),
            Found::Removed
        );
        assert_eq!(of(&[mark, program]).0.expect("one"), Found::Program);
    }

    #[test]
    fn what_is_no_plain_file_of_sensible_size_is_refused() {
        for link in [
            Member::link(PROGRAM, "/bin/sh"),
            Member::hard_link(PROGRAM, "etc/shadow"),
            Member::folder(PROGRAM),
        ] {
            assert!(refusal(&[link]).contains("no regular file"));
        }
        let huge = Member::file(PROGRAM, &[0; 1001]);
        assert!(refusal(&[huge]).contains("1001 bytes, more than 1000"));
        let claims = Member::file(PROGRAM, b"x").claiming(1 << 40);
        assert!(refusal(&[claims]).contains("more than 1000"));
        let bomb = Member::file("zeros", &vec![0; 50_000]);
        assert!(refusal(&[bomb]).contains("unpacks to more"));
        let names = Member::file("a", b"").long_name(&vec![b'x'; 50_000]);
        assert!(refusal(&[names]).contains("unpacks to more"));
    }

    #[test]
    fn a_name_that_only_leads_there_is_not_the_program() {
        for name in ["../usr/local/bin/e2e.test", "usr/local/bin/../bin/e2e.test"] {
            let (found, written) = of(&[Member::file(name, b"x")]);
            assert_eq!(found.expect("an archive"), Found::Nothing, "{name}");
            assert_eq!(written, b"");
        }
    }

    #[test]
    fn what_ends_early_or_is_no_archive_is_unreadable() {
        let whole = gzip(&tar(&[Member::file(PROGRAM, &[9; 900])]));
        for layer in [&whole[..whole.len() / 2], b"not gzip", &gzip(&[1; 512])] {
            let found = extract(layer, Compression::Gzip, SMALL, &mut Vec::new());
            assert!(
                matches!(found, Err(ExtractError::Unreadable(_))),
                "{found:?}"
            );
        }
        let cut = &tar(&[Member::file(PROGRAM, &[9; 900])])[..600];
        let found = extract(cut, Compression::None, SMALL, &mut Vec::new());
        assert!(
            matches!(found, Err(ExtractError::Unreadable(_))),
            "{found:?}"
        );
    }

    #[test]
    fn media_types_tell_the_compression() {
        for (media_type, compression) in [
            (
                "application/vnd.oci.image.layer.v1.tar+gzip",
                Compression::Gzip,
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Compression::Gzip,
            ),
            ("application/vnd.oci.image.layer.v1.tar", Compression::None),
        ] {
            assert_eq!(Compression::of(media_type), Ok(compression));
        }
        let zstd = Compression::of("application/vnd.oci.image.layer.v1.tar+zstd");
        assert!(zstd.expect_err("not read").contains("tar+zstd"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut written = Vec::new();
            for compression in [Compression::None, Compression::Gzip] {
                let found = extract(&bytes[..], compression, SMALL, &mut written);
                prop_assert!(!matches!(found, Err(ExtractError::Disk(_))));
            }
        }
    }
}
