//! What can be wrong with a foreign tar: one variant a shape, each a fragment for the message
//! whose front is the file's name.

use std::io;

use tar::EntryType;

/// Why a tar is not read.
#[derive(Debug, thiserror::Error)]
pub enum TarFault {
    /// A tar is inside, behind a compression that does not allow reading in place.
    #[error("it is compressed with {format}; bundles are read in place and cannot be compressed")]
    Compressed {
        /// `gzip`, `zstd`, `xz`, `bzip2`.
        format: &'static str,
        /// The command that unpacks it, without the file's name.
        command: &'static str,
    },
    /// Something else altogether.
    #[error("it is no tar: it looks like {looks_like}")]
    NoTar {
        /// What it begins like.
        looks_like: &'static str,
    },
    /// It ends too early.
    #[error("it is cut off after {size} bytes: {missing}")]
    Truncated {
        /// The size it has.
        size: u64,
        /// What is not there, as a fragment.
        missing: String,
    },
    /// A header was changed.
    #[error("the header at byte {offset} is damaged: its checksum is wrong")]
    Checksum {
        /// Where it stands.
        offset: u64,
    },
    /// A size that cannot be.
    #[error("the member {member} is refused: {reason}")]
    Size {
        /// Which.
        member: String,
        /// Why, as a fragment.
        reason: &'static str,
    },
    /// `/x`, `C:\x`.
    #[error("the member {member} is refused: its path is absolute")]
    Absolute {
        /// Which.
        member: String,
    },
    /// `../x`.
    #[error("the member {member} is refused: its path leads out of the archive")]
    Parent {
        /// Which.
        member: String,
    },
    /// A path that is empty, too long or no text.
    #[error("a member is refused: its path `{member}` is empty, too long or no readable text")]
    Name {
        /// What can be shown of it.
        member: String,
    },
    /// A symbolic or hard link.
    #[error("the member {member} is refused: it is a link")]
    Link {
        /// Which.
        member: String,
    },
    /// A device, a pipe, a sparse file, ….
    #[error("the member {member} is refused: it is {kind}, and only plain files are read")]
    Special {
        /// Which.
        member: String,
        /// What it is.
        kind: &'static str,
    },
    /// Two members of one path: which one counts depends on the reader.
    #[error("the member {member} stands in it twice")]
    Duplicate {
        /// Which.
        member: String,
    },
    /// More members than any bundle has.
    #[error("it has more than {limit} members")]
    TooMany {
        /// How many are read.
        limit: usize,
    },
    /// A long name or pax header that is too large or malformed.
    #[error("the extension header at byte {offset} is refused: {reason}")]
    Extension {
        /// Where it stands.
        offset: u64,
        /// Why, as a fragment.
        reason: String,
    },
    /// Something stands behind the end mark, or the end mark is half overwritten.
    #[error("the end of the tar is marked before byte {offset}, but the file goes on there")]
    AfterEnd {
        /// Where it goes on.
        offset: u64,
    },
    /// The disk.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl TarFault {
    /// What to do next, for the file `path`.
    pub fn hint(&self, path: &str) -> Option<String> {
        match self {
            Self::Compressed { command, .. } => {
                Some(format!("unpack it first: `{command} {path}`"))
            }
            Self::NoTar { .. } => Some(
                "a bundle is what `airbuoy pull` writes, or an OCI image layout as a folder or tar"
                    .to_owned(),
            ),
            Self::Truncated { .. } => Some(
                "the copy is incomplete: compare its size with the original and copy it again"
                    .to_owned(),
            ),
            Self::Checksum { .. } | Self::AfterEnd { .. } => Some(
                "the copy is damaged: compare it with the original (sha256sum) and copy it again"
                    .to_owned(),
            ),
            Self::Io(_) => None,
            _ => Some(
                "no tool for images writes such a tar; do not trust it, ask where it comes from"
                    .to_owned(),
            ),
        }
    }

    /// Where in the tar it was found, when that is known.
    pub(super) fn offset(&self) -> Option<u64> {
        match self {
            Self::Checksum { offset }
            | Self::AfterEnd { offset }
            | Self::Extension { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// The fault of something that does not even begin like a tar.
    pub(super) fn no_tar(start: &[u8]) -> Self {
        let compressed: [(&[u8], _, _); 4] = [
            (b"\x1f\x8b", "gzip", "gunzip --keep"),
            (b"\x28\xb5\x2f\xfd", "zstd", "zstd --decompress"),
            (b"\xfd7zXZ\0", "xz", "unxz --keep"),
            (b"BZh", "bzip2", "bunzip2 --keep"),
        ];
        let found = compressed.iter().find(|(m, ..)| start.starts_with(m));
        if let Some(&(_, format, command)) = found {
            return Self::Compressed { format, command };
        }
        let magic: [(&[u8], _); 5] = [
            (b"PK\x03\x04", "a zip archive"),
            (b"{", "JSON"),
            (b"[", "JSON"),
            (b"<?xml", "XML"),
            (b"<", "a web page"),
        ];
        let text = start.trim_ascii_start();
        let known = magic.iter().find(|(m, _)| text.starts_with(m));
        let is_text = |b: &u8| b.is_ascii_graphic() || b.is_ascii_whitespace();
        let looks_like = match known {
            _ if start.is_empty() => "an empty file",
            Some((_, name)) => name,
            None if start.iter().all(is_text) => "text",
            None => "unknown binary data",
        };
        Self::NoTar { looks_like }
    }

    /// The fault of a member that is neither file nor folder.
    pub(super) fn special(kind: EntryType, member: String) -> Self {
        let kind = match kind {
            EntryType::Symlink | EntryType::Link => return Self::Link { member },
            EntryType::Char | EntryType::Block => "a device",
            EntryType::Fifo => "a pipe",
            EntryType::GNUSparse => "a sparse file",
            _ => "of an unknown kind",
        };
        Self::Special { member, kind }
    }
}

/// A foreign name for a message: bounded, and nothing in it that a terminal would obey.
pub(super) fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(name);
    let mut safe: String = text.chars().take(LONGEST).collect();
    if safe.len() < text.len() {
        safe.push('…');
    }
    safe.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}
