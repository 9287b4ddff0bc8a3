//! Layers: real gzip-compressed tar files, the same bytes at every run.

use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::oci::Digest;

/// A compressed layer and what it hashes to uncompressed.
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    /// The `diff_ids` entry of a config (image-spec, config.md).
    pub(super) diff_id: Digest,
}

impl Layer {
    /// A layer of these files; every header field that could vary is fixed.
    pub(super) fn new(files: &[(&str, String)]) -> io::Result<Self> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            tar.append_data(&mut header, path, content.as_bytes())?;
        }
        let tar = tar.into_inner()?;
        // The encoder's own header has no time and no operating system.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        io::Write::write_all(&mut gzip, &tar)?;
        Ok(Self {
            bytes: gzip.finish()?,
            diff_id: Digest::of(&tar),
        })
    }
}

/// About `kib` KiB that differ for every seed and compress to half their size.
pub(super) fn filler(seed: &str, kib: usize) -> String {
    let lines = kib * 1024 / 64;
    (0..lines)
        .map(|line| Digest::of(format!("{seed} {line}").as_bytes()))
        .flat_map(|digest| [digest.hex().to_owned(), "\n".to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn a_layer_unpacks_to_its_files_and_hashes_to_its_diff_id() {
        let files = [("etc/a", "content".to_owned()), ("b", filler("b", 4))];
        let layer = Layer::new(&files).expect("memory");
        let again = Layer::new(&files).expect("memory");
        assert_eq!(layer.bytes, again.bytes);

        let mut tar = Vec::new();
        let mut gzip = GzDecoder::new(&layer.bytes[..]);
        gzip.read_to_end(&mut tar).expect("gzip");
        assert_eq!(Digest::of(&tar), layer.diff_id);
        let mut archive = tar::Archive::new(&tar[..]);
        for (entry, (path, content)) in archive.entries().expect("a tar").zip(&files) {
            let mut entry = entry.expect("an entry");
            assert_eq!(entry.path_bytes(), path.as_bytes());
            let mut read = String::new();
            entry.read_to_string(&mut read).expect("text");
            assert_eq!(&read, content);
        }
    }

    #[test]
    fn fillers_differ_by_seed() {
        assert_ne!(filler("a", 1), filler("b", 1));
        assert_eq!(filler("a", 1).len(), 16 * 65);
    }
}
