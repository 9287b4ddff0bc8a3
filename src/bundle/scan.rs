//! Finds the members of a foreign tar by reading its headers and nothing else: bodies are jumped
//! over, and every shape that could mislead ends in its own [`TarFault`]. What a member means is
//! the business of who asked.

use std::collections::HashSet;
use std::io;

use tar::{EntryType, Header, PaxExtensions};

use super::tar_fault::{TarFault, shown};
use super::tar_header::BLOCK;
use crate::archive_path::{Refused, normalised};

/// More members than this are no set of images: all of a Kubernetes minor are about 1,500.
pub const MEMBERS: usize = 100_000;

/// The longest body of a long name or of a pax header that is read into memory, in bytes.
const EXTENSION: u64 = 64 << 10;

/// The longest path: a SHA-512 blob needs 141 bytes, the rest are other tools' own files.
const PATH: usize = 1024;

/// The most bytes behind the end mark, all of them zeros. Tools fill up to a record, 10 KiB unless
/// told otherwise; more is what is left of another, longer file.
const TAIL: u64 = 1 << 20;

/// Bytes that are read at any place, without a cursor to share.
pub trait ReadAt {
    /// How many there are.
    fn size(&self) -> u64;
    /// Fills `into` from `offset` on, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let found = from.and_then(|from| self.get(from..)?.get(..into.len()));
        into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// One regular file of a tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path: `/` between the parts, no `./` in front, never absolute, never `..`.
    pub path: String,
    /// Where its bytes begin in the tar.
    pub offset: u64,
    /// How many there are; all of them lie inside the tar.
    pub size: u64,
}

/// The regular files of a tar, in order.
///
/// Reads one block a member, and the bounded bodies of long names and pax headers.
pub fn scan(tar: &(impl ReadAt + ?Sized)) -> Result<Vec<Member>, TarFault> {
    let mut walk = Walk {
        tar,
        size: tar.size(),
        at: 0,
        headers: 0,
        pending: Pending::default(),
        members: Vec::new(),
        seen: HashSet::new(),
    };
    walk.begins_like_a_tar()?;
    while let Some(header) = walk.header()? {
        walk.entry(&header)?;
    }
    Ok(walk.members)
}

/// What extension headers say about the member that follows them.
#[derive(Default)]
struct Pending {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Walk<'a, R: ?Sized> {
    tar: &'a R,
    size: u64,
    /// Where the next header is.
    at: u64,
    headers: usize,
    pending: Pending,
    members: Vec<Member>,
    seen: HashSet<String>,
}

impl<R: ReadAt + ?Sized> Walk<'_, R> {
    /// Tells what is no tar at all from a tar that is damaged further on.
    fn begins_like_a_tar(&self) -> Result<(), TarFault> {
        let length = usize::try_from(self.size.min(BLOCK)).unwrap_or(0);
        let mut start = vec![0; length];
        self.tar.read_exact_at(&mut start, 0)?;
        match <&[u8; 512]>::try_from(&*start) {
            Ok(block) if is_zero(block) || checksum_holds(block) => Ok(()),
            Ok(block) if block[257..].starts_with(b"ustar") => {
                Err(TarFault::Checksum { offset: 0 })
            }
            _ => Err(TarFault::no_tar(&start)),
        }
    }

    fn block(&self, offset: u64, missing: &str) -> Result<[u8; 512], TarFault> {
        if self.size.saturating_sub(offset) < BLOCK {
            return Err(self.truncated(missing.to_owned()));
        }
        let mut block = [0; 512];
        self.tar.read_exact_at(&mut block, offset)?;
        Ok(block)
    }

    fn truncated(&self, missing: String) -> TarFault {
        TarFault::Truncated {
            size: self.size,
            missing,
        }
    }

    /// The next header; `None` at the end mark.
    fn header(&mut self) -> Result<Option<Header>, TarFault> {
        const NO_END: &str = "the two empty blocks that end a tar are missing";
        let missing = if self.at == self.size {
            NO_END
        } else {
            "it ends in the middle of a member's header"
        };
        let block = self.block(self.at, missing)?;
        if is_zero(&block) {
            if !is_zero(&self.block(self.at + BLOCK, NO_END)?) {
                return Err(TarFault::AfterEnd {
                    offset: self.at + BLOCK,
                });
            }
            self.nothing_follows(self.at + 2 * BLOCK)?;
            if self.pending.path.is_some() || self.pending.size.is_some() {
                return Err(TarFault::Extension {
                    offset: self.at,
                    reason: "the member it speaks of is missing".to_owned(),
                });
            }
            return Ok(None);
        }
        if !checksum_holds(&block) {
            return Err(TarFault::Checksum { offset: self.at });
        }
        self.headers += 1;
        if self.headers > MEMBERS {
            return Err(TarFault::TooMany { limit: MEMBERS });
        }
        Ok(Some(Header::from_byte_slice(&block).clone()))
    }

    fn nothing_follows(&self, from: u64) -> Result<(), TarFault> {
        let rest = self.size.saturating_sub(from).min(TAIL);
        let mut tail = vec![0; usize::try_from(rest).unwrap_or(0)];
        self.tar.read_exact_at(&mut tail, from)?;
        match tail.iter().position(|byte| *byte != 0) {
            None if self.size.saturating_sub(from) > TAIL => Err(TarFault::AfterEnd {
                offset: from + TAIL,
            }),
            None => Ok(()),
            Some(at) => Err(TarFault::AfterEnd {
                offset: from + at as u64,
            }),
        }
    }

    fn entry(&mut self, header: &Header) -> Result<(), TarFault> {
        let start = self.at + BLOCK;
        let kind = header.entry_type();
        let Some(stated) = number(&header.as_old().size) else {
            return Err(self.bad_size(header, "its size cannot be read"));
        };
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            self.extension(kind, start, stated)?;
        } else if kind.is_pax_global_extensions() {
            let bytes = self.extension_body(start, stated)?;
            let global = pax(&bytes, self.at)?;
            if global.path.is_some() || global.size.is_some() {
                return Err(TarFault::Extension {
                    offset: self.at,
                    reason: "it gives every member the same path or size".to_owned(),
                });
            }
        } else if !kind.is_gnu_longlink() {
            return self.member(header, kind, start, stated);
        }
        self.jump(start, stated)
            .ok_or_else(|| self.bad_size(header, "its size is larger than any file"))
    }

    fn extension(&mut self, kind: EntryType, start: u64, size: u64) -> Result<(), TarFault> {
        let bytes = self.extension_body(start, size)?;
        if kind.is_gnu_longname() {
            let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            self.pending.path = Some(name.to_vec());
        } else {
            let found = pax(&bytes, self.at)?;
            self.pending.path = found.path.or(self.pending.path.take());
            self.pending.size = found.size.or(self.pending.size);
        }
        Ok(())
    }

    fn extension_body(&self, start: u64, size: u64) -> Result<Vec<u8>, TarFault> {
        if size > EXTENSION {
            return Err(TarFault::Extension {
                offset: self.at,
                reason: format!("it is {size} bytes long, at most {EXTENSION} are read"),
            });
        }
        if self.size.saturating_sub(start) < size {
            return Err(self.truncated("it ends in the middle of an extension header".to_owned()));
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.tar.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }

    fn member(
        &mut self,
        header: &Header,
        kind: EntryType,
        start: u64,
        stated: u64,
    ) -> Result<(), TarFault> {
        let pending = std::mem::take(&mut self.pending);
        let raw = pending
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let size = pending.size.unwrap_or(stated);
        let name = shown(&raw);
        if raw.len() > PATH {
            return Err(TarFault::Name { member: name });
        }
        let path = normalised(&raw).map_err(|refused| misplaced(refused, name.clone()))?;
        let is_folder = kind.is_dir() || (kind.is_file() && raw.ends_with(b"/"));
        if is_folder {
            // Some readers jump over the stated bytes of a folder and some do not.
            if size != 0 {
                let reason = "a folder has no bytes of its own";
                return Err(TarFault::Size {
                    member: name,
                    reason,
                });
            }
        } else if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            return Err(TarFault::special(kind, name));
        } else if path.is_empty() {
            return Err(TarFault::Name { member: name });
        }
        let Some(()) = self.jump(start, size) else {
            let reason = "its size is larger than any file";
            return Err(TarFault::Size {
                member: name,
                reason,
            });
        };
        let there = self.size.saturating_sub(start);
        if there < size {
            return Err(
                self.truncated(format!("of the {size} bytes of {name} it has only {there}"))
            );
        }
        if is_folder {
            return Ok(());
        }
        if !self.seen.insert(path.clone()) {
            return Err(TarFault::Duplicate { member: path });
        }
        self.members.push(Member {
            path,
            offset: start,
            size,
        });
        Ok(())
    }

    /// Moves to the header behind a body.
    fn jump(&mut self, start: u64, size: u64) -> Option<()> {
        self.at = start.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
        // The last member's padding may be cut with the end mark: that is for `header` to say.
        Some(())
    }

    fn bad_size(&self, header: &Header, reason: &'static str) -> TarFault {
        let own = header.path_bytes();
        let name = self.pending.path.as_deref().unwrap_or(&own);
        TarFault::Size {
            member: shown(name),
            reason,
        }
    }
}

/// `path` and `size` of a pax header (POSIX pax, "pax Extended Header").
fn pax(bytes: &[u8], offset: u64) -> Result<Pending, TarFault> {
    let bad = |reason: &str| TarFault::Extension {
        offset,
        reason: reason.to_owned(),
    };
    let mut found = Pending::default();
    for record in PaxExtensions::new(bytes) {
        let record = record.map_err(|_| bad("its records are malformed"))?;
        match record.key_bytes() {
            b"path" => found.path = Some(record.value_bytes().to_vec()),
            b"size" => {
                let digits = record.value().ok().filter(|v| is_decimal(v));
                let size = digits.and_then(|v| v.parse().ok());
                found.size = Some(size.ok_or_else(|| bad("its size cannot be read"))?);
            }
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(bad("it describes a sparse file, which is not read"));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_zero(block: &[u8; 512]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The sum of all bytes, those of the sum itself taken as spaces.
fn checksum_holds(block: &[u8; 512]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    let bytes = block.iter().enumerate();
    let sum: u64 = bytes
        .map(|(at, byte)| u64::from(if SUM.contains(&at) { b' ' } else { *byte }))
        .sum();
    number(&block[SUM]) == Some(sum)
}

/// A number field: octal text, or base 256 when the first bit is set (GNU). Nothing is guessed:
/// other characters, negative numbers and more than 64 bits are `None`.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let all = std::iter::once(first & 0x7f).chain(rest.iter().copied());
        return all
            .map(u64::from)
            .try_fold(0_u64, |n, byte| Some(n.checked_mul(256)? | byte));
    }
    let is_end = |byte: &u8| matches!(byte, 0 | b' ');
    let start = field.iter().take_while(|byte| **byte == b' ').count();
    let field = &field[start..];
    let end = field.iter().position(is_end).unwrap_or(field.len());
    let (digits, rest) = field.split_at(end);
    if !rest.iter().all(is_end) {
        return None;
    }
    digits.iter().try_fold(0_u64, |n, byte| match byte {
        b'0'..=b'7' => Some(n.checked_mul(8)? | u64::from(byte - b'0')),
        _ => None,
    })
}

fn misplaced(why: Refused, member: String) -> TarFault {
    match why {
        Refused::Absolute => TarFault::Absolute { member },
        Refused::Parent => TarFault::Parent { member },
        Refused::Unreadable => TarFault::Name { member },
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
