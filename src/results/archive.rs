//! Reads a `.tar.gz`, a `.tar` or an extracted folder member by member, in one pass and without
//! writing anything. What a member means is the visitor's business.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use camino::Utf8Path;
use flate2::bufread::GzDecoder;
use tar::{Archive, EntryType, PaxExtensions};

use super::counted::{Counted, END, OverLimit, over_limit};
use super::error::ResultsError;
use super::limits;
use crate::archive_path::normalised;

/// What is done with the members.
pub(super) trait Visitor {
    /// One regular file: its safe path, its size as the archive states it, its bytes.
    fn member(&mut self, path: &str, size: u64, data: &mut dyn Read) -> io::Result<()>;

    /// A member that is not read, and why.
    fn passed_over(&mut self, path: &str, why: &str);
}

/// Gzip's magic number (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads everything at `path`.
pub(super) fn read(path: &Utf8Path, visitor: &mut dyn Visitor) -> Result<(), ResultsError> {
    let unreadable = |source| ResultsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        let mut folder = Folder { visitor, count: 0 };
        return folder
            .read(path.as_std_path(), "", 0)
            .map_err(|e| explained(path, e, 0, false));
    }
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(unreadable)?);
    let start = file.fill_buf().map_err(unreadable)?;
    if start.is_empty() {
        return Err(ResultsError::Empty {
            path: path.to_owned(),
        });
    }
    let looks_like = looks_like(start);
    if start.starts_with(&GZIP) {
        read_tar(
            path,
            GzDecoder::new(file),
            "gzip of something else",
            visitor,
        )
    } else {
        read_tar(path, file, looks_like, visitor)
    }
}

fn read_tar<R: Read>(
    path: &Utf8Path,
    reader: R,
    looks_like: &'static str,
    visitor: &mut dyn Visitor,
) -> Result<(), ResultsError> {
    let mut tar = Archive::new(Counted::new(reader, limits::TOTAL));
    let mut count = 0;
    let read = read_members(&mut tar, visitor, &mut count);
    let mut rest = tar.into_inner();
    // The gzip checksum stands behind the last byte, so the end is read as well.
    let read = read.and_then(|()| io::copy(&mut rest, &mut io::sink()).map(drop));
    let seen = rest.seen();
    match read {
        Ok(()) if seen == 0 => Err(ResultsError::Empty {
            path: path.to_owned(),
        }),
        Ok(()) if rest.trailing_zeros() < END => Err(ResultsError::Truncated {
            path: path.to_owned(),
            unpacked: seen,
            reason: "the blocks that end a tar are missing".into(),
        }),
        Ok(()) => Ok(()),
        Err(e) if count == 0 && not_tar(&e) => Err(ResultsError::NotATarball {
            path: path.to_owned(),
            looks_like,
        }),
        Err(e) => Err(explained(path, e, seen, rest.ended())),
    }
}

/// Members as they stand, extension headers included: the tar crate's own handling of these would
/// read a name of any length into memory.
fn read_members<R: Read>(
    tar: &mut Archive<R>,
    visitor: &mut dyn Visitor,
    count: &mut u64,
) -> io::Result<()> {
    let mut name = None;
    for entry in tar.entries()?.raw(true) {
        let mut entry = entry?;
        *count += 1;
        if *count > limits::MEMBERS {
            return Err(OverLimit::members());
        }
        let size = entry.size();
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            let bytes = bounded(&mut entry, size, limits::EXTENSION, "an extension header")?;
            let found = if kind.is_gnu_longname() {
                Some(bytes.split(|&b| b == 0).next().unwrap_or(&[]).to_vec())
            } else {
                pax_path(&bytes)?
            };
            name = found.or(name);
            continue;
        }
        if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            continue;
        }
        let raw = name
            .take()
            .unwrap_or_else(|| entry.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&raw).into_owned();
        if size > limits::MEMBER {
            return Err(OverLimit::of(shown, limits::MEMBER));
        }
        match (kind, normalised(&raw)) {
            (EntryType::Directory, Ok(_)) => {}
            (EntryType::Regular | EntryType::Continuous, Ok(path)) if path.is_empty() => {}
            // A path of the oldest tars that ends in a slash is a folder.
            (EntryType::Regular, Ok(_)) if raw.ends_with(b"/") => {}
            (EntryType::Regular | EntryType::Continuous, Ok(path)) => {
                visitor.member(&path, size, &mut entry)?;
            }
            (_, Err(refused)) => visitor.passed_over(&shown, refused.as_str()),
            (EntryType::Symlink | EntryType::Link, Ok(path)) => {
                visitor.passed_over(&path, "it is a link");
            }
            (_, Ok(path)) => visitor.passed_over(&path, "it is no plain file"),
        }
    }
    Ok(())
}

/// The `path` record of a pax header (POSIX pax, "pax Extended Header").
fn pax_path(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut path = None;
    for record in PaxExtensions::new(bytes) {
        let record = record?;
        match record.key_bytes() {
            b"path" => path = Some(record.value_bytes().to_vec()),
            // Written only for members of 8 GiB and more.
            b"size" => return Err(OverLimit::of("a member".into(), limits::MEMBER)),
            _ => {}
        }
    }
    Ok(path)
}

/// The whole of `data`, at most `limit` bytes.
pub(super) fn bounded(
    data: &mut dyn Read,
    size: u64,
    limit: u64,
    what: &str,
) -> io::Result<Vec<u8>> {
    if size > limit {
        return Err(OverLimit::of(what.to_owned(), limit));
    }
    let mut bytes = Vec::new();
    data.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        n if n > limit => Err(OverLimit::of(what.to_owned(), limit)),
        n if n < size => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(bytes),
    }
}

/// An extracted archive. Links are not followed.
struct Folder<'a> {
    visitor: &'a mut dyn Visitor,
    count: u64,
}

impl Folder<'_> {
    fn read(&mut self, folder: &Path, inside: &str, depth: usize) -> io::Result<()> {
        let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            self.count += 1;
            if self.count > limits::MEMBERS {
                return Err(OverLimit::members());
            }
            let name = entry.file_name();
            let path = format!("{inside}{}", name.to_string_lossy());
            if let Err(refused) = normalised(name.as_encoded_bytes()) {
                self.visitor.passed_over(&path, refused.as_str());
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < limits::DEPTH {
                self.read(&entry.path(), &format!("{path}/"), depth + 1)?;
            } else if kind.is_file() {
                let mut file = File::open(entry.path())?;
                let size = file.metadata()?.len();
                self.visitor.member(&path, size, &mut file)?;
            } else if kind.is_symlink() {
                self.visitor.passed_over(&path, "it is a link");
            } else {
                self.visitor.passed_over(&path, "it is no plain file");
            }
        }
        Ok(())
    }
}

/// Whether the first header already was none.
fn not_tar(error: &io::Error) -> bool {
    over_limit(error).is_none() && error.kind() == io::ErrorKind::Other
}

fn explained(path: &Utf8Path, error: io::Error, unpacked: u64, ended: bool) -> ResultsError {
    let path = path.to_owned();
    if let Some(over) = over_limit(&error) {
        return over.clone().explained(path);
    }
    if ended || error.kind() == io::ErrorKind::UnexpectedEof {
        return ResultsError::Truncated {
            path,
            unpacked,
            reason: error.to_string(),
        };
    }
    match error.kind() {
        io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            ResultsError::Damaged {
                path,
                reason: error.to_string(),
            }
        }
        _ => ResultsError::Unreadable {
            path,
            source: error,
        },
    }
}

/// What a file that is no tar begins like, for the message.
fn looks_like(start: &[u8]) -> &'static str {
    let text = start.trim_ascii_start();
    let magic: [(&[u8], &str); 8] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b"BZh", "a bzip2 file"),
        (b"{", "JSON"),
        (b"[", "JSON"),
        (b"<?xml", "XML"),
        (b"<", "a web page"),
    ];
    if let Some((_, name)) = magic.iter().find(|(magic, _)| text.starts_with(magic)) {
        return name;
    }
    let head = &start[..start.len().min(512)];
    if head
        .iter()
        .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
    {
        "text"
    } else {
        "unknown binary data"
    }
}
