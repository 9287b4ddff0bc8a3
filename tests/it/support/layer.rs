//! Layers with real files in them, written by hand: no library writes what a hostile one holds.

use std::io::Write as _;

/// An entry of a layer.
#[derive(Debug, Clone)]
pub(crate) struct File {
    name: String,
    kind: u8,
    link: String,
    content: Vec<u8>,
    size: u64,
}

impl File {
    /// A program.
    pub(crate) fn new(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            kind: b'0',
            link: String::new(),
            content: content.to_vec(),
            size: content.len() as u64,
        }
    }

    /// A symbolic link.
    pub(crate) fn link(name: &str, to: &str) -> Self {
        Self {
            kind: b'2',
            link: to.to_owned(),
            ..Self::new(name, b"")
        }
    }

    /// With a header that says `size`.
    pub(crate) fn claiming(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// The header (POSIX.1-1988, ustar) and the content, padded.
    fn entry(&self) -> Vec<u8> {
        let mut header = vec![0_u8; 512];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, self.name.as_bytes());
        put(100, b"0000755\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        if self.size < 1 << 33 {
            put(124, format!("{:011o}\0", self.size).as_bytes());
        } else {
            // GNU's form for what eleven octal digits cannot say.
            put(124, &[0x80, 0, 0, 0]);
            put(128, &self.size.to_be_bytes());
        }
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, self.link.as_bytes());
        put(257, b"ustar  \0");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.extend(&self.content);
        header.resize(header.len().next_multiple_of(512), 0);
        header
    }
}

/// An uncompressed layer of these files: its digest is its `diff_id` too.
pub(crate) fn tar(files: &[File]) -> Vec<u8> {
    let mut tar: Vec<u8> = files.iter().flat_map(File::entry).collect();
    tar.extend([0; 1024]);
    tar
}

/// A gzip-compressed layer of these files.
pub(crate) fn layer(files: &[File]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&tar(files)).expect("memory");
    gzip.finish().expect("memory")
}
