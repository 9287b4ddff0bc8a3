//! The access log of a server: a line of JSON for every request, written by a thread of its own so
//! that no answer waits for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::server::{AccessLine, OnRequest};
use crate::settings::AccessLog;
use crate::ui::Printer;

/// Lines that may wait for the disk: some seconds of a busy server, a few megabytes.
const WAITING: usize = 16_384;
/// How long the end of the server waits for the last lines.
const LAST: Duration = Duration::from_secs(1);

enum Message {
    Line(Box<AccessLine>),
    /// The file was moved away: begin a new one.
    Reopen,
}

/// An access log that is being written.
pub(super) struct Log {
    sender: SyncSender<Message>,
    /// Ends when the thread does.
    ended: Receiver<()>,
}

impl Log {
    /// Opens the log, at its end when it is a file.
    pub(super) fn open(to: &AccessLog, printer: &Printer) -> io::Result<Self> {
        let place = match to {
            AccessLog::Stdout => Place::Stdout(printer.clone()),
            AccessLog::File(path) => Place::File(path.clone(), append(path)?),
        };
        let (sender, receiver) = sync_channel(WAITING);
        let (alive, ended) = sync_channel(1);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                write(&receiver, place);
                drop(alive);
            })?;
        Ok(Self { sender, ended })
    }

    /// What the server calls. When the disk is too slow lines are dropped rather than answers
    /// held up.
    pub(super) fn on_request(&self) -> OnRequest {
        let sender = self.sender.clone();
        Arc::new(move |line| {
            if sender.try_send(Message::Line(Box::new(line))).is_err() {
                tracing::warn!("the access log is too slow: a line is lost");
            }
        })
    }

    /// Goes on in a new file of the same name, as those who rotate logs ask for.
    pub(super) fn reopen(&self) {
        let _ = self.sender.try_send(Message::Reopen);
    }

    /// Waits, for a moment, until the last lines are written.
    pub(super) fn close(self) {
        let Self { sender, ended } = self;
        drop(sender);
        if ended.recv_timeout(LAST) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the end of the access log may be lost");
        }
    }
}

enum Place {
    Stdout(Printer),
    File(Utf8PathBuf, File),
}

fn append(path: &Utf8Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn write(lines: &Receiver<Message>, mut place: Place) {
    let mut buffer = Vec::new();
    while let Ok(first) = lines.recv() {
        // Whatever has come meanwhile goes out in the same write.
        for message in std::iter::once(first).chain(lines.try_iter().take(WAITING)) {
            match message {
                Message::Line(line) => {
                    if serde_json::to_writer(&mut buffer, &line).is_ok() {
                        buffer.push(b'\n');
                    }
                }
                Message::Reopen => {
                    put(&mut place, &mut buffer);
                    if let Place::File(path, file) = &mut place {
                        match append(path) {
                            Ok(new) => *file = new,
                            Err(error) => tracing::warn!(%path, %error, "cannot open the log anew"),
                        }
                    }
                }
            }
        }
        put(&mut place, &mut buffer);
    }
}

fn put(place: &mut Place, buffer: &mut Vec<u8>) {
    let written = match place {
        Place::Stdout(printer) => printer.document_bytes(buffer),
        Place::File(_, file) => file.write_all(buffer),
    };
    if let Err(error) = written {
        tracing::warn!(%error, "the access log cannot be written");
    }
    buffer.clear();
}
