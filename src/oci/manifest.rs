//! Manifests: the bytes as they were read, beside a view of what they name.

use bytes::Bytes;
use oci_distribution::manifest::{ImageIndexEntry, OciDescriptor, OciImageIndex, OciImageManifest};

use super::descriptor::{self, Descriptor, InvalidDescriptor};
use super::digest::Digest;
use super::media_type;
use super::platform::Platform;

/// A manifest or index exactly as a registry sent it, its media type and its digest.
///
/// The bytes are the truth: they are what is pushed, never a re-serialised view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawManifest {
    bytes: Bytes,
    media_type: String,
    digest: Digest,
}

/// What a manifest names: the edges of the content graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Successors {
    /// Child manifests, in order, as written (a child may stand twice).
    pub manifests: Vec<Descriptor>,
    /// Config and layers, in order, as written (a layer may stand twice).
    pub blobs: Vec<Descriptor>,
}

/// Why bytes are not a manifest that can be copied.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ManifestError {
    /// Docker schema 1: frozen, refused by containerd 2, and its digest leaves out signatures.
    #[error("it is a Docker schema 1 manifest, which no current runtime reads")]
    Schema1,
    /// Some other type.
    #[error("its media type `{0}` is no image manifest or index")]
    Type(String),
    /// The type in the body contradicts the one in the header or descriptor
    /// (image-spec, manifest.md: the two "MUST match").
    #[error("its body says `{body}` where `{outer}` was announced")]
    TypeConflict {
        /// `mediaType` inside the body.
        body: String,
        /// The type of the header or descriptor.
        outer: String,
    },
    /// The type of a child contradicts the one that its index gives it
    /// (image-spec, manifest.md: the two "MUST match").
    #[error("it names {child} as `{named}`, and that is `{own}`")]
    ChildType {
        /// The manifest that is named.
        child: Digest,
        /// The type in the index.
        named: String,
        /// The type of the manifest.
        own: String,
    },
    /// Not JSON of the expected form.
    #[error("it cannot be read: {0}")]
    Json(String),
    /// A descriptor inside is not valid.
    #[error("it names something invalid: {0}")]
    Descriptor(#[from] InvalidDescriptor),
}

/// The members of any manifest body that tell what it is.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl RawManifest {
    /// Takes `bytes` as a manifest.
    ///
    /// `announced` is the type of the answer's header or of the descriptor, without parameters;
    /// some registries announce `text/plain` or `application/json`, so the body's own
    /// `mediaType` is asked too, and last its shape.
    pub fn new(bytes: Bytes, announced: Option<&str>) -> Result<Self, ManifestError> {
        Self::with_digest(bytes, announced, None)
    }

    /// As [`new`](Self::new), for bytes that were already verified against `digest`.
    pub fn with_digest(
        bytes: Bytes,
        announced: Option<&str>,
        digest: Option<Digest>,
    ) -> Result<Self, ManifestError> {
        let head: Head =
            serde_json::from_slice(&bytes).map_err(|e| ManifestError::Json(e.to_string()))?;
        let schema1 =
            |t: &str| t == media_type::DOCKER_SCHEMA1 || t == media_type::DOCKER_SCHEMA1_SIGNED;
        if head.schema_version == Some(1)
            || head.fs_layers.is_some()
            || announced.is_some_and(schema1)
        {
            return Err(ManifestError::Schema1);
        }
        let announced = announced.filter(|t| !is_vague(t));
        let media_type = match (head.media_type, announced) {
            (Some(body), Some(outer)) if body != outer => {
                return Err(ManifestError::TypeConflict {
                    body,
                    outer: outer.to_owned(),
                });
            }
            (Some(body), _) => body,
            (None, Some(outer)) => outer.to_owned(),
            (None, None) if head.manifests.is_some() => media_type::OCI_INDEX.to_owned(),
            (None, None) => media_type::OCI_MANIFEST.to_owned(),
        };
        if !media_type::is_manifest(&media_type) {
            return Err(ManifestError::Type(media_type));
        }
        let digest = digest.unwrap_or_else(|| Digest::of(&bytes));
        Ok(Self {
            bytes,
            media_type,
            digest,
        })
    }

    /// The bytes as they were read.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its media type, without parameters.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// What the bytes hash to.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whether it names other manifests.
    pub fn is_index(&self) -> bool {
        media_type::is_index(&self.media_type)
    }

    /// Refuses `child`, a descriptor in an index, when the manifest that it names is known to be of
    /// another type. A vague type contradicts nothing.
    pub fn check_child(child: &Descriptor, own: &str) -> Result<(), ManifestError> {
        let named = &*child.media_type;
        if is_vague(named) || named == own {
            return Ok(());
        }
        Err(ManifestError::ChildType {
            child: child.digest.clone(),
            named: named.to_owned(),
            own: own.to_owned(),
        })
    }

    /// A descriptor of the manifest itself.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            &*self.media_type,
            self.digest.clone(),
            self.bytes.len() as u64,
        )
    }

    /// Everything this manifest names and cannot be without. `subject` is not among it: a
    /// registry accepts a manifest whose subject is missing (distribution-spec, "Pushing
    /// manifests with subject").
    pub fn successors(&self) -> Result<Successors, ManifestError> {
        let json = |e: serde_json::Error| ManifestError::Json(e.to_string());
        if self.is_index() {
            // A descriptor that is no manifest is allowed in an index (image-index.md); it is
            // then a blob of the repository.
            let (manifests, blobs) = self
                .entries()?
                .into_iter()
                .partition(|d| media_type::is_manifest(&d.media_type) || is_vague(&d.media_type));
            Ok(Successors { manifests, blobs })
        } else {
            let image: OciImageManifest = serde_json::from_slice(&self.bytes).map_err(json)?;
            let blobs = std::iter::once(image.config)
                .chain(image.layers)
                .map(|d: OciDescriptor| {
                    descriptor::convert(d.media_type, &d.digest, d.size, d.urls)
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Successors {
                manifests: Vec::new(),
                blobs,
            })
        }
    }

    /// The entries of an index, in order.
    pub(super) fn entries(&self) -> Result<Vec<Descriptor>, ManifestError> {
        let index: OciImageIndex =
            serde_json::from_slice(&self.bytes).map_err(|e| ManifestError::Json(e.to_string()))?;
        Ok(index
            .manifests
            .into_iter()
            .map(child)
            .collect::<Result<_, _>>()?)
    }
}

fn is_vague(media_type: &str) -> bool {
    matches!(
        media_type,
        "" | "text/plain" | "application/json" | "application/octet-stream"
    )
}

fn child(entry: ImageIndexEntry) -> Result<Descriptor, InvalidDescriptor> {
    let platform = entry.platform.map(|p| Platform {
        os: p.os.to_string(),
        architecture: p.architecture.to_string(),
        variant: p.variant,
    });
    let attests = entry
        .annotations
        .as_ref()
        .and_then(|a| a.get("vnd.docker.reference.digest"))
        .map(|digest| digest.parse())
        .transpose()?;
    let plain = descriptor::convert(entry.media_type, &entry.digest, entry.size, None)?;
    Ok(Descriptor {
        platform,
        attests,
        ..plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: &str = r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7"#;

    fn raw(text: &str, announced: Option<&str>) -> Result<RawManifest, ManifestError> {
        RawManifest::new(Bytes::copy_from_slice(text.as_bytes()), announced)
    }

    #[test]
    fn the_body_tells_the_type_when_the_header_is_vague() {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
            media_type::DOCKER_LIST
        );
        for announced in [
            None,
            Some("text/plain"),
            Some("application/json"),
            Some(media_type::DOCKER_LIST),
        ] {
            assert_eq!(
                raw(&text, announced).expect("a list").media_type(),
                media_type::DOCKER_LIST
            );
        }
        assert!(matches!(
            raw(&text, Some(media_type::OCI_INDEX)),
            Err(ManifestError::TypeConflict { .. })
        ));
    }

    #[test]
    fn a_body_without_a_type_is_told_by_its_shape() {
        let index = raw(r#"{"schemaVersion":2,"manifests":[]}"#, None).expect("an index");
        assert_eq!(index.media_type(), media_type::OCI_INDEX);
        let image = raw(r#"{"schemaVersion":2,"config":{},"layers":[]}"#, None).expect("an image");
        assert_eq!(image.media_type(), media_type::OCI_MANIFEST);
    }

    #[test]
    fn schema_1_is_refused_by_name() {
        for (text, announced) in [
            (r#"{"schemaVersion":1,"name":"x"}"#, None),
            (r#"{"schemaVersion":1}"#, Some("text/plain")),
            (r"{}", Some(media_type::DOCKER_SCHEMA1_SIGNED)),
        ] {
            assert!(matches!(raw(text, announced), Err(ManifestError::Schema1)));
        }
    }

    #[test]
    fn an_index_names_its_children_with_platform_and_attestation() {
        let text = format!(
            r#"{{"schemaVersion":2,"manifests":[
              {CHILD},"platform":{{"os":"linux","architecture":"arm","variant":"v7"}}}},
              {CHILD},"platform":{{"os":"unknown","architecture":"unknown"}},
               "annotations":{{"vnd.docker.reference.type":"attestation-manifest",
               "vnd.docker.reference.digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}}}
            ]}}"#
        );
        let successors = raw(&text, None)
            .expect("an index")
            .successors()
            .expect("children");
        assert_eq!(successors.manifests.len(), 2);
        let platform = successors.manifests[0]
            .platform
            .as_ref()
            .expect("a platform");
        assert_eq!(platform.to_string(), "linux/arm/v7");
        assert!(successors.manifests[1].attests.is_some());
        assert!(
            successors.manifests[1]
                .platform
                .as_ref()
                .expect("a platform")
                .is_unknown()
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_a_panic() {
        for text in [
            "",
            "[]",
            "{",
            "null",
            r#"{"schemaVersion":2,"mediaType":"text/html"}"#,
        ] {
            assert!(raw(text, None).is_err(), "{text}");
        }
        let bad_size = CHILD.replace("\"size\":7", "\"size\":-7");
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{bad_size}}}]}}"#);
        assert!(raw(&text, None).expect("an index").successors().is_err());
    }
}
