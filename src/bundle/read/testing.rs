//! Small bundles for tests: two images that share a layer, as a folder, a tar or volumes.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::super::index::{self, Entry};
use super::super::tar_map::blob_path;
use super::super::tarball::Tarball;
use super::super::volumes::{VolumeList, list_path};
use super::Bundle;
use crate::oci::{Descriptor, Digest, Reference, media_type};

/// The members of a layout, to be changed and then written.
#[derive(Clone)]
pub(super) struct Layout {
    pub(super) members: BTreeMap<String, Vec<u8>>,
    pub(super) entries: Vec<Entry>,
}

/// A bundle on disk, gone with the folder.
pub(super) struct OnDisk {
    pub(super) dir: TempDir,
    pub(super) path: Utf8PathBuf,
}

impl OnDisk {
    pub(super) fn open(&self) -> Bundle {
        Bundle::open(&self.path).expect("a bundle")
    }

    /// Why it cannot be opened: message and hint.
    pub(super) fn refused(&self) -> String {
        let error = Bundle::open(&self.path).expect_err("refused");
        format!("{error} | {}", error.hint().unwrap_or_default())
    }
}

pub(super) const SHARED: &[u8] = b"a layer that both images have";

/// A layer of `size` bytes that is like no other.
pub(super) fn layer(seed: u8, size: usize) -> Vec<u8> {
    let bytes = (0_u64..).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56).to_le_bytes()[0]);
    bytes.map(|byte| byte ^ seed).take(size).collect()
}

impl Layout {
    pub(super) fn empty() -> Self {
        let layout = br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec();
        Self {
            members: BTreeMap::from([("oci-layout".to_owned(), layout)]),
            entries: Vec::new(),
        }
    }

    /// `registry.k8s.io/pause:3.10`, an index of one image, and `registry.k8s.io/e2e/agnhost:2`,
    /// an image; both have [`SHARED`].
    pub(super) fn two_images() -> Self {
        let mut layout = Self::empty();
        let pause = layout.image(&[SHARED, &layer(1, 3000)], "");
        let index = layout.index(&[pause]);
        let agnhost = layout.image(&[SHARED, &layer(2, 700_000)], "");
        layout.named("registry.k8s.io/pause:3.10", index);
        layout.named("registry.k8s.io/e2e/agnhost:2", agnhost);
        layout
    }

    pub(super) fn blob(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.members.insert(blob_path(&digest), bytes.to_vec());
        digest
    }

    /// An image of these layers; `more` goes into its manifest.
    pub(super) fn image(&mut self, layers: &[&[u8]], more: &str) -> Descriptor {
        let config = self.blob(format!("{{\"rootfs\":{}}}", layers.len()).as_bytes());
        let config_size = self.members[&blob_path(&config)].len();
        let mut rows = Vec::new();
        for layer in layers {
            let (digest, size) = (self.blob(layer), layer.len());
            let layer_type = media_type::OCI_LAYER_GZIP;
            rows.push(format!(
                r#"{{"mediaType":"{layer_type}","digest":"{digest}","size":{size}}}"#
            ));
        }
        let rows = rows.join(",");
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{config}","size":{config_size}}},"layers":[{rows}]{more}}}"#,
            media_type::OCI_MANIFEST,
            media_type::OCI_CONFIG,
        );
        let digest = self.blob(text.as_bytes());
        Descriptor::new(media_type::OCI_MANIFEST, digest, text.len() as u64)
    }

    pub(super) fn index(&mut self, children: &[Descriptor]) -> Descriptor {
        let rows: Vec<String> = children
            .iter()
            .map(|child| {
                format!(
                    r#"{{"mediaType":"{}","digest":"{}","size":{}}}"#,
                    child.media_type, child.digest, child.size
                )
            })
            .collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
            media_type::OCI_INDEX,
            rows.join(",")
        );
        let digest = self.blob(text.as_bytes());
        Descriptor::new(media_type::OCI_INDEX, digest, text.len() as u64)
    }

    /// Gives a manifest its upstream name, and the one inside the bundle that follows from it.
    pub(super) fn named(&mut self, source: &str, descriptor: Descriptor) {
        let source: Reference = source.parse().expect("a reference");
        self.entries.push(Entry {
            descriptor,
            repository: source.repository().path().to_owned(),
            tag: source.tag().map(str::to_owned),
            source: Some(source),
        });
    }

    /// Changes one bit in the middle of a blob.
    pub(super) fn flip(&mut self, digest: &Digest) {
        let bytes = self.members.get_mut(&blob_path(digest)).expect("a blob");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    }

    fn complete(&self) -> BTreeMap<String, Vec<u8>> {
        let mut members = self.members.clone();
        let index = || index::to_bytes(&self.entries);
        members.entry("index.json".to_owned()).or_insert_with(index);
        members
    }

    pub(super) fn tar(&self) -> Vec<u8> {
        let mut tar = Tarball::new();
        for (path, bytes) in self.complete() {
            tar = tar.file(&path, &bytes);
        }
        tar.tar()
    }

    pub(super) fn in_tar(&self) -> OnDisk {
        let disk = on_disk("set.tar");
        fs::write(&disk.path, self.tar()).expect("written");
        disk
    }

    pub(super) fn in_folder(&self) -> OnDisk {
        let disk = on_disk("set");
        for (path, bytes) in self.complete() {
            let path = disk.path.join(path);
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            fs::write(path, bytes).expect("written");
        }
        disk
    }

    /// Volumes of 100,000 bytes, about eight of them.
    pub(super) fn in_volumes(&self) -> OnDisk {
        let disk = on_disk("set.tar");
        let tar = self.tar();
        let volumes = VolumeList::cut(&disk.path, tar.len() as u64, 100_000);
        for (volume, bytes) in volumes.volumes.iter().zip(tar.chunks(100_000)) {
            fs::write(disk.path.with_file_name(&volume.name), bytes).expect("written");
        }
        fs::write(list_path(&disk.path), volumes.to_bytes()).expect("written");
        disk
    }

    pub(super) fn everywhere(&self) -> [OnDisk; 3] {
        [self.in_folder(), self.in_tar(), self.in_volumes()]
    }
}

fn on_disk(name: &str) -> OnDisk {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Utf8Path::from_path(dir.path()).expect("UTF-8");
    let path = root.join(name);
    OnDisk { dir, path }
}
