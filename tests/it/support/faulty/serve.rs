//! One connection: read a request, look for a fault, answer.

use std::io::{self, BufReader, Read as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::http::{self, Head};
use super::answer::{self, Answer};
use super::{Fault, Recorded, Shared, lock, uploads};

/// Serves until the client or a fault ends the connection.
pub(super) fn connection(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    while !shared.closing.load(Ordering::Relaxed) {
        let Some(head) = http::read_head(&mut reader)? else {
            return Ok(());
        };
        let index = record(shared, &head);
        let mut request = Request {
            head: &head,
            method: head.word(0),
            target: head.word(1),
            reader: &mut reader,
        };
        let outcome = handle(&mut request, &mut out, shared);
        if let Ok(outcome) = &outcome {
            let recorded = &mut lock(&shared.log)[index];
            recorded.status = outcome.status;
            recorded.bytes = outcome.bytes;
        }
        shared.under_way.fetch_sub(1, Ordering::SeqCst);
        if !outcome?.keep_alive {
            return out.shutdown(std::net::Shutdown::Both);
        }
    }
    Ok(())
}

/// A request whose body may still be unread.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) reader: &'a mut BufReader<TcpStream>,
}

impl Request<'_> {
    /// The value of a query parameter, colons decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(n, _)| *n == name)?;
        let value = value.replace("%3A", ":").replace("%3a", ":");
        Some(value.replace("%2F", "/").replace("%2f", "/"))
    }

    /// Reads the body and forgets it; how long it was.
    pub(super) fn drain(&mut self) -> io::Result<u64> {
        let mut length = 0;
        http::read_body(self.reader, self.head, |piece| {
            length += piece.len() as u64;
            true
        })?;
        Ok(length)
    }
}

/// What is written into the record.
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) keep_alive: bool,
}

fn record(shared: &Shared, head: &Head) -> usize {
    let scheme = |value: &str| value.split(' ').next().unwrap_or_default().to_owned();
    shared.under_way.fetch_add(1, Ordering::SeqCst);
    let mut log = lock(&shared.log);
    log.push(Recorded {
        method: head.word(0).to_owned(),
        target: head.word(1).to_owned(),
        authorization: head.get("authorization").map(scheme),
        range: (head.get("range").or_else(|| head.get("content-range"))).map(str::to_owned),
        at: Instant::now(),
        status: 0,
        bytes: 0,
    });
    log.len() - 1
}

fn handle(request: &mut Request, out: &mut TcpStream, shared: &Shared) -> io::Result<Outcome> {
    let fault = lock(&shared.rules)
        .iter_mut()
        .find_map(|rule| rule.meets(request.method, request.target));
    let ended = |status, bytes| Outcome {
        status,
        bytes,
        keep_alive: false,
    };
    match &fault {
        Some(Fault::Reset) => return Ok(ended(0, 0)),
        Some(Fault::AnswerEarly(status)) => {
            answer_early(request, out, *status)?;
            return Ok(ended(*status, 0));
        }
        Some(Fault::Limit(limit)) => {
            let length = request.head.get("content-length");
            if length.and_then(|l| l.parse().ok()).unwrap_or(0) > *limit {
                answer_early(request, out, 413)?;
                return Ok(ended(413, 0));
            }
        }
        Some(Fault::CutRequest(limit)) => {
            let mut length = 0;
            http::read_body(request.reader, request.head, |piece| {
                length += piece.len() as u64;
                length < *limit
            })?;
            return Ok(ended(0, length));
        }
        _ => {}
    }
    if let Some(answer) = unauthorized(request, shared) {
        return finish(request, out, &answer);
    }
    match &fault {
        Some(Fault::Answer(status, headers, body)) => {
            let answer = Answer {
                status: *status,
                headers: headers.clone(),
                body: body.as_bytes().to_vec(),
            };
            finish(request, out, &answer)
        }
        Some(Fault::Redirect(base)) => {
            let location = format!("{base}{}", request.target);
            finish(request, out, &Answer::new(307).with("Location", location))
        }
        _ => route(request, out, fault.as_ref(), shared),
    }
}

/// Answers before the request's body is read and goes on reading for a moment, as a proxy does, so
/// that the answer is not lost in a reset.
fn answer_early(request: &mut Request, out: &mut TcpStream, status: u16) -> io::Result<()> {
    let answer = Answer::new(status).with("Connection", "close");
    answer.send(out, request.method)?;
    out.shutdown(std::net::Shutdown::Write)?;
    let stream = request.reader.get_mut();
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    let _ = io::copy(&mut stream.take(4 << 20), &mut io::sink());
    Ok(())
}

/// Reads what is left of the request and answers it.
fn finish(request: &mut Request, out: &mut TcpStream, answer: &Answer) -> io::Result<Outcome> {
    let bytes = request.drain()?;
    answer.send(out, request.method)?;
    Ok(Outcome {
        status: answer.status,
        bytes,
        keep_alive: true,
    })
}

/// The challenge, when tokens are wanted and this request has none that is good.
fn unauthorized(request: &Request, shared: &Shared) -> Option<Answer> {
    let tokens = lock(&shared.tokens);
    let tokens = tokens.as_ref()?;
    if request.target.starts_with("/token") || tokens.accept(request.head.get("authorization")) {
        return None;
    }
    let realm = format!("http://{}/token", shared.address);
    let scope = match split(request.target) {
        Some((repository, _, _)) => format!(",scope=\"repository:{repository}:pull,push\""),
        None => String::new(),
    };
    let challenge = format!("Bearer realm=\"{realm}\",service=\"faulty\"{scope}");
    Some(Answer::error(401, "UNAUTHORIZED").with("WWW-Authenticate", challenge))
}

/// `/v2/<repository>/<manifests or blobs>/<rest without query>`.
pub(super) fn split(target: &str) -> Option<(&str, &str, &str)> {
    let path = target.split('?').next()?.strip_prefix("/v2/")?;
    ["manifests", "blobs"].into_iter().find_map(|kind| {
        let (repository, rest) = path.split_once(&format!("/{kind}/"))?;
        Some((repository, kind, rest))
    })
}

fn route(
    request: &mut Request,
    out: &mut TcpStream,
    fault: Option<&Fault>,
    shared: &Shared,
) -> io::Result<Outcome> {
    let answer = match (request.method, split(request.target)) {
        ("GET" | "HEAD", Some((repository, "manifests", reference))) => {
            manifest(repository, reference, fault, shared)
        }
        ("GET" | "HEAD", Some((repository, "blobs", digest)))
            if !digest.starts_with("uploads/") =>
        {
            let found = {
                let content = lock(&shared.content);
                let holder = content.repositories.get(repository);
                let here = holder.is_some_and(|r| r.blobs.contains(digest));
                content.blobs.get(digest).filter(|_| here).cloned()
            };
            if let Some(body) = found {
                let range = request.head.get("range");
                let blob = (digest, &body);
                let sent = answer::blob(out, request.method, blob, range, fault, shared)?;
                return Ok(Outcome {
                    status: sent.status,
                    bytes: sent.bytes,
                    keep_alive: sent.keep_alive,
                });
            }
            Answer::error(404, "BLOB_UNKNOWN")
        }
        ("GET", None) if request.target.starts_with("/token") => {
            let json = lock(&shared.tokens).as_mut().map(super::Tokens::give);
            Answer {
                body: json.unwrap_or_default().into_bytes(),
                ..Answer::new(200).with("Content-Type", "application/json")
            }
        }
        ("GET", None) if request.target == "/v2/" => Answer {
            body: b"{}".to_vec(),
            ..Answer::new(200)
        },
        (_, Some((repository, kind, rest))) => {
            return uploads::write(request, out, (repository, kind, rest), fault, shared);
        }
        _ => Answer::error(404, "UNSUPPORTED"),
    };
    finish(request, out, &answer)
}

fn manifest(repository: &str, reference: &str, fault: Option<&Fault>, shared: &Shared) -> Answer {
    let content = lock(&shared.content);
    let found = content.repositories.get(repository).and_then(|r| {
        let tagged = r.tags.get(reference);
        let by_digest = || r.manifests.iter().find(|d| *d == reference);
        tagged.or_else(by_digest)
    });
    let Some(digest) = found else {
        return Answer::error(404, "MANIFEST_UNKNOWN");
    };
    let manifest = &content.manifests[digest];
    let mut bytes = manifest.bytes.clone();
    if let Some(Fault::Flip(offset)) = fault {
        bytes[usize::try_from(*offset).expect("an offset")] ^= 1;
    }
    let answer = Answer::new(200).with("Content-Type", manifest.media_type.clone());
    let answer = match fault {
        Some(Fault::HideDigest) => answer,
        _ => answer.with("Docker-Content-Digest", digest.clone()),
    };
    Answer {
        body: bytes,
        ..answer
    }
}
