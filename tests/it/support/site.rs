//! A web server on loopback that remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::http::read_head;

/// Path ▶ content type and body.
type Pages = BTreeMap<String, (String, String)>;

/// The server. Its threads end with the test's process.
pub(crate) struct Site {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Serves `(path, content type, body)`.
    pub(crate) fn start(pages: &[(&str, &str, &str)]) -> Self {
        let pages: Pages = pages
            .iter()
            .map(|&(path, kind, body)| (path.to_owned(), (kind.to_owned(), body.to_owned())))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::default();
        let (pages, seen) = (Arc::new(pages), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, seen) = (Arc::clone(&pages), Arc::clone(&seen));
                std::thread::spawn(move || serve(&stream, &pages, &seen));
            }
        });
        Self { address, requests }
    }

    /// `address:port`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The first line of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers one request. A proxy's request line holds the whole URL; the path is what counts.
fn serve(stream: &TcpStream, pages: &Pages, seen: &Mutex<Vec<String>>) {
    let Ok(Some(head)) = read_head(&mut BufReader::new(stream)) else {
        return;
    };
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(head.start.clone());
    let target = head.word(1);
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let none = ("text/plain".to_owned(), "not here".to_owned());
    let (status, (kind, body)) = match pages.get(path) {
        Some(page) => ("200 OK", page),
        None => ("404 Not Found", &none),
    };
    let length = body.len();
    let body = if head.word(0) == "HEAD" { "" } else { body };
    let mut stream = stream;
    // A client that went away needs no answer.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}
