//! The headers of our tars: regular files that say nothing about the machine or the time they
//! were made at.

use tar::{EntryType, Header};

/// Everything in a tar is a multiple of this many bytes.
pub(super) const BLOCK: u64 = 512;

/// Two blocks of zeros end a tar; more would be allowed, and would be less to compare.
pub(super) const END: u64 = 2 * BLOCK;

/// The longest name that the header itself takes.
const LONGEST_NAME: usize = 100;

/// What stands before the bytes of a regular file: one block, or three when the name is long
/// (`sha512` blobs), in GNU's form, which every reader of OCI archives knows. Sizes from 8 GiB on
/// are in GNU's base-256 form.
pub(super) fn header(name: &str, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if name.len() > LONGEST_NAME {
        // The name ends in a zero byte, which counts.
        let length = name.len() as u64 + 1;
        bytes.extend_from_slice(&block("././@LongLink", length, EntryType::GNULongName));
        bytes.extend_from_slice(name.as_bytes());
        bytes.resize(bytes.len() + 1 + padding(length), 0);
    }
    let short = &name[..name.len().min(LONGEST_NAME)];
    bytes.extend_from_slice(&block(short, size, EntryType::Regular));
    bytes
}

/// Zeros that fill the last block behind `size` bytes.
pub(super) fn padding(size: u64) -> usize {
    usize::try_from(size.wrapping_neg() % BLOCK).unwrap_or(0)
}

fn block(name: &str, size: u64, kind: EntryType) -> [u8; 512] {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    *header.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_a_plain_file_and_nothing_else() {
        let bytes = header("oci-layout", 30);
        assert_eq!(bytes.len(), 512);
        let mut header = Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&bytes);
        assert_eq!(header.path_bytes().as_ref(), b"oci-layout");
        assert_eq!(header.entry_type(), EntryType::Regular);
        assert_eq!(header.size().expect("a size"), 30);
        assert_eq!(header.mode().expect("a mode"), 0o644);
        assert_eq!(header.mtime().expect("a time"), 0);
        assert_eq!(header.uid().expect("an owner"), 0);
        assert_eq!(header.gid().expect("a group"), 0);
        assert_eq!(header.username_bytes(), Some(&b""[..]));
        assert_eq!(header.groupname_bytes(), Some(&b""[..]));
    }

    #[test]
    fn nine_gibibytes_are_written_in_base_256() {
        let bytes = header("x", 9 << 30);
        assert_eq!(bytes[124], 0x80);
        let mut header = Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&bytes);
        assert_eq!(header.size().expect("a size"), 9 << 30);
    }

    #[test]
    fn padding_fills_the_block() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
