//! The target side: uploads, mounts, manifests and deletions.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use sha2::Digest as _;

use super::super::content::{self, Body};
use super::super::http;
use super::answer::Answer;
use super::serve::{Outcome, Request};
use super::{Fault, Shared, lock};

/// Answers a request that changes something.
pub(super) fn write(
    request: &mut Request,
    out: &mut TcpStream,
    (repository, kind, rest): (&str, &str, &str),
    fault: Option<&Fault>,
    shared: &Shared,
) -> io::Result<Outcome> {
    let upload = kind == "blobs" && rest.starts_with("uploads/");
    let mut bytes = 0;
    let answer = match request.method {
        "POST" if upload => {
            bytes = request.drain()?;
            open(request, repository, fault, shared)
        }
        "PUT" if upload => {
            let (taken, answer) = take(request, repository, shared)?;
            bytes = taken;
            answer
        }
        "PATCH" if upload => {
            let (taken, answer) = chunk(request, fault, shared)?;
            bytes = taken;
            let Some(answer) = answer else {
                return Ok(Outcome {
                    status: 0,
                    bytes,
                    keep_alive: false,
                });
            };
            answer
        }
        "GET" if upload => {
            request.drain()?;
            let sessions = lock(&shared.sessions);
            state(request, 204, sessions.get(path(request)))
        }
        "DELETE" if upload => {
            request.drain()?;
            Answer::new(204)
        }
        "PUT" if kind == "manifests" => put_manifest(request, repository, rest, shared)?,
        "DELETE" if kind == "manifests" => {
            request.drain()?;
            delete_manifest(repository, rest, shared)
        }
        _ => {
            bytes = request.drain()?;
            Answer::error(405, "UNSUPPORTED")
        }
    };
    answer.send(out, request.method)?;
    Ok(Outcome {
        status: answer.status,
        bytes,
        keep_alive: true,
    })
}

fn open(request: &Request, repository: &str, fault: Option<&Fault>, shared: &Shared) -> Answer {
    if let (Some(digest), Some(from)) = (request.query("mount"), request.query("from"))
        && !matches!(fault, Some(Fault::MountOpens))
    {
        let mut content = lock(&shared.content);
        let source = content.repositories.get(&from);
        if source.is_some_and(|r| r.blobs.contains(&digest)) {
            let here = content.repositories.entry(repository.to_owned());
            here.or_default().blobs.insert(digest.clone());
            let location = format!("/v2/{repository}/blobs/{digest}");
            return Answer::new(201).with("Location", location);
        }
    }
    let id = shared.uploads.fetch_add(1, Ordering::Relaxed);
    let path = format!("/v2/{repository}/blobs/uploads/{id}?state=a%2Bb");
    let location = match fault {
        Some(Fault::RelativeLocation) => path,
        _ => format!("http://{}{path}", shared.address),
    };
    let answer = Answer::new(202).with("Location", location);
    match fault {
        Some(Fault::LeastChunk(least)) => answer.with("OCI-Chunk-Min-Length", least.to_string()),
        _ => answer,
    }
}

/// What came of a blob so far.
#[derive(Debug, Default)]
pub(super) struct Session {
    hasher: sha2::Sha256,
    length: u64,
    body: Vec<u8>,
}

impl Session {
    /// Takes the request's body in, but no more than `limit` bytes of it; how many they were.
    fn read(&mut self, request: &mut Request, limit: u64, keeps: bool) -> io::Result<u64> {
        let mut taken = 0;
        http::read_body(request.reader, request.head, |piece| {
            let room = usize::try_from(limit - taken).unwrap_or(usize::MAX);
            let piece = &piece[..piece.len().min(room)];
            self.hasher.update(piece);
            if keeps {
                self.body.extend_from_slice(piece);
            }
            taken += piece.len() as u64;
            self.length += piece.len() as u64;
            taken < limit
        })?;
        Ok(taken)
    }
}

/// The upload's path: its identity.
fn path<'a>(request: &Request<'a>) -> &'a str {
    request.target.split('?').next().unwrap_or_default()
}

/// How far an upload is.
fn state(request: &Request, status: u16, session: Option<&Session>) -> Answer {
    let length = session.map_or(0, |session| session.length);
    let location = format!("{}?state=a%2Bb&at={length}", path(request));
    let answer = Answer::new(status).with("Location", location);
    match length {
        0 => answer,
        length => answer.with("Range", format!("0-{}", length - 1)),
    }
}

/// Takes a chunk that goes on where the last one ended; no answer when it was cut.
fn chunk(
    request: &mut Request,
    fault: Option<&Fault>,
    shared: &Shared,
) -> io::Result<(u64, Option<Answer>)> {
    let keeps = shared.keeps.load(Ordering::Relaxed);
    let name = path(request).to_owned();
    let mut session = lock(&shared.sessions).remove(&name).unwrap_or_default();
    let range = request.head.get("content-range").unwrap_or_default();
    let start = range.split('-').next().and_then(|start| start.parse().ok());
    let (taken, answer) = if start != Some(session.length) {
        (request.drain()?, Some(state(request, 416, Some(&session))))
    } else if let Some(Fault::CutChunk(limit)) = fault {
        (session.read(request, *limit, keeps)?, None)
    } else {
        let taken = session.read(request, u64::MAX, keeps)?;
        (taken, Some(state(request, 202, Some(&session))))
    };
    lock(&shared.sessions).insert(name, session);
    Ok((taken, answer))
}

/// Takes a whole blob in one PUT, or what is left of one.
fn take(request: &mut Request, repository: &str, shared: &Shared) -> io::Result<(u64, Answer)> {
    let keeps = shared.keeps.load(Ordering::Relaxed);
    let session = lock(&shared.sessions).remove(path(request));
    let mut session = session.unwrap_or_default();
    let length = session.read(request, u64::MAX, keeps)?;
    let Session {
        hasher,
        length: whole,
        body,
    } = session;
    let actual = content::hex(&hasher.finalize());
    if request.query("digest").as_ref() != Some(&actual) {
        return Ok((length, Answer::error(400, "DIGEST_INVALID")));
    }
    let body = if keeps {
        Body::from(body.as_slice())
    } else {
        Body::of_zeros(whole)
    };
    let mut content = lock(&shared.content);
    content.blobs.insert(actual.clone(), body);
    let here = content
        .repositories
        .entry(repository.to_owned())
        .or_default();
    here.blobs.insert(actual.clone());
    let location = format!("/v2/{repository}/blobs/{actual}");
    Ok((length, Answer::new(201).with("Location", location)))
}

fn put_manifest(
    request: &mut Request,
    repository: &str,
    reference: &str,
    shared: &Shared,
) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    http::read_body(request.reader, request.head, |piece| {
        bytes.extend_from_slice(piece);
        true
    })?;
    let media_type = request.head.get("content-type").unwrap_or_default();
    let mut content = lock(&shared.content);
    if let Some(missing) = missing(&content, repository, &bytes) {
        return Ok(Answer::error(404, "MANIFEST_BLOB_UNKNOWN").with("Warning", missing));
    }
    let descriptor = content.manifest(repository, media_type, bytes);
    if !reference.starts_with("sha256:") {
        content.tag(repository, reference, &descriptor);
    } else if reference != descriptor.digest {
        return Ok(Answer::error(400, "DIGEST_INVALID"));
    }
    let location = format!("/v2/{repository}/manifests/{}", descriptor.digest);
    let answer = Answer::new(201).with("Location", location);
    Ok(answer.with("Docker-Content-Digest", descriptor.digest))
}

/// What the manifest names and the repository does not hold.
fn missing(content: &content::Content, repository: &str, manifest: &[u8]) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).ok()?;
    let here = content.repositories.get(repository);
    let named = |member: &str| {
        let list = manifest[member].as_array().cloned().unwrap_or_default();
        list.into_iter()
            .filter_map(|d| d["digest"].as_str().map(str::to_owned))
    };
    let config = manifest["config"]["digest"].as_str().map(str::to_owned);
    let mut blobs = named("layers").chain(config);
    let blob = blobs.find(|d| !here.is_some_and(|r| r.blobs.contains(d)));
    blob.or_else(|| named("manifests").find(|d| !here.is_some_and(|r| r.manifests.contains(d))))
}

fn delete_manifest(repository: &str, reference: &str, shared: &Shared) -> Answer {
    let mut content = lock(&shared.content);
    let Some(here) = content.repositories.get_mut(repository) else {
        return Answer::error(404, "NAME_UNKNOWN");
    };
    here.manifests.retain(|digest| digest != reference);
    here.tags
        .retain(|tag, digest| tag != reference && digest != reference);
    Answer::new(202)
}
