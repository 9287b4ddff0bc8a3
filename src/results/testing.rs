//! Small tarballs for tests, hostile ones included.

use std::io::Write;

use camino::Utf8PathBuf;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// A tar under construction.
pub(super) struct Tarball {
    tar: tar::Builder<Vec<u8>>,
}

impl Tarball {
    pub(super) fn new() -> Self {
        Self {
            tar: tar::Builder::new(Vec::new()),
        }
    }

    /// A plain file. The name goes in as it is, `..` and all.
    pub(super) fn file(mut self, path: &str, bytes: &[u8]) -> Self {
        let mut header = header(path, tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        self.tar.append(&header, bytes).expect("memory");
        self
    }

    /// A link.
    pub(super) fn link(mut self, path: &str, to: &str, kind: tar::EntryType) -> Self {
        let mut header = header(path, kind);
        header.set_size(0);
        header.set_link_name(to).expect("a short name");
        header.set_cksum();
        self.tar.append(&header, &[][..]).expect("memory");
        self
    }

    /// A header that claims `size` bytes, with none behind it.
    pub(super) fn claim(mut self, path: &str, kind: tar::EntryType, size: u64) -> Self {
        let mut header = header(path, kind);
        header.set_size(size);
        header.set_cksum();
        self.tar.append(&header, &[][..]).expect("memory");
        self
    }

    pub(super) fn tar(self) -> Vec<u8> {
        self.tar.into_inner().expect("memory")
    }

    pub(super) fn gzip(self) -> Vec<u8> {
        gzip(&self.tar())
    }
}

fn header(path: &str, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    let name = &mut header.as_ustar_mut().expect("ustar").name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).expect("memory");
    gz.finish().expect("memory")
}

/// `bytes` as a file, gone with the folder.
pub(super) fn on_disk(bytes: &[u8]) -> (TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Utf8PathBuf::from_path_buf(folder.path().join("results.tar.gz")).expect("UTF-8");
    std::fs::write(&path, bytes).expect("written");
    (folder, path)
}
