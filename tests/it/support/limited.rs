//! A reverse proxy that limits the size of a body, as nginx does, and can cut chunks half-way.

use std::io::{self, BufReader, Read as _, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::http::{Head, read_body, read_head};

/// The proxy. Its threads end with the test's process.
pub(crate) struct Limited {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    limit: u64,
    cuts: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

impl Limited {
    /// In front of the plain HTTP server at `upstream`; larger bodies than `limit` bytes get 413,
    /// and the first `cuts` chunks end in their middle.
    pub(crate) fn in_front_of(upstream: &str, limit: u64, cuts: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            limit,
            cuts: AtomicUsize::new(cuts),
            seen: Mutex::default(),
        });
        let proxy = Self {
            address,
            shared: Arc::clone(&shared),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A client that goes away is nobody's failure.
                    let _ = serve(stream, &shared);
                });
            }
        });
        proxy
    }

    /// `address:port`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Method and status of every request that was answered, such as `PATCH 202`.
    pub(crate) fn seen(&self) -> Vec<String> {
        let seen = self.shared.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut server = BufReader::new(TcpStream::connect(&shared.upstream)?);
    while let Some(head) = read_head(&mut reader)? {
        let length = head.get("content-length").and_then(|l| l.parse().ok());
        let length: u64 = length.unwrap_or(0);
        let method = head.word(0).to_owned();
        let tell = |what: &str| {
            let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(format!("{method} {what}"));
        };
        if length > shared.limit {
            tell("413");
            let page = "<html><h1>413 Request Entity Too Large</h1></html>";
            let size = page.len();
            write!(
                client,
                "HTTP/1.1 413 Too Large\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n{page}"
            )?;
            client.shutdown(Shutdown::Write)?;
            client.set_read_timeout(Some(Duration::from_millis(300)))?;
            io::copy(&mut reader.take(4 << 20), &mut io::sink())?;
            return Ok(());
        }
        let cut = method == "PATCH"
            && shared
                .cuts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        let stop = if cut { length / 2 } else { u64::MAX };
        write_head(server.get_mut(), &head)?;
        let mut passed = 0;
        let mut written = Ok(());
        read_body(&mut reader, &head, |piece| {
            let room = usize::try_from(stop - passed).unwrap_or(usize::MAX);
            let piece = &piece[..piece.len().min(room)];
            written = server.get_mut().write_all(piece);
            passed += piece.len() as u64;
            written.is_ok() && passed < stop
        })?;
        written?;
        if cut {
            tell("cut");
            return Ok(());
        }
        let Some(answer) = read_head(&mut server)? else {
            return Ok(());
        };
        tell(answer.word(1));
        let mut body = Vec::new();
        if method != "HEAD" {
            read_body(&mut server, &answer, |piece| {
                body.extend_from_slice(piece);
                true
            })?;
        }
        write_head(&mut client, &answer)?;
        client.write_all(&body)?;
    }
    Ok(())
}

fn write_head(stream: &mut TcpStream, head: &Head) -> io::Result<()> {
    assert_eq!(head.get("transfer-encoding"), None, "not passed on");
    let mut text = format!("{}\r\n", head.start);
    for (name, value) in &head.headers {
        text = text + name + ": " + value + "\r\n";
    }
    stream.write_all((text + "\r\n").as_bytes())
}
