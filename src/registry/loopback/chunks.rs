//! Blobs out in chunks: when, how, and after every kind of break.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::content::{Begun, Code, Failure, Retry, Target};

use super::chunked::{CHUNK, chunked, content, learnt, methods};
use super::writing::{begin, repository, send};
use super::*;

#[tokio::test]
async fn chunks_go_in_order_and_every_location_is_followed() {
    let server = chunked(|_, _, _| None);
    let registry = learnt(&server);
    send(&registry, &server, &content()).await.expect("sent");
    assert_eq!(methods(&server), "POST PATCH PATCH PATCH PATCH PUT");
    let log = server.log();
    assert_eq!(log[2].header("content-range"), Some("262144-524287"));
    assert_eq!(log[2].header("content-length"), Some("262144"));
    assert_eq!(
        log[2].header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(log[4].body.len(), 1000);
    assert_eq!(log[5].header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_refused_put_makes_later_blobs_go_in_chunks_until_they_fit() {
    let limit = 3_000_000;
    let held = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start_early(
        move |request| {
            let length: usize = request.header("content-length")?.parse().ok()?;
            (length > limit).then(|| Reply::new(413).body("<h1>413 Request Too Large</h1>"))
        },
        move |request| {
            let mut held = held.lock().expect("no panic");
            match request.method.as_str() {
                "POST" => {
                    held.clear();
                    Reply::new(202).header("Location", "/up/1")
                }
                // Says neither how much it holds nor where to go on.
                "PATCH" => {
                    held.extend_from_slice(&request.body);
                    Reply::new(202)
                }
                "PUT" => {
                    held.extend_from_slice(&request.body);
                    let digest = Digest::of(&held).to_string();
                    Reply::new(if request.target.contains(&digest) {
                        201
                    } else {
                        400
                    })
                }
                _ => unexpected(request),
            }
        },
    );
    let registry = registry(Side::Target);
    let large = vec![7; 10_000_000];
    let failure = send(&registry, &server, &large).await.expect_err("413");
    assert_eq!(failure.code(), Code::TooLarge, "{failure}");
    assert_eq!(failure.retry_class(), Retry::Backoff);
    assert_eq!(methods(&server), "POST PUT");
    send(&registry, &server, &large).await.expect("learnt");
    // 8 MiB and 4 MiB are refused, five times 2 MiB fit.
    assert_eq!(
        methods(&server),
        "POST PUT POST PATCH PATCH PATCH PATCH PATCH PATCH PATCH PUT"
    );
    send(&registry, &server, &large[..2_500_000])
        .await
        .expect("starts that way");
    send(&registry, &server, &large[..2_000_000])
        .await
        .expect("fits into one");
    let all = methods(&server);
    assert!(all.ends_with("PUT POST PATCH PATCH PUT POST PUT"), "{all}");
}

#[tokio::test]
async fn a_limit_below_every_chunk_is_final_and_told() {
    let server = Server::start_early(
        |request| {
            let length: usize = request.header("content-length")?.parse().ok()?;
            (length > 1000).then(|| Reply::new(413))
        },
        |request| match request.method.as_str() {
            "POST" => Reply::new(202).header("Location", "/up/1"),
            _ => Reply::new(204),
        },
    );
    let registry = registry(Side::Target);
    let first = send(&registry, &server, &content()).await;
    assert_eq!(first.expect_err("413").retry_class(), Retry::Backoff);
    let failure = send(&registry, &server, &content())
        .await
        .expect_err("final");
    assert_eq!(failure.code(), Code::TooLarge);
    assert_eq!(failure.retry_class(), Retry::Never);
    let hint = failure.hint_text().expect("a hint");
    assert!(hint.contains("client_max_body_size"), "{hint}");
    assert!(
        methods(&server).ends_with(" PATCH DELETE"),
        "it is given back"
    );
}

#[tokio::test]
async fn a_chunk_that_breaks_goes_on_from_where_the_registry_is() {
    for stored in [0, 1, 1000, CHUNK] {
        let server = chunked(move |request, number, held| {
            (number == 2).then(|| {
                held.extend_from_slice(&request.body[..stored]);
                Reply::silent()
            })
        });
        let registry = learnt(&server);
        send(&registry, &server, &content()).await.expect("resumed");
        let all = methods(&server);
        assert!(all.starts_with("POST PATCH PATCH GET PATCH"), "{all}");
        let log = server.log();
        let from = CHUNK + stored;
        let range = log[4].header("content-range").unwrap_or_default();
        assert!(range.starts_with(&format!("{from}-")), "{range}");
    }
}

#[tokio::test]
async fn the_first_chunk_may_break_too() {
    let server = chunked(|_, number, _| (number == 1).then(Reply::silent));
    let registry = learnt(&server);
    send(&registry, &server, &content()).await.expect("resumed");
    assert_eq!(
        methods(&server),
        "POST PATCH GET PATCH PATCH PATCH PATCH PUT"
    );
}

#[tokio::test]
async fn the_range_of_a_416_is_believed_and_asked_for_when_it_is_missing() {
    for tells in [true, false] {
        let server = chunked(move |request, number, held| {
            (number == 2).then(|| {
                // Part of it was taken before, as after a lost answer.
                held.extend_from_slice(&request.body[..5000]);
                let reply = Reply::new(416).header("Location", format!("/up/1?at={}", held.len()));
                if tells {
                    reply.header("Range", format!("bytes=0-{}", held.len() - 1))
                } else {
                    // No Location that leads on: only the status tells.
                    Reply::new(416)
                }
            })
        });
        let registry = learnt(&server);
        send(&registry, &server, &content()).await.expect("sent");
        assert_eq!(methods(&server).contains("GET"), !tells);
    }
}

#[tokio::test]
async fn chunks_that_are_dropped_silently_end_in_a_new_start() {
    // ECR: taken, and not held.
    let server = chunked(|_, number, held| {
        (number >= 2).then(|| {
            Reply::new(201)
                .header("Location", format!("/up/1?at={}", held.len()))
                .header("Range", format!("0-{}", held.len() - 1))
        })
    });
    let failure = send(&learnt(&server), &server, &content())
        .await
        .expect_err("no progress");
    assert_eq!(failure.code(), Code::Protocol);
    assert_eq!(failure.retry_class(), Retry::Backoff);
    let patches = server.log().iter().filter(|r| r.method == "PATCH").count();
    assert_eq!(patches, 1 + 3, "as often as the options say");
    assert!(methods(&server).ends_with("DELETE"));
}

#[tokio::test]
async fn what_was_lost_for_good_makes_the_blob_start_anew() {
    let losing: [fn(&mut Vec<u8>) -> Reply; 2] = [
        |held| {
            held.truncate(1000);
            Reply::silent()
        },
        |_| Reply::new(404).body(r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
    ];
    for lose in losing {
        let server = chunked(move |_, number, held| (number == 2).then(|| lose(held)));
        let registry = learnt(&server);
        let failure = send(&registry, &server, &content())
            .await
            .expect_err("lost");
        assert_eq!(failure.retry_class(), Retry::Backoff, "{failure}");
        assert!(methods(&server).ends_with("DELETE"));
        let small = send(&registry, &server, b"abc").await;
        assert!(small.is_err() && !methods(&server).ends_with("POST PATCH"));
    }
}

#[tokio::test]
async fn a_status_that_tells_nothing_loses_nothing() {
    let held = Mutex::new((Vec::new(), 0));
    let server = Server::start(move |request| {
        let (held, patches) = &mut *held.lock().expect("no panic");
        match request.method.as_str() {
            "POST" => Reply::new(202).header("Location", "/up/1"),
            "GET" => Reply::new(204),
            "PATCH" => {
                let place = format!("0-{}", (held.len() as u64).saturating_sub(1));
                let start = format!("{}-", held.len());
                let range = request.header("content-range").unwrap_or_default();
                if !range.starts_with(&start) {
                    return Reply::new(416).header("Range", place);
                }
                held.extend_from_slice(&request.body);
                *patches += 1;
                // It was taken, and the answer is lost.
                if *patches == 2 {
                    Reply::silent()
                } else {
                    Reply::new(202)
                }
            }
            "PUT" => {
                let whole = request.target.contains(&Digest::of(held).to_string());
                Reply::new(if whole { 201 } else { 400 })
            }
            _ => unexpected(request),
        }
    });
    send(&learnt(&server), &server, &content())
        .await
        .expect("resumed");
    assert_eq!(
        methods(&server),
        "POST PATCH PATCH GET PATCH PATCH PATCH PUT"
    );
}

#[tokio::test]
async fn a_little_of_each_chunk_is_not_gone_on_with_for_ever() {
    let server = chunked(|request, _, held| {
        held.extend_from_slice(&request.body[..2]);
        let reply = Reply::new(202).header("Location", format!("/up/1?at={}", held.len()));
        Some(reply.header("Range", format!("0-{}", held.len() - 1)))
    });
    let failure = send(&learnt(&server), &server, &content())
        .await
        .expect_err("hopeless");
    assert_eq!(failure.retry_class(), Retry::Never, "{failure}");
    assert!(
        failure
            .hint_text()
            .is_some_and(|hint| hint.contains("proxy"))
    );
    let sent: usize = server.log().iter().map(|r| r.body.len()).sum();
    assert!(sent < 20 * (content().len() + CHUNK), "{sent}");
}

#[tokio::test]
async fn a_registry_that_claims_more_than_was_sent_is_not_believed() {
    let server = chunked(|_, number, _| {
        (number == 2).then(|| Reply::new(202).header("Range", "0-99999999"))
    });
    let failure = send(&learnt(&server), &server, &content())
        .await
        .expect_err("a lie");
    assert_eq!(failure.code(), Code::Protocol);
    assert!(!methods(&server).contains("PUT"));
}

#[tokio::test]
async fn throttling_is_sat_out_inside_the_upload() {
    let server =
        chunked(|_, number, _| (number == 2).then(|| Reply::new(429).header("Retry-After", "1")));
    let begun = Instant::now();
    send(&learnt(&server), &server, &content())
        .await
        .expect("sent");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        methods(&server),
        "POST PATCH PATCH GET PATCH PATCH PATCH PUT"
    );
    let long =
        chunked(|_, number, _| (number == 2).then(|| Reply::new(503).header("Retry-After", "300")));
    let failure = send(&learnt(&long), &long, &content())
        .await
        .expect_err("too long to keep an upload open");
    assert!(matches!(failure.retry_class(), Retry::After(_)));
}

/// A registry that takes anything and wants chunks of at least this size.
fn demanding(least: u64) -> Server {
    Server::start(move |request| match request.method.as_str() {
        "POST" => Reply::new(202)
            .header("Location", "/up/1")
            .header("OCI-Chunk-Min-Length", least.to_string()),
        "PATCH" => Reply::new(202),
        "PUT" => Reply::new(201),
        _ => Reply::new(204),
    })
}

#[tokio::test]
async fn the_registrys_least_chunk_is_kept_to() {
    let server = demanding(500_000);
    send(&learnt(&server), &server, &content())
        .await
        .expect("sent");
    let log = server.log();
    let patches = log.iter().filter(|r| r.method == "PATCH");
    let sizes: Vec<usize> = patches.map(|r| r.body.len()).collect();
    assert_eq!(sizes, [500_000, content().len() - 500_000]);
}

#[tokio::test]
async fn a_least_chunk_beyond_reason_is_refused_before_a_byte_is_held() {
    let server = demanding(1 << 30);
    let registry = learnt(&server);
    let huge = Descriptor::new("x", Digest::of(b"huge"), 1 << 40);
    let begun = registry.begin(&repository(&server, "a"), &huge, None).await;
    let Ok(Begun::Upload(upload)) = begun else {
        panic!("no upload")
    };
    let failure = registry
        .upload(upload, &huge, Box::pin(stream::pending()))
        .await
        .expect_err("beyond reason");
    assert_eq!(failure.code(), Code::TooLarge);
    assert_eq!(methods(&server), "POST DELETE");
}

#[tokio::test]
async fn bytes_that_fail_under_way_commit_nothing() {
    let server = chunked(|_, _, _| None);
    let registry = learnt(&server);
    let content = content();
    let Ok(Begun::Upload(upload)) = begin(&registry, &server, "a", &content, None).await else {
        panic!("no upload")
    };
    let bad = Failure::new(Code::DigestMismatch, "source", "wrong bytes");
    let good = Bytes::copy_from_slice(&content[..CHUNK + 10]);
    let chunks = vec![Ok(good), Err(bad)];
    let failure = registry
        .upload(upload, &blob(&content), Box::pin(stream::iter(chunks)))
        .await
        .expect_err("wrong");
    assert_eq!(failure.code(), Code::DigestMismatch);
    let log = server.log();
    let last = log.last().expect("requests");
    assert_eq!(last.line(), format!("DELETE /up/1?at={CHUNK}"));
    assert!(!methods(&server).contains("PUT"));
}

#[tokio::test]
async fn a_registry_without_chunks_is_told_apart_from_its_limit() {
    let server = chunked(|_, _, _| Some(Reply::new(405)));
    let failure = send(&learnt(&server), &server, &content())
        .await
        .expect_err("no chunks");
    assert_eq!(failure.retry_class(), Retry::Never);
    let hint = failure.hint_text().expect("a hint");
    assert!(
        hint.contains("chunks are refused") && hint.contains("client_max_body_size"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_put_that_breaks_twice_is_tried_in_chunks() {
    let server = Server::start(move |request| match request.method.as_str() {
        "POST" => Reply::new(202).header("Location", "/up/1"),
        "PATCH" => Reply::new(202),
        "PUT" if request.body.len() > 1_000_000 => Reply::silent(),
        "PUT" => Reply::new(201),
        _ => Reply::new(204),
    });
    let registry = registry(Side::Target);
    let large = vec![7; 1_500_000];
    for _ in 0..2 {
        let failure = send(&registry, &server, &large).await.expect_err("broken");
        assert_eq!(failure.code(), Code::Interrupted);
    }
    send(&registry, &server, &large).await.expect("suspected");
    assert_eq!(methods(&server), "POST PUT POST PUT POST PATCH PATCH PUT");
}
