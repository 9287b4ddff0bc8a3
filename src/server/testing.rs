//! A served [`MemoryStore`] and clients of it, for the tests of this room.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Method, RequestBuilder, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{AccessLine, Logins, Options, Running, Server};
use crate::content::MemoryStore;
use crate::oci::{Digest, RawManifest, TagOrDigest, media_type};

/// What a test waits at most.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Peer {
    pub(super) store: Arc<MemoryStore>,
    pub(super) server: Running,
    scheme: &'static str,
    client: reqwest::Client,
}

impl Peer {
    pub(super) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(super) async fn with(options: Options) -> Self {
        Self::trusting(options, &[]).await
    }

    /// With a client that trusts these authorities and no others.
    pub(super) async fn trusting(options: Options, authorities: &[&str]) -> Self {
        let store = Arc::new(MemoryStore::new());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let scheme = match options.tls {
            Some(_) => "https",
            None => "http",
        };
        let server = Server::bind(address, Arc::clone(&store), options).await;
        Self {
            store,
            server: server.expect("a free port").spawn(),
            scheme,
            client: client(authorities),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.server.local_addr())
    }

    pub(super) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.client.request(method, self.url(path))
    }

    /// A connection without a client.
    pub(super) async fn raw(&self) -> Raw {
        let stream = TcpStream::connect(self.server.local_addr()).await;
        Raw(stream.expect("a connection"))
    }

    pub(super) async fn send(&self, method: &str, path: &str) -> Answer {
        Answer::to(self.request(method, path)).await
    }

    /// Opens an upload and gives its path.
    pub(super) async fn open(&self, repository: &str) -> String {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let answer = self.send("POST", &path).await;
        assert_eq!(answer.status, 202);
        answer.header("location").to_owned()
    }
}

/// A client that trusts these authorities and no others.
pub(super) fn client(authorities: &[&str]) -> reqwest::Client {
    // A second test in this process finds it installed: that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = authorities
        .iter()
        .map(|pem| Certificate::from_pem(pem.as_bytes()).expect("PEM"));
    let client = reqwest::Client::builder().no_proxy();
    client.tls_certs_only(trusted).build().expect("a client")
}

/// Bytes to and from a server.
pub(super) struct Raw<T = TcpStream>(pub(super) T);

impl<T: AsyncReadExt + AsyncWriteExt + Unpin> Raw<T> {
    pub(super) async fn send(&mut self, text: &str) {
        let sent = self.0.write_all(text.as_bytes()).await;
        sent.expect("an open connection");
        self.0.flush().await.expect("an open connection");
    }

    /// Everything until the server closes.
    pub(super) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let end = self.0.read_to_end(&mut bytes);
        // A reset is an end as well.
        let _ = timeout(PATIENCE, end).await.expect("an end");
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// One answer whose body is empty or `{}`, its head.
    pub(super) async fn answer(&mut self) -> String {
        let mut text = String::new();
        let read = async {
            while !text.ends_with("\r\n\r\n") {
                text.push(char::from(self.0.read_u8().await?));
            }
            if text.contains("\r\ncontent-length: 2\r\n") {
                self.0.read_u16().await?;
            }
            std::io::Result::Ok(())
        };
        let read = timeout(PATIENCE, read).await.expect("an answer");
        read.unwrap_or_else(|error| panic!("{error} after `{text}`"));
        text
    }
}

/// Hears of every request.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<AccessLine>>>);

impl Lines {
    /// Makes `options` tell.
    pub(super) fn listen(&self, options: Options) -> Options {
        let heard = Arc::clone(&self.0);
        let on_request = move |line| heard.lock().expect("sound").push(line);
        Options {
            on_request: Some(Arc::new(on_request)),
            ..options
        }
    }

    /// The first `count` lines, as soon as they are there.
    pub(super) async fn first(&self, count: usize) -> Vec<AccessLine> {
        let all = async {
            loop {
                let lines = self.0.lock().expect("sound").clone();
                if lines.len() >= count {
                    return lines;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, all).await.expect("so many requests")
    }
}

/// An htpasswd file with one login.
pub(super) fn htpasswd(user: &str, password: &str) -> String {
    let hash = bcrypt::hash(password, 4).expect("a hash");
    format!("{user}:{hash}\n")
}

/// One login.
pub(super) fn logins(user: &str, password: &str) -> Arc<Logins> {
    Arc::new(Logins::parse(&htpasswd(user, password)).expect("a login"))
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
}

impl Answer {
    pub(super) async fn to(request: RequestBuilder) -> Self {
        let response: Response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.expect("a body");
        assert_eq!(headers["docker-distribution-api-version"], "registry/2.0");
        Self {
            status,
            headers,
            body,
        }
    }

    /// Empty when there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |v| v.to_str().expect("ASCII"))
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Status and error code.
    pub(super) fn refusal(&self) -> (u16, String) {
        let code = self.json()["errors"][0]["code"].clone();
        (self.status, code.as_str().expect("a code").to_owned())
    }
}

/// An image manifest of these two blobs; `more` is appended to its members.
pub(super) fn image(config: &Digest, layer: &Digest, more: &str) -> RawManifest {
    let text = format!(
        "{{\n  \"schemaVersion\": 2, \"mediaType\": \"{}\",\n  \"config\": {{\"mediaType\": \"{}\", \"digest\": \"{config}\", \"size\": 1}},\n  \"layers\": [{{\"mediaType\": \"{}\", \"digest\": \"{layer}\", \"size\": 1}}]{more}\n}}",
        media_type::OCI_MANIFEST,
        media_type::OCI_CONFIG,
        media_type::OCI_LAYER_GZIP,
    );
    RawManifest::new(text.into(), None).expect("a manifest")
}

/// Puts a small image into the store.
pub(super) fn fill(store: &MemoryStore, repository: &str, tag: &str, more: &str) -> RawManifest {
    let config = store.insert_blob(repository, b"c");
    let layer = store.insert_blob(repository, b"l");
    let manifest = image(&config, &layer, more);
    let tag = TagOrDigest::Tag(tag.into());
    let put = store.insert_manifest(repository, &tag, manifest.clone());
    put.expect("complete");
    manifest
}

/// What [`Answer::refusal`] gives for this status and code.
pub(super) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
