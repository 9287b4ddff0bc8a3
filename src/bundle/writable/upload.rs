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
use super::load::hash;
use super::room::{Announced, Room};
use crate::content::StoreError;
use crate::oci::{Algorithm, Digest, Hasher};

/// What is written at once: from here on the cost of handing over is lost in that of the bytes.
const PIECE: usize = 1 << 20;

/// So many bytes are written between two looks at the free space.
const LOOK: u64 = 64 << 20;

/// Chunks below this size on average are joined before they are written.
const SMALL: usize = 16 << 10;

/// Takes in the bytes of one blob. They are visible to nobody; dropped, it leaves nothing.
pub struct DirectoryUpload {
    repository: String,
    room: Arc<Room>,
    announced: Announced,
    gathered: Gathered,
    work: Work,
}

/// Chunks that wait for their piece to be full.
#[derive(Default)]
struct Gathered {
    chunks: Vec<Bytes>,
    bytes: usize,
}

enum Work {
    Waiting(Box<Sink>),
    Writing(JoinHandle<Result<Box<Sink>, StoreError>>),
    /// An error was told.
    Over,
}

/// Where the pieces go.
struct Sink {
    files: Files,
    room: Arc<Room>,
    algorithm: Algorithm,
    hasher: Hasher,
    file: Option<(Arc<dyn DiskFile>, Temporary)>,
    written: u64,
    /// Up to where the free space is known.
    looked: u64,
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
            room: Arc::clone(room),
            algorithm,
            hasher: Hasher::new(algorithm),
            file: None,
            written: 0,
            looked: 0,
        };
        Self {
            repository: repository.to_owned(),
            room: Arc::clone(room),
            announced: Announced::nothing(room),
            gathered: Gathered::default(),
            work: Work::Waiting(Box::new(sink)),
        }
    }

    /// Hears how many bytes will come, instead of what was said before; refused when they do not
    /// fit.
    pub(super) async fn expect(&mut self, bytes: u64) -> Result<(), StoreError> {
        // What waits for its piece to be full takes room as well.
        let bytes = bytes.saturating_add(self.gathered.bytes as u64);
        let mut announced = std::mem::replace(&mut self.announced, Announced::nothing(&self.room));
        self.announced = blocking(move || announced.set(bytes).map(|()| announced)).await?;
        Ok(())
    }

    pub(super) async fn append(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.gathered.push(chunk);
        if self.gathered.bytes < PIECE {
            return Ok(());
        }
        let mut sink = self.sink().await?;
        let piece = self.take();
        self.work = Work::Writing(tokio::task::spawn_blocking(move || {
            sink.write(&piece)?;
            Ok(sink)
        }));
        Ok(())
    }

    /// Verifies the whole and brings it to the disk.
    pub(super) async fn finish(mut self, digest: &Digest) -> Result<Received, StoreError> {
        let mut sink = self.sink().await?;
        let piece = self.take();
        let digest = digest.clone();
        let (size, file) = blocking(move || {
            sink.write(&piece)?;
            sink.finish(&digest)
        })
        .await?;
        Ok(Received {
            repository: std::mem::take(&mut self.repository),
            size,
            file,
        })
    }

    fn take(&mut self) -> Gathered {
        self.announced.arrived(self.gathered.bytes as u64);
        std::mem::take(&mut self.gathered)
    }

    /// Waits for the piece under way.
    async fn sink(&mut self) -> Result<Box<Sink>, StoreError> {
        if let Work::Writing(task) = &mut self.work {
            let written = task
                .await
                .map_err(|error| StoreError::Io(error.to_string()));
            self.work = match written {
                Ok(Ok(sink)) => Work::Waiting(sink),
                Ok(Err(error)) | Err(error) => {
                    self.work = Work::Over;
                    return Err(error);
                }
            };
        }
        match std::mem::replace(&mut self.work, Work::Over) {
            Work::Waiting(sink) => Ok(sink),
            Work::Writing(_) | Work::Over => {
                Err(StoreError::Io("the upload failed before".to_owned()))
            }
        }
    }
}

impl Drop for DirectoryUpload {
    fn drop(&mut self) {
        // Removing a large file takes its time; a piece under way brings its sink down itself.
        if let Work::Waiting(sink) = std::mem::replace(&mut self.work, Work::Over)
            && sink.file.is_some()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(sink));
        }
    }
}

impl Gathered {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push(chunk);
    }

    /// The chunks as they should be written.
    fn parts(&self) -> Vec<Bytes> {
        if self.bytes / SMALL >= self.chunks.len() {
            self.chunks.clone()
        } else {
            vec![self.chunks.concat().into()]
        }
    }
}

impl Sink {
    fn write(&mut self, piece: &Gathered) -> Result<(), StoreError> {
        for part in piece.parts() {
            if self.written + part.len() as u64 > self.looked {
                self.room.check(0)?;
                self.looked = self.written + LOOK;
            }
            self.hasher.update(&part);
            let offset = self.written;
            let (file, _) = self.file()?;
            file.write_at(offset, &part).map_err(store_error)?;
            self.written += part.len() as u64;
        }
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
