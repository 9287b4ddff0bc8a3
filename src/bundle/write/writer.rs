//! [`Writer`]: a bundle as the target of a copy, whatever its form.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;

use super::directory::{DirectoryUpload, DirectoryWriter};
use super::feed::{blocking, pour};
use super::laid::TarUpload;
use super::options::{Finished, WriteOptions};
use super::tar::TarWriter;
use crate::bundle::BundleError;
use crate::bundle::disk::Disk;
use crate::bundle::volumes::{compressed_stem, tar_path};
use crate::content::{Begun, BlobStream, Code, Failure, Plan, Retry, Target};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// How often a tar under way is synced: what a killed run loses at most, against the price of
/// waiting for the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Writes a bundle; the target of a copy whose names are references on
/// [`BUNDLE_HOST`](crate::bundle::BUNDLE_HOST).
///
/// What an earlier run left at the path is taken over when it proves to be right. Nothing that is
/// whole changes before [`finish`](Self::finish), and dropping the writer keeps what has come.
/// Other writers are kept away until then, also after it has finished.
pub struct Writer(Form);

enum Form {
    Tar(Arc<TarWriter>),
    Directory(Arc<DirectoryWriter>),
}

/// A blob on its way into a bundle.
pub struct Upload(Way);

enum Way {
    Tar(TarUpload),
    Directory(DirectoryUpload),
}

/// What a path and its options ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tar,
    Directory,
}

impl Kind {
    /// Refuses names that no bundle can have.
    pub(super) fn of(path: &Utf8Path, options: &WriteOptions) -> Result<Self, BundleError> {
        let refuse = |reason: &str, hint: &str| Err(BundleError::refused(path, reason, hint));
        if compressed_stem(path).is_some() {
            return refuse(
                "compressed bundles are not written: the layers inside are compressed already",
                "name it NAME.tar",
            );
        }
        let tar = tar_path(path);
        if tar != path {
            return refuse(
                "it is a part of a bundle",
                &format!("name the bundle: {tar}"),
            );
        }
        if path.extension() == Some("tar") && !path.is_dir() {
            return Ok(Self::Tar);
        }
        if options.split.is_some() {
            return refuse(
                "a directory has no volumes",
                "name it NAME.tar, or leave --split-size out",
            );
        }
        Ok(Self::Directory)
    }
}

impl Writer {
    /// Opens the bundle at `path` to write it, and keeps other writers away: `NAME.tar` is one
    /// file, or with `split` its volumes, anything else a directory. Blocks on the disk.
    pub fn open(
        path: &Utf8Path,
        options: WriteOptions,
        disk: impl Disk,
    ) -> Result<Self, BundleError> {
        Self::open_and_sync(path, options, disk, SYNC_EVERY)
    }

    /// As [`open`](Self::open), with the time between two syncs of a tar.
    pub(super) fn open_and_sync(
        path: &Utf8Path,
        options: WriteOptions,
        disk: impl Disk,
        every: Duration,
    ) -> Result<Self, BundleError> {
        let disk: Arc<dyn Disk> = Arc::new(disk);
        if Kind::of(path, &options)? == Kind::Tar {
            let writer = TarWriter::open(path, options, disk, every)?;
            return Ok(Self(Form::Tar(Arc::new(writer))));
        }
        let writer = DirectoryWriter::open(path, options, disk)?;
        Ok(Self(Form::Directory(Arc::new(writer))))
    }

    /// Completes the bundle with the names in `done`, whose content has arrived; names of the
    /// plan that are not among them are left out, which in a tar means that it is written once
    /// more without them. Blocks on the disk.
    pub fn finish(&self, done: &[Reference]) -> Result<Finished, BundleError> {
        match &self.0 {
            Form::Tar(writer) => writer.finish(done),
            Form::Directory(writer) => writer.finish(done),
        }
    }
}

impl Target for Writer {
    type Upload = Upload;

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        match &self.0 {
            // Its map is made anew from all names, so all manifests are needed.
            Form::Tar(_) => Ok(None),
            Form::Directory(writer) => writer.resolve(reference),
        }
    }

    async fn has_blob(&self, _: &Repository, blob: &Descriptor) -> Result<bool, Failure> {
        let blob = blob.clone();
        match &self.0 {
            Form::Tar(writer) => {
                let writer = writer.clone();
                blocking(move || writer.has(&blob)).await
            }
            Form::Directory(writer) => {
                let writer = writer.clone();
                blocking(move || writer.has(&blob)).await
            }
        }
    }

    async fn begin(
        &self,
        _: &Repository,
        blob: &Descriptor,
        _: Option<&Repository>,
    ) -> Result<Begun<Upload>, Failure> {
        let blob = blob.clone();
        match &self.0 {
            Form::Tar(writer) => {
                let writer = writer.clone();
                let begun = blocking(move || writer.begin_blob(&blob)).await?;
                Ok(wrapped(begun, Way::Tar))
            }
            Form::Directory(writer) => {
                let writer = writer.clone();
                let begun = blocking(move || writer.begin(&blob)).await?;
                Ok(wrapped(begun, Way::Directory))
            }
        }
    }

    async fn upload(
        &self,
        upload: Upload,
        _: &Descriptor,
        body: BlobStream,
    ) -> Result<(), Failure> {
        match upload.0 {
            Way::Tar(upload) => pour(body, move |feed| upload.fill(feed)).await,
            Way::Directory(upload) => pour(body, move |feed| upload.fill(feed)).await,
        }
    }

    async fn cancel(&self, upload: Upload) {
        drop(upload);
    }

    async fn put_manifest(&self, _: &Reference, manifest: &RawManifest) -> Result<(), Failure> {
        match &self.0 {
            Form::Tar(writer) => writer.put_manifest(manifest),
            Form::Directory(writer) => {
                let (writer, manifest) = (writer.clone(), manifest.clone());
                blocking(move || writer.put_manifest(&manifest)).await
            }
        }
    }

    async fn prepare(&self, plan: &Plan) -> Result<(), Failure> {
        let plan = plan.clone();
        match &self.0 {
            Form::Tar(writer) => {
                let writer = writer.clone();
                blocking(move || writer.prepare(&plan)).await
            }
            Form::Directory(writer) => {
                let writer = writer.clone();
                blocking(move || writer.prepare(&plan)).await
            }
        }
    }

    fn is_local(&self) -> bool {
        true
    }
}

fn wrapped<U>(begun: Begun<U>, way: impl FnOnce(U) -> Way) -> Begun<Upload> {
    match begun {
        Begun::Mounted => Begun::Mounted,
        Begun::Upload(upload) => Begun::Upload(Upload(way(upload))),
        Begun::Partial(upload, held) => Begun::Partial(Upload(way(upload)), held),
    }
}

/// Two uploads of one blob would write into each other.
pub(super) fn busy(bundle: &str, digest: &Digest) -> Failure {
    Failure::new(Code::Local, bundle, "the blob is being written already")
        .about(&digest.into())
        .retry(Retry::Backoff)
}

/// Fails when the disk of `folder` takes fewer than `needed` bytes.
pub(super) fn check_space(
    disk: &dyn Disk,
    folder: &Utf8Path,
    needed: u64,
) -> Result<(), BundleError> {
    match disk.available(folder) {
        Some(free) if free < needed => Err(BundleError::Space {
            path: folder.to_owned(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}
