//! A blob on its way into the directory: gathered to pieces of a megabyte, hashed and written by a
//! blocking task while the next piece comes in. A blob smaller than a piece touches the disk once,
//! at its end.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::bundle::disk::DiskFile;

use super::committer::store_error;
use super::files::{Files, Temporary};
use super::gathered::{Gathered, PIECE};
use super::load::hash;
use super::room::{Announced, Room};
use crate::content::StoreError;
use crate::oci::{Algorithm, Digest, Hasher};

/// Takes in the bytes of one blob. They are visible to nobody; dropped, it leaves nothing.
pub struct DirectoryUpload {
    repository: String,
    gathered: Gathered,
    work: Work,
}

enum Work {
    Waiting(Box<Sink>),
    Writing(JoinHandle<Result<Box<Sink>, StoreError>>),
    /// An error ended it: everything after it is answered so.
    Over(StoreError),
}

/// Where the pieces go.
struct Sink {
    files: Files,
    announced: Announced,
    algorithm: Algorithm,
    hasher: Hasher,
    file: Option<(Arc<dyn DiskFile>, Temporary)>,
    written: u64,
}

/// A file whose bytes hash to its digest, on the disk.
pub(super) struct Received {
    pub(super) repository: String,
    pub(super) size: u64,
    pub(super) file: Temporary,
}

impl DirectoryUpload {
    pub(super) fn new(
        files: &Files,
        room: &Arc<Room>,
        repository: &str,
        algorithm: Algorithm,
    ) -> Self {
        let sink = Sink {
            files: files.clone(),
            announced: Announced::nothing(room),
            algorithm,
            hasher: Hasher::new(algorithm),
            file: None,
            written: 0,
        };
        Self {
            repository: repository.to_owned(),
            gathered: Gathered::default(),
            work: Work::Waiting(Box::new(sink)),
        }
    }

    /// Hears how many bytes will come, instead of what was said before; refused when they do not
    /// fit.
    pub(super) async fn expect(&mut self, bytes: u64) -> Result<(), StoreError> {
        // What waits for its piece to be full takes room as well.
        let bytes = bytes.saturating_add(self.gathered.bytes() as u64);
        let mut sink = self.sink().await?;
        let (sink, answer) = blocking(move || {
            let answer = sink.announced.set(bytes);
            Ok((sink, answer))
        })
        .await?;
        self.work = Work::Waiting(sink);
        answer
    }

    pub(super) async fn append(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.gathered.push(chunk);
        if self.gathered.bytes() < PIECE {
            return Ok(());
        }
        let mut sink = self.sink().await?;
        let piece = std::mem::take(&mut self.gathered);
        self.work = Work::Writing(tokio::task::spawn_blocking(move || {
            sink.write(piece)?;
            Ok(sink)
        }));
        Ok(())
    }

    /// Verifies the whole and brings it to the disk.
    pub(super) async fn finish(mut self, digest: &Digest) -> Result<Received, StoreError> {
        let mut sink = self.sink().await?;
        let piece = std::mem::take(&mut self.gathered);
        let digest = digest.clone();
        let (size, file) = blocking(move || {
            sink.write(piece)?;
            sink.finish(&digest)
        })
        .await?;
        Ok(Received {
            repository: std::mem::take(&mut self.repository),
            size,
            file,
        })
    }

    /// Waits for the piece under way, and takes the sink out.
    async fn sink(&mut self) -> Result<Box<Sink>, StoreError> {
        if let Work::Writing(task) = &mut self.work {
            let written = task.await;
            self.work = match written {
                Ok(Ok(sink)) => Work::Waiting(sink),
                Ok(Err(error)) => Work::Over(error),
                Err(error) => Work::Over(StoreError::Io(error.to_string())),
            };
        }
        match std::mem::replace(&mut self.work, Work::interrupted()) {
            Work::Waiting(sink) => Ok(sink),
            Work::Over(error) => {
                self.work = Work::Over(error.clone());
                Err(error)
            }
            Work::Writing(_) => Err(StoreError::Io("the upload is still writing".to_owned())),
        }
    }
}

impl Work {
    fn interrupted() -> Self {
        Self::Over(StoreError::Io("the upload failed before".to_owned()))
    }
}

impl Drop for DirectoryUpload {
    fn drop(&mut self) {
        // Removing a large file takes its time; a piece under way brings its sink down itself.
        if let Work::Waiting(sink) = std::mem::replace(&mut self.work, Work::interrupted())
            && sink.file.is_some()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(sink));
        }
    }
}

impl Sink {
    fn write(&mut self, piece: Gathered) -> Result<(), StoreError> {
        let bytes = piece.bytes() as u64;
        self.announced.claim(bytes)?;
        for part in piece.into_parts() {
            self.hasher.update(&part);
            let offset = self.written;
            let (file, _) = self.file()?;
            file.write_at(offset, &part).map_err(store_error)?;
            self.written += part.len() as u64;
        }
        self.announced.written(bytes);
        Ok(())
    }

    fn file(&mut self) -> Result<&(Arc<dyn DiskFile>, Temporary), StoreError> {
        if self.file.is_none() {
            self.file = Some(self.files.temporary().map_err(store_error)?);
        }
        let none = || StoreError::Io("the upload has no file".to_owned());
        self.file.as_ref().ok_or_else(none)
    }

    fn finish(mut self: Box<Self>, digest: &Digest) -> Result<(u64, Temporary), StoreError> {
        self.file()?;
        let none = || StoreError::Io("the upload has no file".to_owned());
        let (file, temporary) = self.file.take().ok_or_else(none)?;
        let found = if digest.algorithm() == self.algorithm {
            self.hasher.finish()
        } else {
            hash(&*file, Hasher::new(digest.algorithm())).map_err(store_error)?
        };
        if found != *digest {
            return Err(StoreError::DigestMismatch(digest.clone()));
        }
        self.files.sync_file(&*file).map_err(store_error)?;
        Ok((self.written, temporary))
    }
}

/// Runs what waits for the disk where waiting does no harm.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error: tokio::task::JoinError| store_error(io::Error::other(error.to_string())))?
}
