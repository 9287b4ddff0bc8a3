//! Layers made up for the tests of this room, and a source in memory that holds them.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Mutex;

use bytes::Bytes;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::machine;
use crate::content::{BlobStream, Code, Failure, Source};
use crate::event::{Event, Observer};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository, media_type};

/// One entry of an archive; nothing about it need be sensible.
#[derive(Debug, Clone)]
pub(super) struct Member {
    name: String,
    kind: EntryType,
    link: String,
    content: Vec<u8>,
    size: u64,
    long_name: Option<Vec<u8>>,
}

impl Member {
    fn new(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            link: link.to_owned(),
            content: content.to_vec(),
            size: content.len() as u64,
            long_name: None,
        }
    }

    pub(super) fn file(name: &str, content: &[u8]) -> Self {
        Self::new(name, EntryType::Regular, "", content)
    }

    pub(super) fn link(name: &str, to: &str) -> Self {
        Self::new(name, EntryType::Symlink, to, b"")
    }

    pub(super) fn hard_link(name: &str, to: &str) -> Self {
        Self::new(name, EntryType::Link, to, b"")
    }

    pub(super) fn folder(name: &str) -> Self {
        Self::new(name, EntryType::Directory, "", b"")
    }

    /// Whose header says that it has `size` bytes.
    pub(super) fn claiming(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// With a GNU long name in front.
    pub(super) fn long_name(self, name: &[u8]) -> Self {
        let long_name = Some(name.to_vec());
        Self { long_name, ..self }
    }
}

/// An archive of these, written by hand: no library writes `..`.
pub(super) fn tar(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for member in members {
        if let Some(name) = &member.long_name {
            let kind = EntryType::GNULongName;
            entry(&mut bytes, &Member::new("././@LongLink", kind, "", name));
        }
        entry(&mut bytes, member);
    }
    bytes.extend([0; 1024]);
    bytes
}

fn entry(bytes: &mut Vec<u8>, member: &Member) {
    let mut header = Header::new_gnu();
    let raw = header.as_old_mut();
    raw.name[..member.name.len()].copy_from_slice(member.name.as_bytes());
    raw.linkname[..member.link.len()].copy_from_slice(member.link.as_bytes());
    header.set_entry_type(member.kind);
    header.set_size(member.size);
    header.set_mode(0o755);
    header.set_cksum();
    bytes.extend(header.as_bytes());
    bytes.extend(&member.content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

/// A registry in memory that counts what is asked of it.
#[derive(Default)]
pub(super) struct Fake {
    manifests: HashMap<Reference, RawManifest>,
    blobs: HashMap<Digest, Bytes>,
    /// The first answers for a blob end after this many bytes.
    pub(super) cuts: Mutex<Vec<usize>>,
    pub(super) asked: Mutex<Vec<String>>,
}

impl Fake {
    /// Holds `name` for this machine: an index of one image with these layers, given with their
    /// media types.
    pub(super) fn with(name: &str, layers: &[(&str, Vec<u8>)]) -> (Self, Reference) {
        let mut fake = Self::default();
        let platform = machine::platform();
        let reference: Reference = name.parse().expect("a reference");
        let config = fake.keep_blob(media_type::OCI_CONFIG, b"{}".to_vec());
        let layers: Vec<String> = layers
            .iter()
            .map(|(media_type, bytes)| fake.keep_blob(media_type, bytes.clone()))
            .collect();
        let image = fake.keep_manifest(
            &reference,
            format!(
                r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#,
                layers.join(",")
            ),
        );
        let other = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"other"), 9);
        let entries = [(other, "plan9/sparc"), (image, &platform.to_string())]
            .map(|(d, platform)| json(&d, platform));
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
            entries.join(",")
        );
        fake.keep_manifest(&reference, index);
        (fake, reference)
    }

    /// Another body for a blob, so that its digest is wrong.
    pub(super) fn swap(&mut self, bytes: &[u8], other: Vec<u8>) {
        self.blobs.insert(Digest::of(bytes), other.into());
    }

    fn keep_blob(&mut self, media_type: &str, bytes: Vec<u8>) -> String {
        let (digest, size) = (Digest::of(&bytes), bytes.len());
        self.blobs.insert(digest.clone(), bytes.into());
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    }

    /// Kept by digest and, the last one, by name.
    fn keep_manifest(&mut self, reference: &Reference, text: String) -> Descriptor {
        let manifest = RawManifest::new(text.into(), None).expect("a manifest");
        let by_digest = reference.repository().at(manifest.digest());
        self.manifests.insert(by_digest, manifest.clone());
        self.manifests.insert(reference.clone(), manifest.clone());
        manifest.descriptor()
    }

    fn ask(&self, what: String) {
        self.asked.lock().expect("no panic").push(what);
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn json(d: &Descriptor, platform: &str) -> String {
    let (os, architecture) = platform.split_once('/').expect("a platform");
    format!(
        r#"{{"mediaType":"{}","digest":"{}","size":{},"platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#,
        d.media_type, d.digest, d.size
    )
}

impl Source for Fake {
    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        self.ask(format!("HEAD {reference}"));
        let found = self.manifests.get(reference);
        Ok(found.map(|manifest| manifest.digest().clone()))
    }

    async fn manifest(&self, reference: &Reference) -> Result<RawManifest, Failure> {
        self.ask(format!("GET {reference}"));
        let found = self.manifests.get(reference).cloned();
        found.ok_or_else(|| Failure::new(Code::NotFound, "fake", "no such manifest"))
    }

    async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        self.ask(format!("BLOB {repository} {offset}"));
        let mut rest =
            self.blobs[&descriptor.digest].slice(usize::try_from(offset).expect("a small blob")..);
        if let Some(cut) = self.cuts.lock().expect("no panic").pop() {
            rest.truncate(cut);
        }
        let chunks: Vec<_> = rest.chunks(100).map(|c| Ok(rest.slice_ref(c))).collect();
        Ok(Box::pin(futures_util::stream::iter(chunks)))
    }
}

/// Remembers notices and warnings.
#[derive(Default)]
pub(super) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(super) fn all(&self) -> String {
        self.0.lock().expect("no panic").join("\n")
    }
}

impl Observer for Heard {
    fn event(&self, event: Event) {
        let line = match event {
            Event::Notice(text) => format!("notice: {text}"),
            Event::Warning(text) => format!("warning: {text}"),
            _ => return,
        };
        self.0.lock().expect("no panic").push(line);
    }
}
