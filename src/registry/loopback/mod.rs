//! The client against a scripted server on loopback: one behaviour of real registries a test.

mod auth;
mod chunked;
mod chunks;
mod identity;
mod reading;
mod server;
mod waiting;
mod writing;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{Options, Registry, Side};
use crate::content::{BlobStream, Failure};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, media_type};

use server::{Reply, Request, Server};

/// Options with short waits.
fn options(side: Side) -> Options {
    Options {
        side,
        first_backoff: Duration::from_millis(1),
        idle_timeout: Duration::from_millis(300),
        attempts: 3,
        ..Options::default()
    }
}

fn registry(side: Side) -> Registry {
    Registry::new(options(side)).expect("set up")
}

fn reference(server: &Server, name: &str) -> Reference {
    format!("{}/{name}", server.address)
        .parse()
        .expect("a reference")
}

fn manifest() -> RawManifest {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
        media_type::OCI_INDEX
    );
    RawManifest::new(text.into(), None).expect("an index")
}

fn manifest_reply(manifest: &RawManifest) -> Reply {
    Reply::new(200)
        .header("Content-Type", manifest.media_type())
        .header("Docker-Content-Digest", manifest.digest().as_str())
        .body(manifest.bytes().to_vec())
}

fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor::new(
        "application/octet-stream",
        Digest::of(bytes),
        bytes.len() as u64,
    )
}

fn body(bytes: &[u8]) -> BlobStream {
    let chunks: Vec<Result<Bytes, Failure>> = bytes
        .chunks(100_000)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    Box::pin(stream::iter(chunks))
}

/// All bytes of a stream, and the failure that ended it.
async fn collect(mut stream: BlobStream) -> (Vec<u8>, Option<Failure>) {
    let mut seen = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => seen.extend_from_slice(&chunk),
            Err(failure) => return (seen, Some(failure)),
        }
    }
    (seen, None)
}

/// Answers 404 to everything that a test does not expect.
fn unexpected(request: &Request) -> Reply {
    Reply::new(404).body(format!("unexpected {}", request.line()))
}
