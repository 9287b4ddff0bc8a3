//! A scripted registry that takes chunks and is strict about their order and place.

use std::sync::{Arc, Mutex};

use super::writing::repository;
use super::*;

/// Chunks of this size, in bytes, to a client that [`learnt`].
pub(super) const CHUNK: usize = 256 * 1024;

/// What a scripted registry holds of the only upload, and the faults it has left.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    patches: usize,
}

/// What becomes of one PATCH: of the request, its number from 1 on, and what is held.
type Fault = dyn Fn(&Request, usize, &mut Vec<u8>) -> Option<Reply> + Send + Sync;

fn location(held: &Held) -> String {
    format!("/up/1?at={}", held.bytes.len())
}

fn holding(status: u16, held: &Held) -> Reply {
    let reply = Reply::new(status).header("Location", location(held));
    match held.bytes.len() {
        0 => reply,
        n => reply.header("Range", format!("0-{}", n - 1)),
    }
}

/// A registry with one upload session that checks place and order of what it gets.
pub(super) fn chunked(
    fault: impl Fn(&Request, usize, &mut Vec<u8>) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let held = Arc::new(Mutex::new(Held::default()));
    let fault: Box<Fault> = Box::new(fault);
    Server::start(move |request| {
        let mut held = held.lock().expect("no panic");
        match request.method.as_str() {
            "POST" => {
                *held = Held::default();
                holding(202, &held)
            }
            "GET" if request.path() == "/up/1" => holding(204, &held),
            "DELETE" => Reply::new(204),
            "PATCH" => {
                held.patches += 1;
                let number = held.patches;
                if let Some(reply) = fault(request, number, &mut held.bytes) {
                    return reply;
                }
                let range = request.header("content-range").unwrap_or_default();
                let start = held.bytes.len();
                let wanted = format!("{start}-{}", start + request.body.len() - 1);
                // A stale Location is refused as Distribution refuses a stale _state.
                if range != wanted || request.target != location(&held) {
                    return holding(416, &held);
                }
                held.bytes.extend_from_slice(&request.body);
                holding(202, &held)
            }
            "PUT" => {
                let digest = Digest::of(&held.bytes).to_string();
                let whole = request.target == format!("{}&digest={digest}", location(&held));
                Reply::new(if whole && request.body.is_empty() {
                    201
                } else {
                    400
                })
            }
            _ => unexpected(request),
        }
    })
}

/// A client that has met this host's limit before.
pub(super) fn learnt(server: &Server) -> Registry {
    let registry = registry(Side::Target);
    let host = registry.0.place(&repository(server, "a")).host;
    let learns = host.quirks.chunking.refused("h", CHUNK as u64 + 1, 0);
    assert!(learns);
    registry
}

pub(super) fn content() -> Vec<u8> {
    (0..=250_u8).cycle().take(3 * CHUNK + 1000).collect()
}

pub(super) fn methods(server: &Server) -> String {
    let log = server.log();
    let words: Vec<&str> = log.iter().map(|r| r.method.as_str()).collect();
    words.join(" ")
}
