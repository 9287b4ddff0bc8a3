//! One stand-in image: an index, its manifests, configs and layers, in the form in which
//! registries hold real ones.

use std::collections::HashMap;
use std::io;

use serde_json::{Value, json};

use super::layer::{Layer, filler};
use crate::content::{MemoryStore, StoreError};
use crate::oci::{Digest, RawManifest, TagOrDigest, media_type};

/// What every stand-in runs on: os and architecture.
pub(super) const PLATFORMS: [(&str, &str); 2] = [("linux", "amd64"), ("linux", "arm64")];

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The form of an image, as upstream registries have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An OCI index.
    Oci,
    /// An OCI index with an attestation manifest for each image, as `BuildKit` adds them.
    Attested,
    /// A Docker manifest list of schema 2 manifests.
    Docker,
}

/// The media types of index, manifest, config and layer.
struct Types {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

impl Form {
    fn types(self) -> Types {
        match self {
            Self::Oci | Self::Attested => Types {
                index: media_type::OCI_INDEX,
                manifest: media_type::OCI_MANIFEST,
                config: media_type::OCI_CONFIG,
                layer: media_type::OCI_LAYER_GZIP,
            },
            Self::Docker => Types {
                index: media_type::DOCKER_LIST,
                manifest: media_type::DOCKER_MANIFEST,
                config: media_type::DOCKER_CONFIG,
                layer: media_type::DOCKER_LAYER_GZIP,
            },
        }
    }
}

/// Makes images and puts them into a store.
pub(super) struct Painter<'a> {
    store: &'a MemoryStore,
    bases: Vec<Layer>,
    /// Sizes of the distinct blobs.
    pub(super) blobs: HashMap<Digest, u64>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(store: &'a MemoryStore) -> Result<Self, StoreError> {
        let bases = PLATFORMS.iter().map(|(os, architecture)| {
            let platform = format!("{os}/{architecture}");
            let release = format!("ID=airbuoy-stand-in\nVARIANT_ID={platform}\n");
            let filler = filler(&platform, 16);
            Layer::new(&[("etc/os-release", release), ("base", filler)])
        });
        Ok(Self {
            store,
            bases: bases.collect::<io::Result<_>>().map_err(local)?,
            blobs: HashMap::new(),
        })
    }

    /// Puts the stand-in for `source` into `repository` under `tag`. The same source gives the
    /// same bytes.
    pub(super) fn paint(
        &mut self,
        repository: &str,
        tag: &str,
        source: &str,
        form: Form,
    ) -> Result<(), StoreError> {
        let types = form.types();
        let mut children = Vec::new();
        let mut attestations = Vec::new();
        for (index, (os, architecture)) in PLATFORMS.iter().enumerate() {
            let mut child = self.platform(repository, source, index, &types)?;
            child["platform"] = json!({ "architecture": architecture, "os": os });
            if form == Form::Attested {
                attestations.push(self.attestation(repository, source, &child)?);
            }
            children.push(child);
        }
        children.append(&mut attestations);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": types.index,
            "manifests": children,
        });
        let tag = TagOrDigest::Tag(tag.into());
        self.manifest(repository, Some(&tag), &index)?;
        Ok(())
    }

    /// The image of one platform: its descriptor.
    fn platform(
        &mut self,
        repository: &str,
        source: &str,
        index: usize,
        types: &Types,
    ) -> Result<Value, StoreError> {
        let (os, architecture) = PLATFORMS[index];
        let name = format!("{source} for {os}/{architecture}\n");
        let filler = filler(&name, 8);
        let own = Layer::new(&[("stand-in/name", name), ("stand-in/filler", filler)]);
        let own = own.map_err(local)?;
        let base = &self.bases[index];
        let config = json!({
            "architecture": architecture,
            "os": os,
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": ["/stand-in/name"],
                "Labels": { "org.opencontainers.image.title": format!("stand-in for {source}") },
            },
            "rootfs": { "type": "layers", "diff_ids": [base.diff_id, own.diff_id] },
            "history": [
                { "created": "1970-01-01T00:00:00Z", "created_by": "airbuoy: base" },
                { "created": "1970-01-01T00:00:00Z", "created_by": "airbuoy: stand-in" },
            ],
        });
        let base = base.bytes.clone();
        let layers = [
            self.blob(repository, types.layer, &base),
            self.blob(repository, types.layer, &own.bytes),
        ];
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": types.manifest,
            "config": self.blob(repository, types.config, config.to_string().as_bytes()),
            "layers": layers,
        });
        self.manifest(repository, None, &manifest)
    }

    /// The attestation of an image: its descriptor
    /// (`BuildKit`, docs/attestations/attestation-storage.md).
    fn attestation(
        &mut self,
        repository: &str,
        source: &str,
        image: &Value,
    ) -> Result<Value, StoreError> {
        let digest = &image["digest"];
        let hex = digest.as_str().and_then(|d| d.split_once(':'));
        let predicate = "https://slsa.dev/provenance/v1";
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": predicate,
            "subject": [{
                "name": source,
                "digest": { "sha256": hex.map(|(_, hex)| hex) },
            }],
            "predicate": { "buildDefinition": { "buildType": "airbuoy:stand-in" } },
        });
        let statement = statement.to_string();
        let config = json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(statement.as_bytes())] },
        });
        let config = config.to_string();
        let mut layer = self.blob(repository, IN_TOTO, statement.as_bytes());
        layer["annotations"] = json!({ "in-toto.io/predicate-type": predicate });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": self.blob(repository, media_type::OCI_CONFIG, config.as_bytes()),
            "layers": [layer],
        });
        let mut child = self.manifest(repository, None, &manifest)?;
        child["annotations"] = json!({
            "vnd.docker.reference.digest": digest,
            "vnd.docker.reference.type": "attestation-manifest",
        });
        child["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
        Ok(child)
    }

    fn blob(&mut self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = self.store.insert_blob(repository, bytes);
        self.blobs.insert(digest.clone(), bytes.len() as u64);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// Written with line breaks, as many upstream manifests are: a copy that writes JSON anew
    /// shows by its digest.
    fn manifest(
        &self,
        repository: &str,
        tag: Option<&TagOrDigest>,
        body: &Value,
    ) -> Result<Value, StoreError> {
        let manifest = RawManifest::new(format!("{body:#}").into(), None)?;
        let descriptor = json!({
            "mediaType": manifest.media_type(),
            "digest": manifest.digest(),
            "size": manifest.bytes().len(),
        });
        let by_digest = manifest.digest().into();
        let reference = tag.unwrap_or(&by_digest);
        self.store
            .insert_manifest(repository, reference, manifest)?;
        Ok(descriptor)
    }
}

fn local(error: impl std::fmt::Display) -> StoreError {
    StoreError::Io(error.to_string())
}
