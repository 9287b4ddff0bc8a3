//! A scripted HTTP/1.1 server on a free loopback port: it answers what a closure says, and may
//! stall, cut or answer early, which no HTTP library would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// `GET /v2/…`.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What to answer, and how badly.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    /// The connection ends after this many bytes of the body.
    Cut(usize),
    /// Nothing follows after this many bytes of the body.
    Stall(usize),
    /// The connection ends instead of an answer.
    Silent,
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            ending: Ending::Whole,
        }
    }

    /// No answer: the connection ends.
    pub(super) fn silent() -> Self {
        Self {
            ending: Ending::Silent,
            ..Self::new(0)
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn cut(mut self, after: usize) -> Self {
        self.ending = Ending::Cut(after);
        self
    }

    pub(super) fn stall(mut self, after: usize) -> Self {
        self.ending = Ending::Stall(after);
        self
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;
type Early = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// The server; its threads end with the test process.
pub(super) struct Server {
    pub(super) address: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Plain HTTP.
    pub(super) fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, |_| None, script)
    }

    /// Plain HTTP; what `early` gives is answered before the body is read, and the connection
    /// closed.
    pub(super) fn start_early(
        early: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(None, early, script)
    }

    /// TLS with a certificate for `localhost` and 127.0.0.1, given back as PEM.
    pub(super) fn start_tls(
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> (Self, String) {
        Self::tls(None, script)
    }

    /// The same, for clients alone that show a certificate which `client` issued.
    pub(super) fn start_mutual(
        client: CertificateDer<'static>,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> (Self, String) {
        Self::tls(Some(client), script)
    }

    fn tls(
        client: Option<CertificateDer<'static>>,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> (Self, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match client {
            None => builder.with_no_client_auth(),
            Some(issuer) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(issuer).expect("a certificate");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .expect("a verifier");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a configuration");
        let server = Self::listen(Some(Arc::new(config)), |_| None, script);
        (server, made.cert.pem())
    }

    fn listen(
        tls: Option<Arc<rustls::ServerConfig>>,
        early: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let server = Self {
            address,
            log: Arc::clone(&log),
        };
        let script: Arc<Script> = Arc::new(script);
        let early: Arc<Early> = Arc::new(early);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, log) = (tls.clone(), Arc::clone(&log));
                let (script, early) = (Arc::clone(&script), Arc::clone(&early));
                std::thread::spawn(move || {
                    if let Some(config) = tls {
                        let session = rustls::ServerConnection::new(config).expect("a session");
                        let stream = rustls::StreamOwned::new(session, stream);
                        let _ = serve(BufReader::new(stream), &log, &*early, &*script);
                    } else {
                        let _ = serve(BufReader::new(stream), &log, &*early, &*script);
                    }
                });
            }
        });
        server
    }

    /// The requests so far.
    pub(super) fn log(&self) -> Vec<Request> {
        self.log.lock().expect("no panic").clone()
    }

    /// Their methods and targets.
    pub(super) fn lines(&self) -> Vec<String> {
        self.log().iter().map(Request::line).collect()
    }
}

fn serve<S: Read + Write>(
    mut stream: BufReader<S>,
    log: &Mutex<Vec<Request>>,
    early: &Early,
    script: &Script,
) -> std::io::Result<()>
where
    BufReader<S>: Closing,
{
    loop {
        let Some(mut request) = head(&mut stream)? else {
            // What is no HTTP, such as a TLS hello, is answered as Go's servers do.
            let _ = stream
                .get_mut()
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            return Ok(());
        };
        if let Some(reply) = early(&request) {
            log.lock().expect("no panic").push(request);
            answer(stream.get_mut(), &reply, "")?;
            return stream.close_gently();
        }
        read_body(&mut stream, &mut request)?;
        let method = request.method.clone();
        let reply = script(&request);
        log.lock().expect("no panic").push(request);
        if reply.ending == Ending::Silent {
            return Ok(());
        }
        answer(stream.get_mut(), &reply, &method)?;
        match reply.ending {
            Ending::Whole => {}
            Ending::Cut(_) | Ending::Silent => return Ok(()),
            Ending::Stall(_) => std::thread::sleep(Duration::from_mins(1)),
        }
    }
}

/// Ends a connection as a careful server does: what still comes is read for a moment, so that
/// the answer is not lost to a reset.
trait Closing {
    fn close_gently(self) -> std::io::Result<()>;
}

impl Closing for BufReader<TcpStream> {
    fn close_gently(mut self) -> std::io::Result<()> {
        self.get_mut().shutdown(std::net::Shutdown::Write)?;
        self.get_mut()
            .set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut sink = vec![0_u8; 64 * 1024];
        while matches!(self.read(&mut sink), Ok(n) if n > 0) {}
        Ok(())
    }
}

impl Closing for BufReader<rustls::StreamOwned<rustls::ServerConnection, TcpStream>> {
    fn close_gently(self) -> std::io::Result<()> {
        Ok(())
    }
}

fn head(stream: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut first = Vec::new();
    stream.read_until(b'\n', &mut first)?;
    let first = String::from_utf8_lossy(&first).into_owned();
    let mut words = first.split_whitespace();
    let (Some(method), Some(target), Some("HTTP/1.1")) = (words.next(), words.next(), words.next())
    else {
        return Ok(None);
    };
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        ..Request::default()
    };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => request.headers.push((name.to_owned(), value.to_owned())),
            None if line.trim_end().is_empty() => return Ok(Some(request)),
            None => return Ok(None),
        }
    }
}

fn read_body(stream: &mut impl Read, request: &mut Request) -> std::io::Result<()> {
    let length = request
        .header("content-length")
        .map_or(0, |l| l.parse().expect("a length"));
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)
}

fn answer(stream: &mut impl Write, reply: &Reply, method: &str) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if !reply
        .headers
        .iter()
        .any(|(name, _)| name == "Content-Length")
        && reply.status != 204
    {
        let length = reply.body.len().to_string();
        head.extend(["Content-Length: ", &length, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    let end = match reply.ending {
        Ending::Whole | Ending::Silent => reply.body.len(),
        Ending::Cut(end) | Ending::Stall(end) => end,
    };
    if method != "HEAD" {
        stream.write_all(&reply.body[..end])?;
    }
    stream.flush()
}
