//! The log of a container while it is written.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::io::{AsyncRead, AsyncReadExt as _};

/// Bytes of a log as they come. Ends when the container does, or when the connection breaks.
pub struct LogStream {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: Vec<u8>,
}

impl LogStream {
    pub(super) fn new(reader: impl AsyncRead + Send + 'static) -> Self {
        Self {
            reader: Box::pin(reader),
            buffer: vec![0; 16 << 10],
        }
    }

    /// The next piece; none at the end. A character may be cut at its border.
    pub async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        let read = self.reader.read(&mut self.buffer).await?;
        Ok((read > 0).then(|| Bytes::copy_from_slice(&self.buffer[..read])))
    }
}
