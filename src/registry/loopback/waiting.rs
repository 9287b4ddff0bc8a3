//! Throttling, retries, time-outs, schemes and certificates.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::content::{Code, Retry, Source, Target};
use crate::event::{Event, Observer};

use super::*;

#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn event(&self, event: Event) {
        self.0.lock().expect("no panic").push(event);
    }
}

/// Answers `first` `times` times, then a good manifest.
fn after(times: u32, first: Reply) -> Server {
    let asked = AtomicU32::new(0);
    let good = manifest_reply(&manifest());
    Server::start(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) < times {
            first.clone()
        } else {
            good.clone()
        }
    })
}

#[tokio::test]
async fn retry_after_is_obeyed_by_the_whole_host_and_told() {
    let server = after(1, Reply::new(429).header("Retry-After", "1"));
    let recorder = Arc::new(Recorder::default());
    let registry =
        Registry::with_observer(options(Side::Source), recorder.clone()).expect("set up");
    let image = reference(&server, "a:1");
    let begin = Instant::now();
    let resolve = Source::resolve(&registry, &image);
    let meanwhile = async {
        while Source::paused_until(&registry, image.repository()).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let repository = reference(&server, "other:1").repository().clone();
        registry.blob(&repository, &blob(b"x"), 0).await
    };
    let (resolved, opened) = tokio::join!(resolve, meanwhile);
    assert!(resolved.expect("resolved").is_some());
    assert!(begin.elapsed() >= Duration::from_secs(1));
    let failure = opened.err().expect("asked for quiet");
    assert!(matches!(failure.retry_class(), Retry::After(d) if d <= Duration::from_secs(1)));
    assert_eq!(server.log().len(), 2);
    let events = recorder.0.lock().expect("no panic");
    assert!(
        matches!(&events[..], [Event::Waiting { delay, .. }] if *delay == Duration::from_secs(1)),
        "{events:?}"
    );
}

#[tokio::test]
async fn passing_failures_are_tried_again_and_others_not() {
    let registry = registry(Side::Source);
    for (times, status, good, requests) in
        [(2, 503, true, 3), (3, 502, false, 3), (1, 400, false, 1)]
    {
        let server = after(times, Reply::new(status));
        let resolved = Source::resolve(&registry, &reference(&server, "a:1")).await;
        assert_eq!(resolved.is_ok(), good, "{status}");
        assert_eq!(server.log().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn a_long_wish_for_quiet_is_not_waited_for() {
    let server = after(9, Reply::new(429).header("Retry-After", "21600"));
    let failure = Source::resolve(&registry(Side::Source), &reference(&server, "a:1"))
        .await
        .expect_err("throttled");
    assert_eq!(failure.code(), Code::Throttled);
    assert_eq!(failure.retry_class(), Retry::Never);
    assert!(failure.message().contains("360 minutes"), "{failure}");
}

#[tokio::test]
async fn a_manifest_cut_under_way_is_read_again() {
    let whole = manifest_reply(&manifest());
    let server = after(1, whole.cut(10));
    let read = registry(Side::Source)
        .manifest(&reference(&server, "a:1"))
        .await;
    assert_eq!(read.expect("a manifest"), manifest());
}

#[tokio::test]
async fn nobody_there_is_unreachable_for_all_who_wait() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let registry = registry(Side::Target);
    let image: Reference = format!("{address}/a:1").parse().expect("a reference");
    let failure = Target::resolve(&registry, &image)
        .await
        .expect_err("nobody");
    assert_eq!(failure.code(), Code::Unreachable);
    assert!(registry.requests().is_empty(), "the probe sends no request");
}

#[tokio::test]
async fn warnings_are_told_once() {
    let answer = manifest_reply(&manifest()).header("Warning", "299 - \"moving house\"");
    let server = Server::start(move |_| answer.clone());
    let recorder = Arc::new(Recorder::default());
    let registry =
        Registry::with_observer(options(Side::Source), recorder.clone()).expect("set up");
    for _ in 0..2 {
        Source::resolve(&registry, &reference(&server, "a:1"))
            .await
            .expect("resolved");
    }
    let told = format!("{}: moving house", server.address);
    assert_eq!(
        *recorder.0.lock().expect("no panic"),
        [Event::Warning(told)]
    );
}

#[tokio::test]
async fn a_loopback_host_is_asked_as_it_speaks() {
    let answer = manifest_reply(&manifest());
    let (server, pem) = Server::start_tls(move |_| answer.clone());
    let image = reference(&server, "a:1");
    let failure = Source::resolve(&registry(Side::Source), &image)
        .await
        .expect_err("not trusted");
    assert_eq!(failure.code(), Code::UnknownAuthority, "{failure}");
    assert!(failure.hint_text().is_some_and(|h| h.contains("--ca-file")));
    assert!(
        server.log().is_empty(),
        "nothing was sent to a server that is not trusted"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).expect("written");
    let trusting = Options {
        ca_files: vec![path.try_into().expect("utf-8")],
        ..options(Side::Source)
    };
    let careless = Options {
        insecure_skip_tls_verify: true,
        ..options(Side::Source)
    };
    for (n, options) in [trusting, careless].into_iter().enumerate() {
        let registry = Registry::new(options).expect("set up");
        assert!(
            Source::resolve(&registry, &image)
                .await
                .expect("trusted")
                .is_some()
        );
        assert_eq!(server.log().len(), n + 1, "the probe is no request");
    }
}

#[tokio::test]
async fn plain_http_where_tls_was_expected_names_the_flag() {
    let server = Server::start(|_| Reply::new(200));
    let registry = registry(Side::Source);
    let url: url::Url = format!("https://{}/v2/", server.address)
        .parse()
        .expect("a URL");
    let outgoing = crate::registry::wire::Outgoing {
        kind: crate::registry::RequestKind::Registry,
        method: reqwest::Method::GET,
        url: &url,
        headers: reqwest::header::HeaderMap::new(),
        body: None,
    };
    let trouble = registry.0.send(outgoing).await.expect_err("no TLS there");
    assert_eq!(trouble.retry, Retry::Never, "{trouble:?}");
    assert!(
        trouble.hint.is_some_and(|h| h.contains("--plain-http")),
        "{}",
        trouble.message
    );
}

#[tokio::test]
async fn an_upload_that_is_not_taken_is_given_up() {
    // The server reads the head of the PUT and then nothing.
    let server = Server::start_early(
        |request| {
            (request.method == "PUT").then(|| {
                std::thread::sleep(Duration::from_secs(30));
                Reply::new(500)
            })
        },
        |_| Reply::new(202).header("Location", "/up"),
    );
    let content = vec![1_u8; 30_000_000];
    let registry = registry(Side::Target);
    let repository = reference(&server, "a:1").repository().clone();
    let begun = registry
        .begin(&repository, &blob(&content), None)
        .await
        .expect("begun");
    let crate::content::Begun::Upload(upload) = begun else {
        panic!("mounted")
    };
    let clock = Instant::now();
    let failure = registry
        .upload(upload, &blob(&content), body(&content))
        .await
        .expect_err("stalled");
    assert_eq!(failure.code(), Code::Interrupted);
    assert_eq!(failure.retry_class(), Retry::Backoff);
    assert!(clock.elapsed() < Duration::from_secs(10));
}
