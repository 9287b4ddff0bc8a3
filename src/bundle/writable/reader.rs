//! A blob of the directory, open: pieces are read by blocking tasks, one ahead of the client, so
//! that a slow client holds a buffer and no thread.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::task::JoinHandle;

use crate::bundle::disk::{DiskFile, read_full};
use crate::content::{BlobReader, BlobStream, Code, Failure};

/// One chunk of an answer.
const PIECE: u64 = 512 << 10;

/// An open blob. It can be read to its end also when it is deleted meanwhile.
#[derive(Clone)]
pub struct FileBlob {
    file: Arc<dyn DiskFile>,
    size: u64,
    /// The bundle, as errors name it.
    bundle: Arc<str>,
}

type Piece = Result<Bytes, Failure>;

/// What is left to read, and the piece that is being read.
struct Reading {
    blob: FileBlob,
    offset: u64,
    end: u64,
    ahead: Option<JoinHandle<Piece>>,
}

impl FileBlob {
    pub(super) fn new(file: Arc<dyn DiskFile>, size: u64, bundle: Arc<str>) -> Self {
        Self { file, size, bundle }
    }

    fn read_piece(&self, offset: u64, length: u64) -> Piece {
        let failed = |reason: String| Failure::new(Code::Local, &*self.bundle, reason);
        // At most a piece.
        let mut buffer = vec![0; usize::try_from(length).unwrap_or_default()];
        let read = read_full(&*self.file, offset, &mut buffer)
            .map_err(|error| failed(format!("cannot read a blob: {error}")))?;
        if read < buffer.len() {
            return Err(failed("a blob became shorter while it was read".to_owned()));
        }
        Ok(buffer.into())
    }
}

impl BlobReader for FileBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: u64) -> BlobStream {
        let reading = Reading {
            blob: self.clone(),
            offset,
            end: offset.saturating_add(length).min(self.size),
            ahead: None,
        };
        Box::pin(stream::unfold(reading, |mut reading| async {
            let piece = reading.next().await?;
            Some((piece, reading))
        }))
    }
}

impl Reading {
    async fn next(&mut self) -> Option<Piece> {
        let task = match self.ahead.take() {
            Some(task) => task,
            None => self.start()?,
        };
        self.ahead = self.start();
        let piece = task.await.unwrap_or_else(|error| {
            let reason = error.to_string();
            Err(Failure::new(Code::Local, &*self.blob.bundle, reason))
        });
        if piece.is_err() {
            self.ahead = None;
            self.offset = self.end;
        }
        Some(piece)
    }

    fn start(&mut self) -> Option<JoinHandle<Piece>> {
        let length = self.end.saturating_sub(self.offset).min(PIECE);
        if length == 0 {
            return None;
        }
        let (blob, offset) = (self.blob.clone(), self.offset);
        self.offset += length;
        Some(tokio::task::spawn_blocking(move || {
            blob.read_piece(offset, length)
        }))
    }
}
