//! `index.json`: the names of a bundle (OCI image-spec, image-layout.md, "index.json file"), with
//! our annotations or without.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::BundleError;
use crate::oci::{Descriptor, Digest, Reference, is_repository, is_tag, media_type};

/// The host of names inside a bundle, which have none. `.invalid` resolves nowhere (RFC 2606).
pub const BUNDLE_HOST: &str = "bundle.invalid";

/// The largest `index.json` that is read: two hundred thousand entries.
pub(super) const INDEX_LIMIT: u64 = 64 << 20;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";
const REPOSITORY: &str = "io.airbuoy.repository";
const TAG: &str = "io.airbuoy.tag";

/// One name of a bundle and the manifest behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The manifest.
    pub descriptor: Descriptor,
    /// The upstream name, when the layout gives one in full.
    pub source: Option<Reference>,
    /// The repository under which it is served and pushed.
    pub repository: String,
    /// The tag there; none when it is known by its digest only.
    pub tag: Option<String>,
}

impl Entry {
    /// The entry as a reference on [`BUNDLE_HOST`].
    pub fn reference(&self) -> Option<Reference> {
        bundle_reference(
            &self.repository,
            self.tag.as_deref(),
            &self.descriptor.digest,
        )
    }

    /// `repository:tag`, or `repository@digest`: for people.
    pub fn name(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}:{tag}", self.repository),
            None => format!("{}@{}", self.repository, self.descriptor.digest),
        }
    }
}

/// A name inside a bundle as a reference; `None` when the parts are no names.
pub fn bundle_reference(repository: &str, tag: Option<&str>, digest: &Digest) -> Option<Reference> {
    let text = match tag {
        Some(tag) => format!("{BUNDLE_HOST}/{repository}:{tag}"),
        None => format!("{BUNDLE_HOST}/{repository}@{digest}"),
    };
    text.parse().ok()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    manifests: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// Reads `index.json`. `bundle` is named in errors; `stem` names what has no repository of its
/// own: the bundle's file name without its ending.
pub(super) fn parse(bytes: &[u8], bundle: &str, stem: &str) -> Result<Vec<Entry>, BundleError> {
    let index: Index = serde_json::from_slice(bytes).map_err(|e| BundleError::Index {
        bundle: bundle.to_owned(),
        reason: e.to_string(),
    })?;
    let stem = repository_of(stem);
    Ok(index
        .manifests
        .into_iter()
        .map(|row| entry(row, &stem))
        .collect())
}

fn entry(row: Row, stem: &str) -> Entry {
    let annotation = |key: &str| row.annotations.get(key).map(String::as_str);
    let written = [annotation(CONTAINERD_NAME), annotation(REF_NAME)];
    // Only a name with its host: `latest` or `nginx` would be completed to something that nobody
    // wrote.
    let in_full = |name: &str| {
        let host = name.split('/').next()?;
        let reference = name.parse::<Reference>().ok()?;
        (reference.host() == host).then_some(reference)
    };
    let source = written.into_iter().flatten().find_map(in_full);
    let ours = annotation(REPOSITORY).filter(|path| is_repository(path));
    let (repository, tag) = match (ours, &source) {
        (Some(path), _) => (path.to_owned(), annotation(TAG).map(str::to_owned)),
        (None, Some(source)) => (
            source.repository().path().to_owned(),
            source.tag().map(str::to_owned),
        ),
        (None, None) => {
            let name = annotation(REF_NAME).unwrap_or_default();
            match name.split_once(':') {
                Some((path, tag)) if is_repository(path) => (path.to_owned(), Some(tag.to_owned())),
                _ => (stem.to_owned(), Some(name.to_owned())),
            }
        }
    };
    Entry {
        descriptor: Descriptor::new(row.media_type, row.digest, row.size),
        source,
        repository,
        tag: tag.filter(|tag| is_tag(tag)),
    }
}

/// `stem` as a repository name: what the grammar does not take becomes a dash.
fn repository_of(stem: &str) -> String {
    let lower = stem.to_lowercase();
    let kept: String = lower
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .collect();
    let parts: Vec<&str> = kept.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        "bundle".to_owned()
    } else {
        parts.join("-")
    }
}

/// The bytes of `index.json`: entries sorted by name, compact, the same for the same entries.
pub(super) fn to_bytes(entries: &[Entry]) -> Vec<u8> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| (&entry.repository, &entry.tag, &entry.descriptor.digest));
    let index = Index {
        schema_version: 2,
        media_type: Some(media_type::OCI_INDEX.to_owned()),
        manifests: sorted.into_iter().map(row).collect(),
    };
    serde_json::to_vec(&index).unwrap_or_default()
}

fn row(entry: &Entry) -> Row {
    let mut annotations = BTreeMap::new();
    let name = match (&entry.source, &entry.tag) {
        (Some(source), _) => Some(source.to_string()),
        (None, Some(tag)) => Some(format!("{}:{tag}", entry.repository)),
        (None, None) => None,
    };
    if let Some(name) = name {
        if entry.source.is_some() {
            annotations.insert(CONTAINERD_NAME.to_owned(), name.clone());
        }
        annotations.insert(REF_NAME.to_owned(), name);
    }
    annotations.insert(REPOSITORY.to_owned(), entry.repository.clone());
    if let Some(tag) = &entry.tag {
        annotations.insert(TAG.to_owned(), tag.clone());
    }
    Row {
        media_type: entry.descriptor.media_type.clone(),
        digest: entry.descriptor.digest.clone(),
        size: entry.descriptor.size,
        annotations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &str) -> Entry {
        let text = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{}","size":7,"annotations":{annotations}}}]}}"#,
            media_type::OCI_MANIFEST,
            Digest::of(b"m"),
        );
        let mut entries = parse(text.as_bytes(), "x.tar", "My Set_1").expect("an index");
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }

    #[test]
    fn names_of_other_tools_are_understood() {
        for (annotations, source, name) in [
            (
                r#"{"org.opencontainers.image.ref.name":"registry.k8s.io/pause:3.10"}"#,
                Some("registry.k8s.io/pause:3.10"),
                "pause:3.10",
            ),
            (
                r#"{"io.containerd.image.name":"docker.io/library/busybox:1","org.opencontainers.image.ref.name":"1"}"#,
                Some("docker.io/library/busybox:1"),
                "library/busybox:1",
            ),
            (
                r#"{"org.opencontainers.image.ref.name":"latest"}"#,
                None,
                "my-set-1:latest",
            ),
            (
                r#"{"org.opencontainers.image.ref.name":"busybox:1.36"}"#,
                None,
                "busybox:1.36",
            ),
            (
                r#"{"io.airbuoy.repository":"../x","io.airbuoy.tag":"a b"}"#,
                None,
                &format!("my-set-1@{}", Digest::of(b"m")),
            ),
            ("{}", None, &format!("my-set-1@{}", Digest::of(b"m"))),
        ] {
            let entry = read(annotations);
            let found = entry.source.as_ref().map(Reference::to_string);
            assert_eq!(found.as_deref(), source, "{annotations}");
            assert_eq!(entry.name(), name, "{annotations}");
            assert!(entry.reference().is_some(), "{annotations}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_whatever_its_order() {
        let entry = |source: Option<&str>, repository: &str, tag: Option<&str>| Entry {
            descriptor: Descriptor::new(
                media_type::DOCKER_LIST,
                Digest::of(repository.as_bytes()),
                5,
            ),
            source: source.map(|s| s.parse().expect("a reference")),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
        };
        let entries = [
            entry(Some("registry.k8s.io/pause:3.10"), "pause", Some("3.10")),
            entry(
                Some("registry.k8s.io/conformance:v1.36.3"),
                "conformance",
                Some("v1.36.3"),
            ),
            entry(None, "x/y", Some("t")),
            entry(None, "x/z", None),
        ];
        let bytes = to_bytes(&entries);
        let mut read = parse(&bytes, "x.tar", "stem").expect("an index");
        let names: Vec<String> = read.iter().map(Entry::name).collect();
        assert_eq!(names[..3], ["conformance:v1.36.3", "pause:3.10", "x/y:t"]);
        read.reverse();
        assert_eq!(to_bytes(&read), bytes);
        read.sort_by_key(|entry| entry.repository != "pause");
        assert_eq!(read[0], entries[0]);
    }

    #[test]
    fn what_is_no_index_is_refused_by_name() {
        for text in ["", "[]", "{}", r#"{"schemaVersion":2,"manifests":[{}]}"#] {
            let error = parse(text.as_bytes(), "x.tar", "x").expect_err(text);
            assert!(error.to_string().contains("x.tar"), "{error}");
        }
    }
}
