//! Registries that exist only in tests: content in maps, every call written down, faults on
//! demand.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::content::{Begun, BlobStream, Code, Failure, Held, Retry, Source, Target};
use crate::oci::{Descriptor, Digest, Hasher, RawManifest, Reference, Repository, media_type};

/// A registry in memory.
#[derive(Default)]
pub(super) struct Fake {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    manifests: HashMap<Reference, RawManifest>,
    blobs: HashMap<(Repository, Digest), Bytes>,
    log: Vec<String>,
    faults: Vec<Fault>,
    refuses_mounts: bool,
    /// First bytes of blobs that uploads hold from an earlier run.
    held: HashMap<Digest, Bytes>,
    open: usize,
}

/// Something that goes wrong once at each count.
pub(super) struct Fault {
    /// The beginning of the log line it happens at.
    pub(super) at: String,
    /// How often.
    pub(super) times: usize,
    /// What.
    pub(super) kind: FaultKind,
}

#[derive(Clone)]
pub(super) enum FaultKind {
    /// The call fails.
    Fail(Code, Retry),
    /// The stream breaks after so many bytes.
    CutAfter(usize),
    /// The stream has one wrong byte.
    Flip,
    /// The call claims success and does nothing.
    Lie,
}

pub(super) struct FakeUpload(Repository);

pub(super) fn reference(text: &str) -> Reference {
    text.parse().expect("a reference")
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault(&self, at: &str, times: usize, kind: FaultKind) {
        self.state().faults.push(Fault {
            at: at.to_owned(),
            times,
            kind,
        });
    }

    pub(super) fn refuse_mounts(&self) {
        self.state().refuses_mounts = true;
    }

    pub(super) fn hold(&self, blob: &Digest, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.state().held.insert(blob.clone(), bytes);
    }

    pub(super) fn bytes(&self, repository: &Repository, blob: &Digest) -> Option<Bytes> {
        let place = (repository.clone(), blob.clone());
        self.state().blobs.get(&place).cloned()
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub(super) fn count(&self, prefix: &str) -> usize {
        self.state()
            .log
            .iter()
            .filter(|line| line.starts_with(prefix))
            .count()
    }

    pub(super) fn clear_log(&self) {
        self.state().log.clear();
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.state().open
    }

    pub(super) fn digest(&self, name: &str) -> Option<Digest> {
        self.state()
            .manifests
            .get(&reference(name))
            .map(|m| m.digest().clone())
    }

    pub(super) fn remove_blob(&self, repository: &Repository, digest: &Digest) {
        self.state()
            .blobs
            .remove(&(repository.clone(), digest.clone()));
    }

    pub(super) fn corrupt_blob(&self, repository: &Repository, digest: &Digest) {
        let mut state = self.state();
        let bytes = state
            .blobs
            .get_mut(&(repository.clone(), digest.clone()))
            .expect("the blob");
        *bytes = vec![b'!'; bytes.len()].into();
    }

    /// Stores a manifest under a name and its digest.
    pub(super) fn store(&self, name: &Reference, manifest: &RawManifest) {
        let mut state = self.state();
        state.manifests.insert(name.clone(), manifest.clone());
        state
            .manifests
            .insert(name.repository().at(manifest.digest()), manifest.clone());
    }

    pub(super) fn blob(&self, repository: &Repository, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let descriptor = Descriptor::new(
            media_type::OCI_LAYER_GZIP,
            digest.clone(),
            bytes.len() as u64,
        );
        self.state()
            .blobs
            .insert((repository.clone(), digest), bytes);
        descriptor
    }

    /// An image with these layers, under `name`.
    pub(super) fn image(&self, name: &str, layers: &[&[u8]]) -> RawManifest {
        let name = reference(name);
        let config = self.blob(name.repository(), format!("{{\"config of\":{layers:?}}}"));
        let layers: Vec<Descriptor> = layers
            .iter()
            .map(|l| self.blob(name.repository(), Bytes::copy_from_slice(l)))
            .collect();
        let manifest = image_manifest(&config, &layers);
        self.store(&name, &manifest);
        manifest
    }

    /// An index under `name` over children that are in its repository.
    pub(super) fn index(&self, name: &str, children: &[(&RawManifest, &str)]) -> RawManifest {
        let entries: Vec<serde_json::Value> = children
            .iter()
            .map(|(child, platform)| {
                let mut entry = json(&child.descriptor());
                if let Some((os, architecture)) = platform.split_once('/') {
                    entry["platform"] = serde_json::json!({"os": os, "architecture": architecture});
                }
                entry
            })
            .collect();
        let body = serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries,
        });
        let manifest = RawManifest::new(body.to_string().into(), None).expect("an index");
        self.store(&reference(name), &manifest);
        manifest
    }

    fn call(&self, line: String) -> Result<Option<FaultKind>, Failure> {
        let mut state = self.state();
        let fault = state
            .faults
            .iter_mut()
            .find(|f| f.times > 0 && line.starts_with(&f.at));
        let kind = fault.map(|fault| {
            fault.times -= 1;
            fault.kind.clone()
        });
        state.log.push(line);
        match kind {
            Some(FaultKind::Fail(code, retry)) => {
                Err(Failure::new(code, "fake", "injected").retry(retry))
            }
            other => Ok(other),
        }
    }
}

pub(super) fn image_manifest(config: &Descriptor, layers: &[Descriptor]) -> RawManifest {
    let layers: Vec<serde_json::Value> = layers.iter().map(json).collect();
    let body = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": json(config), "layers": layers,
    });
    RawManifest::new(body.to_string().into(), None).expect("a manifest")
}

fn json(descriptor: &Descriptor) -> serde_json::Value {
    let mut value = serde_json::json!({
        "mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size,
    });
    if !descriptor.urls.is_empty() {
        value["urls"] = descriptor.urls.clone().into();
    }
    value
}

impl Source for Fake {
    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        self.call(format!("HEAD {reference}"))?;
        Ok(self
            .state()
            .manifests
            .get(reference)
            .map(|m| m.digest().clone()))
    }

    async fn manifest(&self, reference: &Reference) -> Result<RawManifest, Failure> {
        self.call(format!("GET {reference}"))?;
        let found = self.state().manifests.get(reference).cloned();
        found.ok_or_else(|| Failure::new(Code::NotFound, "fake", "no such manifest").at(reference))
    }

    async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        let fault = self.call(format!("BLOB {repository}@{} {offset}", descriptor.digest))?;
        let bytes = self
            .state()
            .blobs
            .get(&(repository.clone(), descriptor.digest.clone()))
            .cloned();
        let mut bytes =
            bytes.ok_or_else(|| Failure::new(Code::NotFound, "fake", "no such blob"))?;
        if let Some(FaultKind::Flip) = fault {
            let mut wrong = bytes.to_vec();
            wrong[0] ^= 1;
            bytes = wrong.into();
        }
        let rest = bytes.slice(usize::try_from(offset).expect("fits")..);
        let cut = match fault {
            Some(FaultKind::CutAfter(cut)) => cut.min(rest.len()),
            _ => rest.len(),
        };
        let mut chunks: Vec<Result<Bytes, Failure>> = rest
            .slice(..cut)
            .chunks(7.max(cut / 64))
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        if matches!(fault, Some(FaultKind::CutAfter(_))) {
            let cut = Failure::new(Code::Interrupted, "fake", "connection reset");
            chunks.push(Err(cut.retry(Retry::Backoff)));
        }
        Ok(Box::pin(futures_util::stream::iter(chunks)))
    }
}

impl Target for Fake {
    type Upload = FakeUpload;

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        Source::resolve(self, reference).await
    }

    async fn has_blob(&self, repository: &Repository, blob: &Descriptor) -> Result<bool, Failure> {
        self.call(format!("STAT {repository}@{}", blob.digest))?;
        let state = self.state();
        let found = state.blobs.get(&(repository.clone(), blob.digest.clone()));
        Ok(found.is_some_and(|bytes| bytes.len() as u64 == blob.size))
    }

    async fn begin(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        from: Option<&Repository>,
    ) -> Result<Begun<FakeUpload>, Failure> {
        let verb = match from {
            Some(from) if from != repository => "MOUNT",
            _ => "POST",
        };
        let fault = self.call(format!("{verb} {repository}@{}", blob.digest))?;
        let mut state = self.state();
        if let Some(from) = from.filter(|_| !state.refuses_mounts) {
            if matches!(fault, Some(FaultKind::Lie)) {
                return Ok(Begun::Mounted);
            }
            let bytes = state
                .blobs
                .get(&(from.clone(), blob.digest.clone()))
                .cloned();
            if let Some(bytes) = bytes {
                state
                    .blobs
                    .insert((repository.clone(), blob.digest.clone()), bytes);
                return Ok(Begun::Mounted);
            }
        }
        state.open += 1;
        let upload = FakeUpload(repository.clone());
        if let Some(bytes) = state.held.get(&blob.digest) {
            let mut hasher = Hasher::new(blob.digest.algorithm());
            hasher.update(bytes);
            let bytes = bytes.len() as u64;
            return Ok(Begun::Partial(upload, Held { bytes, hasher }));
        }
        Ok(Begun::Upload(upload))
    }

    async fn upload(
        &self,
        upload: FakeUpload,
        blob: &Descriptor,
        mut body: BlobStream,
    ) -> Result<(), Failure> {
        let repository = upload.0;
        self.state().open -= 1;
        self.call(format!("PUT {repository}@{}", blob.digest))?;
        let mut bytes = self
            .state()
            .held
            .remove(&blob.digest)
            .unwrap_or_default()
            .to_vec();
        // As an HTTP client with Content-Length does: what comes after the last byte is not read.
        while (bytes.len() as u64) < blob.size {
            match body.next().await {
                Some(chunk) => bytes.extend_from_slice(&chunk?),
                None => return Err(Failure::new(Code::Interrupted, "fake", "short body")),
            }
        }
        self.state()
            .blobs
            .insert((repository, blob.digest.clone()), bytes.into());
        Ok(())
    }

    async fn cancel(&self, _: FakeUpload) {
        self.state().open -= 1;
    }

    async fn put_manifest(&self, at: &Reference, manifest: &RawManifest) -> Result<(), Failure> {
        self.call(format!("PUT {at}"))?;
        let successors = manifest.successors().expect("a readable manifest");
        {
            let state = self.state();
            let blobs: HashSet<_> = state.blobs.keys().collect();
            for blob in successors.blobs.iter().filter(|blob| !blob.is_foreign()) {
                if !blobs.contains(&(at.repository().clone(), blob.digest.clone())) {
                    return Err(Failure::new(
                        Code::ManifestBlobUnknown,
                        "fake",
                        "blob unknown",
                    ));
                }
            }
            for child in &successors.manifests {
                if !state
                    .manifests
                    .contains_key(&at.repository().at(&child.digest))
                {
                    return Err(Failure::new(
                        Code::ManifestBlobUnknown,
                        "fake",
                        "child unknown",
                    ));
                }
            }
        }
        self.store(at, manifest);
        Ok(())
    }

    async fn try_repository(&self, repository: &Repository) -> Result<(), Failure> {
        self.call(format!("TRY {repository}")).map(drop)
    }
}
