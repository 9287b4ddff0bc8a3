//! Image content made up from seeds: blobs, manifests and the repositories that hold them.
//! The same calls give the same bytes, and nothing here is taken from the library under test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::Digest as _;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub(crate) const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";

/// `sha256:…` of `bytes`.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// `sha256:…` of a finished hash.
pub(crate) fn hex(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a blob: a block repeated up to a size, so that a gigabyte costs a mebibyte.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    block: Arc<[u8]>,
    pub(crate) size: u64,
}

impl Body {
    fn of(bytes: Vec<u8>) -> Self {
        Self {
            size: bytes.len() as u64,
            block: bytes.into(),
        }
    }

    /// `size` bytes that nothing compresses and no other seed shares.
    pub(crate) fn noise(seed: u64, size: u64) -> Self {
        let length = size.min(1 << 20);
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut block = Vec::with_capacity(1 << 20);
        while (block.len() as u64) < length {
            // xorshift64: quick, and the bytes only have to differ.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        block.truncate(usize::try_from(length).expect("at most a mebibyte"));
        Self {
            block: block.into(),
            size,
        }
    }

    /// A stand-in of the right size for bytes that were not kept.
    pub(crate) fn of_zeros(size: u64) -> Self {
        Self {
            block: vec![0; 1 << 10].into(),
            size,
        }
    }

    /// The bytes from `offset` to the end.
    pub(crate) fn read_from(&self, offset: u64) -> impl Read + use<> {
        Reader {
            body: self.clone(),
            at: offset,
        }
    }

    fn digest(&self) -> String {
        let mut hasher = sha2::Sha256::new();
        let mut left = self.size;
        while left > 0 {
            let length = left.min(self.block.len() as u64);
            hasher.update(&self.block[..usize::try_from(length).expect("a block's length")]);
            left -= length;
        }
        hex(&hasher.finalize())
    }
}

struct Reader {
    body: Body,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.body.size.saturating_sub(self.at);
        if left == 0 {
            return Ok(0);
        }
        let block = &self.body.block;
        let start = usize::try_from(self.at % block.len() as u64).expect("inside the block");
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let length = into.len().min(block.len() - start).min(left);
        into[..length].copy_from_slice(&block[start..start + length]);
        self.at += length as u64;
        Ok(length)
    }
}

/// A blob or manifest as others name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
}

impl Descriptor {
    /// The JSON that stands in a manifest.
    pub(crate) fn json(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.size})
    }

    /// The same with a platform such as `linux/arm64`.
    pub(crate) fn on(&self, platform: &str) -> Value {
        let (os, architecture) = platform.split_once('/').expect("os/architecture");
        let mut entry = self.json();
        entry["platform"] = json!({"architecture": architecture, "os": os});
        entry
    }
}

/// One stored manifest.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// What one repository holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// Digests, children before parents.
    pub(crate) manifests: Vec<String>,
    pub(crate) blobs: BTreeSet<String>,
    /// Tag ▶ digest.
    pub(crate) tags: BTreeMap<String, String>,
}

/// Everything that a registry holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) blobs: BTreeMap<String, Body>,
    pub(crate) manifests: BTreeMap<String, Manifest>,
    pub(crate) repositories: BTreeMap<String, Repository>,
}

impl Content {
    /// A blob of given bytes in `repository`.
    pub(crate) fn blob(&mut self, repository: &str, media_type: &str, body: Body) -> Descriptor {
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest: body.digest(),
            size: body.size,
        };
        self.blobs.insert(descriptor.digest.clone(), body);
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(descriptor.digest.clone());
        descriptor
    }

    /// An OCI layer of noise in `repository`.
    pub(crate) fn layer(&mut self, repository: &str, seed: u64, size: u64) -> Descriptor {
        self.blob(repository, OCI_LAYER, Body::noise(seed, size))
    }

    /// A manifest or index with exactly these bytes in `repository`.
    pub(crate) fn manifest(
        &mut self,
        repository: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Descriptor {
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest: digest_of(&bytes),
            size: bytes.len() as u64,
        };
        let manifest = Manifest {
            media_type: media_type.to_owned(),
            bytes,
        };
        self.manifests.insert(descriptor.digest.clone(), manifest);
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        if !repository.manifests.contains(&descriptor.digest) {
            repository.manifests.push(descriptor.digest.clone());
        }
        descriptor
    }

    /// An OCI image of one platform with these layers; its config names `name`.
    pub(crate) fn image(
        &mut self,
        repository: &str,
        name: &str,
        platform: &str,
        layers: &[Descriptor],
    ) -> Descriptor {
        self.image_as(repository, name, platform, layers, OCI_MANIFEST, OCI_CONFIG)
    }

    /// The same as a Docker schema 2 image.
    pub(crate) fn docker_image(
        &mut self,
        repository: &str,
        name: &str,
        platform: &str,
        layers: &[Descriptor],
    ) -> Descriptor {
        let (manifest, config) = (DOCKER_MANIFEST, DOCKER_CONFIG);
        self.image_as(repository, name, platform, layers, manifest, config)
    }

    fn image_as(
        &mut self,
        repository: &str,
        name: &str,
        platform: &str,
        layers: &[Descriptor],
        manifest_type: &str,
        config_type: &str,
    ) -> Descriptor {
        let (os, architecture) = platform.split_once('/').expect("os/architecture");
        let diff_ids: Vec<&str> = layers.iter().map(|l| l.digest.as_str()).collect();
        let config = json!({
            "architecture": architecture, "os": os, "author": name,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = Body::of(config.to_string().into_bytes());
        let config = self.blob(repository, config_type, config);
        let layers: Vec<Value> = layers.iter().map(Descriptor::json).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": manifest_type,
            "config": config.json(), "layers": layers,
        });
        // Odd white space, so that a tool that writes JSON anew gets another digest.
        let bytes = format!("{manifest:#}\n");
        self.manifest(repository, manifest_type, bytes.into_bytes())
    }

    /// An index of `entries` ([`Descriptor::on`]) of the given type.
    pub(crate) fn index(
        &mut self,
        repository: &str,
        media_type: &str,
        entries: &[Value],
    ) -> Descriptor {
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type, "manifests": entries,
        });
        let bytes = format!("{index:#}\n");
        self.manifest(repository, media_type, bytes.into_bytes())
    }

    /// Names a manifest.
    pub(crate) fn tag(&mut self, repository: &str, tag: &str, manifest: &Descriptor) {
        let tags = &mut self
            .repositories
            .entry(repository.to_owned())
            .or_default()
            .tags;
        tags.insert(tag.to_owned(), manifest.digest.clone());
    }

    /// The sum of the sizes of all blobs, each counted once.
    pub(crate) fn unique_bytes(&self) -> u64 {
        self.blobs.values().map(|body| body.size).sum()
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::of(bytes.to_vec())
    }
}
