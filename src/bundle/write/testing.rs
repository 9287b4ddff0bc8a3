//! An image set to pull, and the part of the engine between it and a writer.

use std::time::Duration;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};

use super::options::{Finished, WriteOptions};
use super::recording::RecordingDisk;
use super::writer::Writer;
use crate::bundle::disk::RealDisk;
use crate::bundle::{BUNDLE_HOST, BundleError, External, ImageRecord, Record};
use crate::catalog::{Catalog, Conformance, Role};
use crate::content::{Begun, BlobStream, Code, Failure, Plan, Retry, Target as _, Verified};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, media_type};

/// A folder of its own for each test.
pub(super) struct Folder {
    _held: tempfile::TempDir,
    pub(super) path: Utf8PathBuf,
}

pub(super) fn folder() -> Folder {
    let held = tempfile::tempdir().expect("a folder");
    let path = Utf8PathBuf::from_path_buf(held.path().to_owned()).expect("UTF-8");
    Folder { _held: held, path }
}

/// Images to pull.
#[derive(Clone, Default)]
pub(super) struct Images {
    pub(super) plan: Plan,
    pub(super) rows: Vec<ImageRecord>,
    blobs: Vec<(Descriptor, Bytes)>,
}

impl Images {
    /// Adds `repository:1` with one layer for each `(seed, size)`.
    pub(super) fn with(mut self, repository: &str, layers: &[(u8, usize)]) -> Self {
        let config = self.blob(format!("{{\"for\":\"{repository}\"}}").into());
        let layers: Vec<String> = layers
            .iter()
            .map(|(seed, size)| {
                let noise = (0..*size).scan(u32::from(*seed) + 1, |state, _| {
                    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    Some(state.to_be_bytes()[0])
                });
                let blob = self.blob(noise.collect::<Vec<u8>>().into());
                json(media_type::OCI_LAYER_GZIP, &blob)
            })
            .collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            media_type::OCI_MANIFEST,
            json(media_type::OCI_CONFIG, &config),
            layers.join(","),
        );
        let manifest = RawManifest::new(text.into(), None).expect("a manifest");
        let source: Reference = format!("registry.k8s.io/{repository}:1")
            .parse()
            .expect("a reference");
        self.rows.push(ImageRecord {
            source,
            repository: repository.to_owned(),
            tag: Some("1".to_owned()),
            digest: None,
            role: Role::Test,
            key: Some("gcRegistry".to_owned()),
            conformance: Some(Conformance::Yes),
            versions: Vec::new(),
        });
        self.plan
            .roots
            .push((name(repository), manifest.digest().clone()));
        self.plan.manifests.push(manifest);
        self.plan.blobs = self.blobs.iter().map(|(blob, _)| blob.clone()).collect();
        self
    }

    fn blob(&mut self, bytes: Bytes) -> Descriptor {
        let digest = Digest::of(&bytes);
        let blob = Descriptor::new(media_type::OCI_LAYER_GZIP, digest, bytes.len() as u64);
        if self.blobs.iter().all(|(known, _)| *known != blob) {
            self.blobs.push((blob.clone(), bytes));
        }
        blob
    }

    /// Bytes of all blobs.
    pub(super) fn unique(&self) -> u64 {
        self.blobs.iter().map(|(blob, _)| blob.size).sum()
    }

    /// All names.
    pub(super) fn names(&self) -> Vec<Reference> {
        self.plan
            .roots
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn reversed(mut self) -> Self {
        self.blobs.reverse();
        self.plan.blobs.reverse();
        self.plan.manifests.reverse();
        self.plan.roots.reverse();
        self.rows.reverse();
        self
    }

    /// The blob with the most bytes.
    pub(super) fn largest(&self) -> Descriptor {
        let blobs = self.blobs.iter().map(|(blob, _)| blob);
        blobs.max_by_key(|blob| blob.size).expect("one").clone()
    }

    pub(super) fn options(&self) -> WriteOptions {
        WriteOptions {
            split: None,
            external: Vec::new(),
            record: Record {
                format: crate::bundle::record::FORMAT,
                tool: "airbuoy 0.0.0".to_owned(),
                platforms: "all".to_owned(),
                images: self.rows.clone(),
                releases: Vec::new(),
                sonobuoy: Catalog::embedded().sonobuoy(None).expect("the default"),
                external: Vec::new(),
            },
        }
    }

    pub(super) fn external(blob: &Descriptor) -> External {
        External {
            digest: blob.digest.clone(),
            size: blob.size,
            repositories: vec!["registry.k8s.io/pause".to_owned()],
        }
    }
}

fn json(media_type: &str, blob: &Descriptor) -> String {
    format!(
        r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
        blob.digest, blob.size
    )
}

/// The name of an image in the bundle.
pub(super) fn name(repository: &str) -> Reference {
    format!("{BUNDLE_HOST}/{repository}:1")
        .parse()
        .expect("a reference")
}

/// Brings all images to the writer as the engine does, and counts the bytes that the source was
/// asked for. With `limit`, the source breaks for good after so many bytes.
pub(super) async fn bring(
    writer: &Writer,
    images: &Images,
    limit: Option<u64>,
    asked: &mut u64,
) -> Result<(), Failure> {
    writer.prepare(&images.plan).await?;
    bring_blobs(writer, images, limit, asked).await?;
    for manifest in &images.plan.manifests {
        let (name, _) = &images.plan.roots[0];
        let at = name.repository().at(manifest.digest());
        writer.put_manifest(&at, manifest).await?;
    }
    Ok(())
}

/// The part of it that brings the blobs.
pub(super) async fn bring_blobs(
    writer: &Writer,
    images: &Images,
    limit: Option<u64>,
    asked: &mut u64,
) -> Result<(), Failure> {
    let home = images.plan.roots[0].0.repository().clone();
    for (blob, bytes) in &images.blobs {
        if writer.has_blob(&home, blob).await? {
            continue;
        }
        // A blob whose beginning was damaged is brought once more.
        for attempt in 0.. {
            let (upload, mut verified) = match writer.begin(&home, blob, Some(&home)).await? {
                Begun::Mounted => break,
                Begun::Upload(upload) => (upload, Verified::new(blob)),
                Begun::Partial(upload, held) => (upload, Verified::resume(blob, held)),
            };
            let mut at = usize::try_from(verified.offset()).expect("small");
            let mut body = Vec::new();
            while at < bytes.len() {
                let chunk = bytes.slice(at..bytes.len().min(at + 100_000));
                at += chunk.len();
                *asked += chunk.len() as u64;
                if limit.is_some_and(|limit| *asked > limit) {
                    let broken = Failure::new(Code::Interrupted, "source", "reset");
                    body.push(Err(broken.retry(Retry::Backoff)));
                    break;
                }
                body.extend(verified.push(chunk, "source").expect("it fits").map(Ok));
            }
            if body.last().is_none_or(Result::is_ok) {
                match verified.finish("source") {
                    Ok(last) => body.extend(last.map(Ok)),
                    Err(failure) => body.push(Err(failure)),
                }
            }
            let body: BlobStream = Box::pin(futures_util::stream::iter(body));
            match writer.upload(upload, blob, body).await {
                Ok(()) => break,
                Err(failure) if failure.code() == Code::DigestMismatch && attempt == 0 => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(())
}

/// Opens, brings and finishes.
pub(super) async fn pull(
    path: &Utf8Path,
    images: &Images,
    options: WriteOptions,
    disk: RecordingDisk,
    asked: &mut u64,
) -> Result<Finished, Trouble> {
    let every = Duration::from_millis(1);
    let writer = Writer::open_and_sync(path, options, disk, every)?;
    bring(&writer, images, None, asked).await?;
    Ok(writer.finish(&images.names())?)
}

/// Where a pull ended.
#[derive(Debug)]
pub(super) enum Trouble {
    Bundle(BundleError),
    Copy(Failure),
}

impl From<BundleError> for Trouble {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Copy(failure)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundle(error) => error.fmt(f),
            Self::Copy(failure) => failure.fmt(f),
        }
    }
}

/// Two images that share a layer; one layer takes several writes.
pub(super) fn images() -> Images {
    Images::default()
        .with("pause", &[(1, 700_000), (2, 3000)])
        .with("e2e-test-images/agnhost", &[(2, 3000), (3, 500)])
}

/// A run without trouble: how many bytes it asked for.
pub(super) async fn sound(path: &Utf8Path, images: &Images, split: Option<u64>) -> u64 {
    let disk = RecordingDisk::new(path.parent().expect("a folder"));
    let mut options = images.options();
    options.split = split;
    let mut asked = 0;
    pull(path, images, options, disk, &mut asked)
        .await
        .expect("a bundle");
    asked
}

/// A run that breaks off after `limit` bytes of the source.
pub(super) async fn broken(path: &Utf8Path, images: &Images, limit: u64) {
    let writer = Writer::open(path, images.options(), RealDisk).expect("a writer");
    let failure = bring(&writer, images, Some(limit), &mut 0).await;
    assert_eq!(failure.expect_err("broken").code(), Code::Interrupted);
}

/// The names in a folder, sorted.
pub(super) fn files(folder: &Utf8Path) -> Vec<String> {
    let entries = folder.read_dir_utf8().expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_owned())
        .collect();
    names.sort();
    names
}
