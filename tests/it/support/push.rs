//! A pusher of its own, over plain HTTP: what the program under test reads must not come from it.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::content::Content;
use super::http::{self, Answer, Connection};

/// Brings all of `content` to the registry at `host`, each blob uploaded once and mounted after.
pub(crate) fn push(content: &Content, host: &str) {
    let mut to = Connection::new(host);
    let mut landed: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, repository) in &content.repositories {
        for digest in &repository.blobs {
            match landed.get(digest.as_str()) {
                Some(from) => mount(&mut to, name, digest, from),
                None => upload(&mut to, name, digest, content),
            }
            landed.entry(digest).or_insert(name);
        }
        let manifests = repository.manifests.iter().map(|digest| (digest, digest));
        for (reference, digest) in manifests.chain(&repository.tags) {
            put_manifest(&mut to, name, reference, digest, content);
        }
    }
}

fn mount(to: &mut Connection, repository: &str, digest: &str, from: &str) {
    let target = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
    expect(201, &to.send("POST", &target, &[], 0, |_| Ok(())));
}

fn upload(to: &mut Connection, repository: &str, digest: &str, content: &Content) {
    let open = format!("/v2/{repository}/blobs/uploads/");
    let opened = to.send("POST", &open, &[], 0, |_| Ok(()));
    expect(202, &opened);
    let location = opened.head.get("location").expect("an upload's Location");
    // Distribution answers with an absolute one.
    let path = location.find("/v2/").expect("a path below /v2/");
    let separator = if location.contains('?') { '&' } else { '?' };
    let target = format!("{}{separator}digest={digest}", &location[path..]);
    let body = &content.blobs[digest];
    let headers = [("content-type", "application/octet-stream")];
    let sent = to.send("PUT", &target, &headers, body.size, |stream| {
        http::copy(body.read_from(0), stream)
    });
    expect(201, &sent);
}

fn put_manifest(
    to: &mut Connection,
    repository: &str,
    reference: &str,
    digest: &str,
    content: &Content,
) {
    let manifest = &content.manifests[digest];
    let target = format!("/v2/{repository}/manifests/{reference}");
    let headers = [("content-type", manifest.media_type.as_str())];
    let length = manifest.bytes.len() as u64;
    let sent = to.send("PUT", &target, &headers, length, |stream| {
        stream.write_all(&manifest.bytes)
    });
    expect(201, &sent);
}

fn expect(status: u16, answer: &Answer) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{}: {body}", answer.head.start);
}
