//! Small tars for tests, hostile ones included.

use tar::{Builder, EntryType, Header};

/// A tar under construction.
pub(super) struct Tarball(Builder<Vec<u8>>);

impl Tarball {
    pub(super) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// A plain file. The name goes in as it is, `..` and all.
    pub(super) fn file(self, path: &str, bytes: &[u8]) -> Self {
        self.entry(path, EntryType::Regular, bytes)
    }

    /// Any kind of member.
    pub(super) fn entry(self, path: &str, kind: EntryType, bytes: &[u8]) -> Self {
        self.member(path, kind, bytes.len() as u64, bytes)
    }

    /// A header that claims `size` bytes, with none behind it.
    pub(super) fn claim(self, path: &str, kind: EntryType, size: u64) -> Self {
        self.member(path, kind, size, b"")
    }

    /// A pax header for the member that follows.
    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        let body: String = records
            .iter()
            .map(|(key, value)| record(key, value))
            .collect();
        self.entry("PaxHeaders/x", EntryType::XHeader, body.as_bytes())
    }

    fn member(mut self, path: &str, kind: EntryType, size: u64, bytes: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        // Beside `set_path`, which refuses what the tests need.
        let name = &mut header.as_ustar_mut().expect("ustar").name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o644);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        self.0.append(&header, bytes).expect("memory");
        self
    }

    pub(super) fn tar(self) -> Vec<u8> {
        self.0.into_inner().expect("memory")
    }
}

/// A record that counts its own digits (POSIX pax, "pax Extended Header").
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length += 1;
    }
    format!("{length}{rest}")
}
