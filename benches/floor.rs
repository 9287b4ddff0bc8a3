//! The floor of `scripts/bench`: each blob of a list from GET to PUT, a few at once, with no
//! hashing, no planning and no manifest. A copy cannot be much faster; it only shows the registries.
//!
//! Arguments: source host, target host, and a file with `REPOSITORY DIGEST SIZE` a line.

use std::error::Error;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Blobs on their way together: as many as the program moves by default.
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` itself passes `--bench` and no list: nothing to do then.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target, list] = arguments.as_slice() else {
        return Ok(());
    };
    // The client is built without a default; no TLS is spoken here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let lines: Arc<str> = std::fs::read_to_string(list)?.into();
    stream::iter(
        lines
            .lines()
            .map(|line| pipe(&client, source, target, line)),
    )
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await
}

async fn pipe(
    client: &reqwest::Client,
    source: &str,
    target: &str,
    line: &str,
) -> Result<(), Box<dyn Error>> {
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or("a line is REPOSITORY DIGEST SIZE");
    let (repository, digest, size) = (word()?, word()?, word()?);
    let open = format!("http://{target}/v2/{repository}/blobs/uploads/");
    let opened = client.post(open).send().await?.error_for_status()?;
    let location = opened.headers().get("location").ok_or("no Location")?;
    let mut location: url::Url = location.to_str()?.parse()?;
    location.query_pairs_mut().append_pair("digest", digest);
    let from = format!("http://{source}/v2/{repository}/blobs/{digest}");
    let body = client.get(from).send().await?.error_for_status()?;
    client
        .put(location)
        .header("content-length", size)
        .header("content-type", "application/octet-stream")
        .body(reqwest::Body::wrap_stream(body.bytes_stream()))
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}
