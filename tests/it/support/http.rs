//! As much HTTP/1.1 as the tests need, on blocking sockets: one client connection for pushing
//! content, and message parts that the faulty registry shares.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The head of a request or an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    /// The first line.
    pub(crate) start: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the header `name` (lower case).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The `index`-th word of the first line.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }
}

/// Reads a head; `None` when the connection ended before it.
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut head = Head::default();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        match (head.start.is_empty(), line.split_once(':')) {
            (true, _) => line.clone_into(&mut head.start),
            (false, Some((name, value))) => head
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned())),
            (false, None) => return Ok(Some(head)),
        }
    }
}

/// Reads the body that `head` announces, handing over each piece; ends early when `take` says no.
pub(crate) fn read_body(
    reader: &mut impl BufRead,
    head: &Head,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    if head.get("transfer-encoding") == Some("chunked") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            if size > 0 && !pieces(reader, size, &mut take)? {
                return Ok(());
            }
            reader.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(());
            }
        }
    }
    let length = head.get("content-length").and_then(|l| l.parse().ok());
    pieces(reader, length.unwrap_or(0), &mut take)?;
    Ok(())
}

fn pieces(
    reader: &mut impl BufRead,
    mut left: u64,
    take: &mut impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    while left > 0 {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let go_on = take(&piece[..length]);
        reader.consume(length);
        left -= length as u64;
        if !go_on {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// One kept-alive client connection to `host` (`address:port`).
pub(crate) struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn new(host: &str) -> Self {
        Self::try_new(host).expect("the server listens")
    }

    /// Connects to a server that may be gone.
    pub(crate) fn try_new(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self {
            host: host.to_owned(),
            stream: BufReader::with_capacity(64 << 10, stream),
        })
    }

    /// Sends one request with a body of `length` bytes written by `body`, and reads the answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        length: u64,
        body: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> Answer {
        let answer = self.try_send(method, target, headers, length, body);
        answer.expect("an answer to what was sent")
    }

    /// As [`send`](Self::send), to a server that may die meanwhile.
    pub(crate) fn try_send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        length: u64,
        body: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> io::Result<Answer> {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n",
            self.host
        );
        for (name, value) in headers {
            head = head + name + ": " + value + "\r\n";
        }
        head += "\r\n";
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        body(stream)?;
        self.answer(method)
    }

    fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let head = read_head(&mut self.stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut body = Vec::new();
        if method != "HEAD" {
            read_body(&mut self.stream, &head, |piece| {
                body.extend_from_slice(piece);
                true
            })?;
        }
        Ok(Answer {
            status: head.word(1).parse().map_err(io::Error::other)?,
            head,
            body,
        })
    }
}

/// `GET target` from `host`: status and body as text.
pub(crate) fn get(host: &str, target: &str) -> (u16, String) {
    let answer = Connection::new(host).send("GET", target, &[], 0, |_| Ok(()));
    let body = String::from_utf8(answer.body).expect("a body of text");
    (answer.status, body)
}

/// Writes everything of `source` to `stream`.
pub(crate) fn copy(mut source: impl Read, stream: &mut TcpStream) -> io::Result<()> {
    io::copy(&mut source, stream).map(|_| ())
}
