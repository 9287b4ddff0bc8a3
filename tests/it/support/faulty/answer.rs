//! Writing answers, soundly or not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::content::Body;
use super::{Fault, Shared};

/// Status, headers and a short text.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// An error in the specification's form.
    pub(super) fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"as scripted"}}]}}"#);
        Self {
            body: body.into_bytes(),
            ..Self::new(status).with("Content-Type", "application/json")
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it; the body is left out for HEAD, its length is not.
    pub(super) fn send(&self, stream: &mut TcpStream, method: &str) -> io::Result<()> {
        let mut bytes = head(self.status, &self.headers, self.body.len() as u64);
        if method != "HEAD" {
            bytes.extend_from_slice(&self.body);
        }
        stream.write_all(&bytes)
    }
}

fn head(status: u16, headers: &[(&'static str, String)], length: u64) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if status != 204 {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// How the sending of a blob ended.
pub(super) struct Sent {
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) keep_alive: bool,
}

/// Answers `GET` or `HEAD` of a blob from the offset that `range` names.
pub(super) fn blob(
    stream: &mut TcpStream,
    method: &str,
    (digest, body): (&str, &Body),
    range: Option<&str>,
    fault: Option<&Fault>,
    shared: &Shared,
) -> io::Result<Sent> {
    let range = range.filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
    let start = range.and_then(first_byte);
    let from = start.unwrap_or(0);
    let mut headers = vec![("Content-Type", "application/octet-stream".to_owned())];
    if !matches!(fault, Some(Fault::HideDigest)) {
        headers.push(("Docker-Content-Digest", digest.to_owned()));
    }
    let size = body.size;
    if from > size || (from == size && size > 0) {
        headers.push(("Content-Range", format!("bytes */{size}")));
        stream.write_all(&head(416, &headers, 0))?;
        return Ok(Sent {
            status: 416,
            bytes: 0,
            keep_alive: true,
        });
    }
    let mut status = 200;
    if start.is_some() {
        status = 206;
        let last = size.saturating_sub(1);
        headers.push(("Content-Range", format!("bytes {from}-{last}/{size}")));
    }
    stream.write_all(&head(status, &headers, size - from))?;
    let mut sent = Sent {
        status,
        bytes: 0,
        keep_alive: true,
    };
    if method == "HEAD" {
        return Ok(sent);
    }
    // The request counts as answered even if the client goes away in the middle.
    let whole = stream_body(stream, body, from, fault, shared, &mut sent);
    sent.keep_alive = whole.is_ok();
    Ok(sent)
}

fn first_byte(range: &str) -> Option<u64> {
    let (first, _) = range.strip_prefix("bytes=")?.split_once('-')?;
    first.parse().ok()
}

fn stream_body(
    stream: &mut TcpStream,
    body: &Body,
    from: u64,
    fault: Option<&Fault>,
    shared: &Shared,
    sent: &mut Sent,
) -> io::Result<()> {
    let mut source = body.read_from(from);
    let mut piece = vec![0; 32 << 10];
    let begun = Instant::now();
    let mut at = from;
    while at < body.size {
        if shared.closing.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let stop = match fault {
            Some(Fault::Cut(stop) | Fault::Stall(stop)) => *stop,
            _ => u64::MAX,
        };
        if at >= stop {
            if matches!(fault, Some(Fault::Stall(_))) {
                stand_still(stream, shared);
            }
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let room = usize::try_from((stop - at).min(piece.len() as u64)).expect("a piece");
        let length = source.read(&mut piece[..room])?;
        if let Some(Fault::Flip(offset)) = fault
            && (at..at + length as u64).contains(offset)
        {
            piece[usize::try_from(offset - at).expect("in the piece")] ^= 1;
        }
        stream.write_all(&piece[..length])?;
        at += length as u64;
        sent.bytes += length as u64;
        wait_for_pace(begun, sent.bytes, shared);
    }
    Ok(())
}

/// Sleeps until `bytes` since `begun` are no faster than the pace that holds now.
fn wait_for_pace(begun: Instant, bytes: u64, shared: &Shared) {
    loop {
        let pace = shared.pace.load(Ordering::Relaxed);
        if pace == 0 || shared.closing.load(Ordering::Relaxed) {
            return;
        }
        let due = Duration::from_millis(bytes.saturating_mul(1000) / pace);
        let Some(ahead) = due.checked_sub(begun.elapsed()) else {
            return;
        };
        // In short naps, so that a lifted limit is seen.
        std::thread::sleep(ahead.min(Duration::from_millis(20)));
    }
}

/// Returns when the client has hung up or the test is over.
fn stand_still(stream: &TcpStream, shared: &Shared) {
    let nap = Duration::from_millis(20);
    let _ = stream.set_read_timeout(Some(nap));
    while !shared.closing.load(Ordering::Relaxed) {
        match stream.peek(&mut [0]) {
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Ok(length) if length > 0 => std::thread::sleep(nap),
            _ => return,
        }
    }
}
