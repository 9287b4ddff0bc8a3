//! A served [`MemoryStore`] and an HTTP client, for the tests of this room.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};

use super::{Options, Running, Server};
use crate::content::MemoryStore;
use crate::oci::{Digest, RawManifest, TagOrDigest, media_type};

pub(super) struct Peer {
    pub(super) store: Arc<MemoryStore>,
    pub(super) server: Running,
    client: reqwest::Client,
}

impl Peer {
    pub(super) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(super) async fn with(options: Options) -> Self {
        // A second test in this process finds it installed: that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Arc::new(MemoryStore::new());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(address, Arc::clone(&store), options).await;
        let client = reqwest::Client::builder().no_proxy().build();
        Self {
            store,
            server: server.expect("a free port").spawn(),
            client: client.expect("a client"),
        }
    }

    pub(super) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("http://{}{path}", self.server.local_addr());
        self.client.request(method, url)
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
