//! Where everything in a tar will lie, known before the first byte is written. Pure: sizes in,
//! offsets out.

use std::collections::HashMap;

use super::tar_header::{BLOCK, END, header, padding};
use crate::oci::{Algorithm, Digest, Hasher};

/// A blob whose bytes are still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    /// What the bytes hash to.
    pub(super) digest: Digest,
    /// How many there are.
    pub(super) size: u64,
    /// Where in the tar they begin.
    pub(super) offset: u64,
}

/// The plan of one tar: what stands between the blobs, and where the blobs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TarMap {
    /// Headers, padding and small members, in order, as (offset, bytes). Together with the slots
    /// they fill the tar without a gap.
    fixed: Vec<(u64, Vec<u8>)>,
    slots: Vec<Slot>,
    by_digest: HashMap<Digest, usize>,
    total: u64,
}

/// The path of a blob in an image layout (OCI image-spec, image-layout.md, "Blobs").
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// The digest that a path in an image layout names; none for what is no blob.
pub(super) fn blob_digest(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

impl TarMap {
    /// Lays out `files` (name and bytes) as given and behind them the blobs by digest, whatever
    /// order they come in; a digest that comes twice is laid once.
    pub(super) fn lay<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        blobs: impl IntoIterator<Item = (&'a Digest, u64)>,
    ) -> Self {
        let mut pending = Vec::new();
        for (name, bytes) in files {
            pending.extend_from_slice(&header(name, bytes.len() as u64));
            pending.extend_from_slice(bytes);
            pending.resize(pending.len() + padding(bytes.len() as u64), 0);
        }
        let mut blobs: Vec<_> = blobs.into_iter().collect();
        blobs.sort_unstable();
        blobs.dedup_by_key(|(digest, _)| *digest);

        let mut map = Self {
            fixed: Vec::with_capacity(blobs.len() + 1),
            slots: Vec::with_capacity(blobs.len()),
            by_digest: HashMap::with_capacity(blobs.len()),
            total: 0,
        };
        for (digest, size) in blobs {
            pending.extend_from_slice(&header(&blob_path(digest), size));
            let offset = map.total + pending.len() as u64;
            let filling = vec![0; padding(size)];
            map.fixed
                .push((map.total, std::mem::replace(&mut pending, filling)));
            map.by_digest.insert(digest.clone(), map.slots.len());
            map.slots.push(Slot {
                digest: digest.clone(),
                size,
                offset,
            });
            map.total = offset + size;
        }
        pending.resize(pending.len() + usize::try_from(END).unwrap_or(0), 0);
        let end = map.total + pending.len() as u64;
        map.fixed.push((map.total, pending));
        map.total = end;
        debug_assert_eq!(map.total % BLOCK, 0);
        map
    }

    /// All that is not a blob, as (offset, bytes).
    pub(super) fn fixed(&self) -> &[(u64, Vec<u8>)] {
        &self.fixed
    }

    /// The blobs, by digest and so by offset.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The number of this blob among the [`slots`](Self::slots).
    pub(super) fn index(&self, digest: &Digest) -> Option<usize> {
        self.by_digest.get(digest).copied()
    }

    /// Bytes of the whole tar.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Two maps of one hash make the same tar.
    pub(super) fn hash(&self) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for (offset, bytes) in &self.fixed {
            hasher.update(&offset.to_le_bytes());
            hasher.update(bytes);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    /// A digest of either algorithm out of a seed.
    fn digest(seed: u8, long: bool) -> Digest {
        let algorithm = if long {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        };
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&[seed]);
        hasher.finish()
    }

    fn filled(map: &TarMap) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut slots = map.slots().iter();
        for (offset, fixed) in map.fixed() {
            assert_eq!(*offset, bytes.len() as u64, "no gap, no overlap");
            bytes.extend_from_slice(fixed);
            if let Some(slot) = slots.next() {
                assert_eq!(slot.offset, bytes.len() as u64);
                let content = slot.digest.hex().bytes().cycle();
                bytes.extend(content.take(usize::try_from(slot.size).expect("small")));
            }
        }
        assert_eq!(bytes.len() as u64, map.total());
        bytes
    }

    proptest! {
        #[test]
        fn what_is_laid_is_what_a_reader_finds(
            files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1300), 0..4),
            blobs in prop::collection::btree_map(any::<u8>(), (0..1300_u64, any::<bool>()), 0..9),
        ) {
            let names: Vec<String> = (0..files.len()).map(|n| format!("file-{n}")).collect();
            let files = || names.iter().map(String::as_str).zip(files.iter().map(Vec::as_slice));
            let blobs: Vec<(Digest, u64)> = blobs
                .iter()
                .map(|(seed, (size, long))| (digest(*seed, *long), *size))
                .collect();
            let map = TarMap::lay(files(), blobs.iter().map(|(d, s)| (d, *s)));
            let twice = blobs.iter().rev().chain(&blobs).map(|(d, s)| (d, *s));
            prop_assert_eq!(&TarMap::lay(files(), twice), &map);

            let bytes = filled(&map);
            let mut found = Vec::new();
            let mut archive = tar::Archive::new(&bytes[..]);
            for entry in archive.entries().expect("a tar") {
                let mut entry = entry.expect("an entry");
                prop_assert!(entry.header().entry_type().is_file());
                let name = entry.path().expect("a name").to_string_lossy().into_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).expect("its bytes");
                found.push((name, content));
            }
            let mut expected: Vec<(String, Vec<u8>)> =
                files().map(|(n, b)| (n.to_owned(), b.to_vec())).collect();
            expected.extend(map.slots().iter().map(|slot| {
                let content = slot.digest.hex().bytes().cycle();
                let size = usize::try_from(slot.size).expect("small");
                (blob_path(&slot.digest), content.take(size).collect())
            }));
            prop_assert_eq!(found, expected);
            for (digest, size) in &blobs {
                let slot = &map.slots()[map.index(digest).expect("it was laid")];
                prop_assert_eq!((&slot.digest, slot.size), (digest, *size));
            }
        }

        #[test]
        fn another_set_is_another_plan(a in 0..2000_u64, b in 0..2000_u64) {
            let digest = digest(1, false);
            let lay = |size| TarMap::lay([], [(&digest, size)]);
            prop_assert_eq!(a == b, lay(a).hash() == lay(b).hash());
        }
    }

    #[test]
    fn huge_blobs_are_laid_without_being_held() {
        let (a, b) = (digest(1, false), digest(2, false));
        let map = TarMap::lay([], [(&a, 40 << 30), (&b, 9 << 30)]);
        assert!(map.total() > 49 << 30);
        assert!(map.fixed().iter().map(|(_, b)| b.len()).sum::<usize>() < 4096);
    }
}
