//! Fetches damaged blobs and manifests again, and nothing else. In a folder each comes under a
//! temporary name and is renamed; in a tar it is written in its old place, after all of it was
//! hashed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::error::BundleError;
use super::super::tar_map::blob_path;
use super::bundle::Bundle;
use super::fault::{Fault, FaultKind};
use super::storage::Storage;
use super::verify::Totals;
use crate::content::{Code, Failure, Retry, Source, Verified};
use crate::event::{BlobOutcome, Event, Observer};
use crate::oci::{Descriptor, Digest, Repository};

/// Readings of one blob from one repository before the next is tried.
const READINGS: u32 = 3;

/// Chunks between the network and the disk.
const QUEUE: usize = 16;

/// Bytes that are copied at once into a tar.
const PIECE: usize = 1 << 20;

/// What a repair did.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What was fetched and is in its place now.
    pub fetched: Totals,
    /// What could not be repaired, and why.
    pub failed: Vec<(Digest, Failure)>,
}

impl Bundle {
    /// Fetches what `faults` name again, from the upstream repositories of the images that need
    /// it. It holds the bundle's lock meanwhile. The caller opens and verifies the bundle anew
    /// afterwards: a manifest that was damaged may name blobs that nobody could know of.
    pub async fn repair<S: Source>(
        &self,
        faults: &[Fault],
        source: &Arc<S>,
        observer: &Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Result<Repaired, BundleError> {
        let bundle = self.clone();
        let locking = move || {
            let lock = bundle.lock()?;
            bundle.still_there().map(|()| lock)
        };
        let _lock = tokio::task::spawn_blocking(locking)
            .await
            .map_err(|error| BundleError::io(self.path(), "lock", io::Error::other(error)))??;
        let mut repaired = Repaired::default();
        let mut seen = HashSet::new();
        for fault in faults.iter().filter(|f| seen.insert(f.digest.clone())) {
            let blob = fault.digest.to_string();
            let repairing = self.repair_one(fault, source, observer);
            let done = tokio::select! {
                done = repairing => done,
                () = cancel.cancelled() => Err(self.stopped()),
            };
            match done {
                Ok(size) => {
                    repaired.fetched.count += 1;
                    repaired.fetched.bytes += size;
                    let outcome = BlobOutcome::Transferred;
                    observer.event(Event::BlobFinished {
                        blob,
                        outcome,
                        size,
                    });
                }
                Err(failure) => {
                    observer.event(Event::BlobFailed { blob });
                    repaired.failed.push((fault.digest.clone(), failure));
                }
            }
        }
        Ok(repaired)
    }

    async fn repair_one<S: Source>(
        &self,
        fault: &Fault,
        source: &Arc<S>,
        observer: &Arc<dyn Observer>,
    ) -> Result<u64, Failure> {
        let digest = &fault.digest;
        if matches!(
            fault.kind,
            FaultKind::Name | FaultKind::Manifest | FaultKind::TooLarge
        ) {
            let message = "its bytes are what their name says: fetching them again changes nothing";
            return Err(self.beyond_repair(digest, message));
        }
        let graph = self.graph_there().await;
        let repositories = self.upstream_repositories(digest);
        if repositories.is_empty() {
            let message = "no upstream name in the bundle leads to it";
            return Err(self.beyond_repair(digest, message));
        }
        let is_manifest = graph.is_manifest(digest);
        let size = graph.blobs().get(digest).map_or(0, |named| named.size);
        let blob = Descriptor::new("", digest.clone(), size);
        observer.event(Event::BlobStarted {
            blob: digest.to_string(),
            image: fault.images.first().cloned().unwrap_or_default(),
            size,
        });
        let mut last = None;
        for repository in &repositories {
            let fetched = if is_manifest {
                self.manifest_again(&**source, repository, digest).await
            } else {
                self.blob_again(&**source, repository, &blob, observer)
                    .await
            };
            match fetched {
                Ok(file) => return self.put_in_place(digest, file).await,
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| self.beyond_repair(digest, "it was found nowhere")))
    }

    async fn manifest_again<S: Source>(
        &self,
        source: &S,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<NamedTempFile, Failure> {
        let manifest = source.manifest(&repository.at(digest)).await?;
        if !digest.matches(manifest.bytes()) {
            let message = "upstream sends other bytes under this digest";
            let failure = Failure::new(Code::DigestMismatch, repository.host(), message);
            return Err(failure.at(&repository.at(digest)));
        }
        let bytes = manifest.bytes().clone();
        self.blocking(move |bundle| {
            let mut file = bundle.temporary()?;
            file.write_all(&bytes)?;
            Ok(file)
        })
        .await
    }

    async fn blob_again<S: Source>(
        &self,
        source: &S,
        repository: &Repository,
        blob: &Descriptor,
        observer: &Arc<dyn Observer>,
    ) -> Result<NamedTempFile, Failure> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.read_once(source, repository, blob, observer).await {
                Ok(file) => return Ok(file),
                Err(failure) => failure,
            };
            match failure.retry_class() {
                Retry::After(pause) if attempt < READINGS => tokio::time::sleep(pause).await,
                Retry::Backoff if attempt < READINGS => {}
                _ => return Err(failure.at(&repository.at(&blob.digest))),
            }
        }
    }

    async fn read_once<S: Source>(
        &self,
        source: &S,
        repository: &Repository,
        blob: &Descriptor,
        observer: &Arc<dyn Observer>,
    ) -> Result<NamedTempFile, Failure> {
        let mut file = self.blocking(Self::temporary).await?;
        let (sender, mut receiver) = mpsc::channel::<Bytes>(QUEUE);
        let writing = self.blocking(move |_| {
            while let Some(chunk) = receiver.blocking_recv() {
                file.write_all(&chunk)?;
            }
            Ok(file)
        });
        let reading = async move {
            let mut verified = Verified::new(blob);
            if blob.size > 0 {
                let mut stream = source.blob(repository, blob, 0).await?;
                while let Some(chunk) = stream.next().await {
                    let chunk = chunk?;
                    observer.event(Event::BlobProgress {
                        blob: blob.digest.to_string(),
                        bytes: chunk.len() as u64,
                    });
                    if let Some(chunk) = verified.push(chunk, repository.host())?
                        && sender.send(chunk).await.is_err()
                    {
                        // The writer says why.
                        return Ok(());
                    }
                }
            }
            if let Some(last) = verified.finish(repository.host())? {
                let _ = sender.send(last).await;
            }
            Ok::<(), Failure>(())
        };
        let (read, written) = tokio::join!(reading, writing);
        read.and(written)
    }

    /// Puts verified bytes where the damaged ones lie, and gives their number.
    async fn put_in_place(&self, digest: &Digest, file: NamedTempFile) -> Result<u64, Failure> {
        let size = self
            .blocking(move |_| {
                file.as_file().sync_all()?;
                Ok((file.as_file().metadata()?.len(), file))
            })
            .await;
        let (size, file) = size?;
        if let Storage::Tar(tar) = &*self.storage
            && tar.size(digest) != Some(size)
        {
            let message = "a tar has no place for it: it is not in it, or with another size";
            return Err(self.beyond_repair(digest, message));
        }
        let digest = digest.clone();
        self.blocking(move |bundle| match &*bundle.storage {
            Storage::Folder(folder) => {
                let to = folder.root().join(blob_path(&digest));
                let parent = to.parent().unwrap_or(folder.root());
                std::fs::create_dir_all(parent)?;
                file.persist(&to)?;
                File::open(parent)?.sync_all()
            }
            Storage::Tar(tar) => overwrite(file.into_file(), &tar.pieces(&digest)),
        })
        .await?;
        Ok(size)
    }

    /// A file on the disk of the bundle.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        let folder = match &*self.storage {
            Storage::Folder(folder) => {
                let own = folder.root().join(".airbuoy");
                std::fs::create_dir_all(&own)?;
                own
            }
            Storage::Tar(tar) => {
                let parent = tar.path().parent().filter(|p| !p.as_str().is_empty());
                parent.unwrap_or(camino::Utf8Path::new(".")).to_owned()
            }
        };
        // Blobs are for everyone to read, unlike other temporary files.
        tempfile::Builder::new()
            .prefix("airbuoy-repair-")
            .permissions(std::fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Bundle) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let bundle = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&bundle)).await;
        let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|error| {
            let message = format!("cannot write the repaired blob: {error}");
            Failure::new(Code::Local, self.path().as_str(), message)
        })
    }

    /// Refuses a tar that somebody put another one in place of since it was opened: what is known of
    /// it says where bytes lie in the old one. Asked under the lock.
    fn still_there(&self) -> Result<(), BundleError> {
        let Storage::Tar(tar) = &*self.storage else {
            return Ok(());
        };
        let replaced = tar.replaced();
        match replaced.map_err(|error| BundleError::io(self.path(), "look at", error))? {
            None => Ok(()),
            Some(path) => Err(BundleError::Structure {
                bundle: self.path().to_owned(),
                reason: format!("{path} was replaced while the bundle was verified"),
                hint: Some("nothing was written; run the same command again".to_owned()),
            }),
        }
    }

    fn beyond_repair(&self, digest: &Digest, message: &str) -> Failure {
        Failure::new(Code::Local, self.path().as_str(), message)
            .about(&digest.into())
            .hint("pull the bundle again, or copy it again from where it is whole")
    }

    fn stopped(&self) -> Failure {
        Failure::new(Code::Cancelled, self.path().as_str(), "the run was stopped")
    }
}

/// Copies `from` over stretches of files, in order.
fn overwrite(mut from: File, pieces: &[(&camino::Utf8PathBuf, u64, u64)]) -> io::Result<()> {
    from.rewind()?;
    let mut buffer = vec![0; PIECE];
    for &(path, start, length) in pieces {
        let to = File::options().write(true).open(path)?;
        let mut done = 0;
        while done < length {
            let left = usize::try_from(length - done).unwrap_or(PIECE);
            let piece = &mut buffer[..left.min(PIECE)];
            from.read_exact(piece)?;
            to.write_all_at(piece, start + done)?;
            done += piece.len() as u64;
        }
        to.sync_all()?;
    }
    Ok(())
}
