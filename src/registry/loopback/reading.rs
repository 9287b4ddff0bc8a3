//! Manifests and blobs in.

use crate::content::{Code, Retry, Source, Target};
use crate::registry::{Registry, RequestKind, Side, SourceMirror};

use super::*;

#[tokio::test]
async fn an_up_to_date_image_costs_one_head() {
    let wanted = manifest();
    let answer = manifest_reply(&wanted);
    let server = Server::start(move |_| answer.clone());
    let registry = registry(Side::Source);
    let image = reference(&server, "a/b:1");
    let digest = Source::resolve(&registry, &image).await.expect("resolved");
    assert_eq!(digest.as_ref(), Some(wanted.digest()));
    assert_eq!(server.lines(), ["HEAD /v2/a/b/manifests/1"]);
    assert_eq!(server.log()[0].header("accept"), Some(media_type::ACCEPT));
    let rows = registry.requests();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].count, &*rows[0].method), (1, "HEAD"));
    assert_eq!(rows[0].kind, RequestKind::Registry);
    assert_eq!(rows[0].host, server.address);
}

#[tokio::test]
async fn a_manifest_is_read_and_verified() {
    let wanted = manifest();
    let answer = manifest_reply(&wanted);
    let server = Server::start(move |_| answer.clone());
    let registry = registry(Side::Source);
    let got = registry
        .manifest(&reference(&server, "a:1"))
        .await
        .expect("a manifest");
    assert_eq!(got, wanted);
    let by_digest = format!("a@{}", wanted.digest());
    assert!(
        registry
            .manifest(&reference(&server, &by_digest))
            .await
            .is_ok()
    );
    let other = format!("a@{}", Digest::of(b"other"));
    let failure = registry
        .manifest(&reference(&server, &other))
        .await
        .expect_err("other bytes");
    assert_eq!(failure.code(), Code::DigestMismatch);
}

#[tokio::test]
async fn a_missing_manifest_is_none_or_not_found() {
    let server = Server::start(|_| Reply::new(404));
    let registry = registry(Side::Source);
    let image = reference(&server, "a:1");
    assert_eq!(
        Source::resolve(&registry, &image).await.expect("none"),
        None
    );
    let failure = registry.manifest(&image).await.expect_err("missing");
    assert_eq!(failure.code(), Code::NotFound);
    assert_eq!(
        failure.to_string(),
        format!("{}/a:1: 404 Not Found", server.address)
    );
}

#[tokio::test]
async fn head_no_digest_and_head_405_read_the_body_and_are_remembered() {
    for head in [200, 405] {
        let wanted = manifest();
        let bytes = wanted.bytes().to_vec();
        let server = Server::start(move |request| match request.method.as_str() {
            "HEAD" => Reply::new(head),
            _ => Reply::new(200)
                .header(
                    "Content-Type",
                    "application/vnd.oci.image.index.v1+json; charset=utf-8",
                )
                .body(bytes.clone()),
        });
        let registry = registry(Side::Source);
        for name in ["a:1", "b:1"] {
            let image = reference(&server, name);
            let digest = Source::resolve(&registry, &image).await.expect("resolved");
            assert_eq!(digest.as_ref(), Some(wanted.digest()));
        }
        assert_eq!(
            server.lines(),
            [
                "HEAD /v2/a/manifests/1",
                "GET /v2/a/manifests/1",
                "GET /v2/b/manifests/1"
            ]
        );
    }
}

#[tokio::test]
async fn a_manifest_that_is_too_large_is_not_read() {
    let server = Server::start(|_| Reply::new(200).body(vec![b' '; 5 << 20]));
    let failure = registry(Side::Source)
        .manifest(&reference(&server, "a:1"))
        .await
        .expect_err("too large");
    assert_eq!(failure.code(), Code::TooLarge);
    assert!(failure.message().contains("4194304"), "{failure}");
}

/// A server that answers Range requests as `mode` says.
fn blobs(content: &'static [u8], mode: &'static str) -> Server {
    Server::start(move |request| {
        let from: Option<usize> = request
            .header("range")
            .and_then(|r| r.strip_prefix("bytes="))
            .and_then(|r| r.split('-').next()?.parse().ok());
        let total = content.len();
        match (from, mode) {
            (None, _) | (Some(_), "ignored") => Reply::new(200).body(content),
            (Some(from), "good") => Reply::new(206)
                .header(
                    "Content-Range",
                    format!("bytes {from}-{}/{total}", total - 1),
                )
                .body(&content[from..]),
            (Some(_), "wrong") => Reply::new(206)
                .header("Content-Range", format!("bytes 0-{}/{total}", total - 1))
                .body(content),
            _ => Reply::new(416),
        }
    })
}

#[tokio::test]
async fn a_blob_goes_on_from_an_offset() {
    let content = b"0123456789";
    for (mode, requests) in [("good", 1), ("ignored", 1), ("wrong", 2), ("416", 2)] {
        let server = blobs(content, mode);
        let registry = registry(Side::Source);
        let repository = reference(&server, "a:1").repository().clone();
        let mut opened = registry.blob(&repository, &blob(content), 4).await;
        if let Err(failure) = &opened {
            assert_eq!(failure.retry_class(), Retry::Backoff, "{mode}");
            opened = registry.blob(&repository, &blob(content), 4).await;
        }
        let (bytes, failure) = collect(opened.expect(mode)).await;
        assert!(failure.is_none(), "{mode}");
        assert_eq!(bytes, b"456789", "{mode}");
        assert_eq!(server.log().len(), requests, "{mode}");
        let whole = registry.blob(&repository, &blob(content), 10).await;
        assert_eq!(collect(whole.expect(mode)).await.0, b"");
        assert_eq!(server.log().len(), requests, "nothing is left to ask for");
    }
}

#[tokio::test]
async fn a_blob_that_breaks_or_stalls_can_be_resumed() {
    let server = Server::start(|request| {
        let reply = Reply::new(200).body(b"0123456789");
        if request.path().ends_with(Digest::of(b"cut").as_str()) {
            reply.cut(4)
        } else {
            reply.stall(4)
        }
    });
    let registry = registry(Side::Source);
    let repository = reference(&server, "a:1").repository().clone();
    for (name, words) in [(&b"cut"[..], "broke off"), (b"stall", "no byte came")] {
        let descriptor = Descriptor::new("x", Digest::of(name), 10);
        let stream = registry
            .blob(&repository, &descriptor, 0)
            .await
            .expect("opened");
        let (bytes, failure) = collect(stream).await;
        let failure = failure.expect("broken");
        assert_eq!(bytes, b"0123");
        assert_eq!(failure.code(), Code::Interrupted);
        assert_eq!(failure.retry_class(), Retry::Backoff);
        assert!(failure.message().contains(words), "{failure}");
        assert_eq!(failure.repository(), Some("a"));
    }
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_login() {
    let store = Server::start(|_| Reply::new(200).body(b"0123456789"));
    let to = format!("http://{}/bucket/x?X-Signature=s3cret", store.address);
    let server = Server::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) => Reply::new(307).header("Location", to.clone()),
    });
    let (registry, _files) =
        super::auth::with_login(&server, Side::Source, r#""username":"u","password":"p""#);
    let repository = reference(&server, "a:1").repository().clone();
    let stream = registry
        .blob(&repository, &blob(b"0123456789"), 0)
        .await
        .expect("opened");
    assert_eq!(collect(stream).await.0, b"0123456789");
    assert_eq!(store.lines(), ["GET /bucket/x?X-Signature=s3cret"]);
    assert_eq!(store.log()[0].header("authorization"), None);
    let redirects: Vec<_> = registry
        .requests()
        .into_iter()
        .filter(|row| row.kind == RequestKind::Redirect)
        .collect();
    assert_eq!(redirects.len(), 1);
    assert_eq!(redirects[0].host, store.address);
}

#[tokio::test]
async fn a_refusal_behind_a_redirect_names_who_refused() {
    let store = Server::start(|_| Reply::new(403).body("<Error>AccessDenied</Error>"));
    let to = format!("http://{}/x?sig=s3cret", store.address);
    let server = Server::start(move |_| Reply::new(302).header("Location", to.clone()));
    let failure = registry(Side::Source)
        .manifest(&reference(&server, "a:1"))
        .await
        .expect_err("refused");
    assert!(failure.message().contains(&store.address), "{failure}");
    assert!(!failure.message().contains("s3cret"), "{failure}");
    let server = Server::start(|_| Reply::new(302).header("Location", "/again"));
    let failure = registry(Side::Source)
        .manifest(&reference(&server, "a:1"))
        .await
        .expect_err("a circle");
    assert_eq!(failure.code(), Code::Protocol);
    assert_eq!(server.log().len(), 11);
}

#[tokio::test]
async fn a_mirror_is_asked_under_its_prefix_and_upstream_never() {
    let answer = manifest_reply(&manifest());
    let server = Server::start(move |request| {
        if request.path() == "/v2/up/k8s/pause/manifests/3.10" {
            answer.clone()
        } else {
            Reply::new(404)
        }
    });
    let registry = Registry::new(Options {
        source_mirrors: vec![SourceMirror {
            host: "registry.k8s.io".to_owned(),
            plain_http: true,
            mirror_host: server.address.clone(),
            prefix: "up/k8s".to_owned(),
        }],
        ..options(Side::Source)
    })
    .expect("set up");
    for (name, there) in [
        ("registry.k8s.io/pause:3.10", true),
        ("k8s.gcr.io/pause:3.10", true),
        ("registry.k8s.io/absent:1", false),
    ] {
        let image: Reference = name.parse().expect("a reference");
        let digest = Source::resolve(&registry, &image).await.expect("answered");
        assert_eq!(digest.is_some(), there, "{name}");
    }
    let image: Reference = "registry.k8s.io/absent:1".parse().expect("a reference");
    let failure = registry.manifest(&image).await.expect_err("missing");
    assert_eq!(failure.host(), "registry.k8s.io");
    assert!(failure.message().contains(&server.address), "{failure}");
}

#[tokio::test]
async fn a_blob_is_there_only_with_its_size() {
    let server = Server::start(|request| match request.path() {
        path if path.starts_with("/v2/right") => Reply::new(200).body(b"0123456789"),
        path if path.starts_with("/v2/wrong") => Reply::new(200).body(b"01"),
        path if path.starts_with("/v2/hidden") => Reply::new(403),
        path if path.starts_with("/v2/nohead") && request.method == "GET" => Reply::new(206)
            .header("Content-Range", "bytes 0-0/10")
            .body(b"0"),
        path if path.starts_with("/v2/nohead") => Reply::new(405),
        _ => Reply::new(404),
    });
    let registry = registry(Side::Target);
    for (name, there) in [
        ("right", true),
        ("wrong", false),
        ("hidden", false),
        ("nohead", true),
        ("absent", false),
    ] {
        let repository = reference(&server, name).repository().clone();
        let has = registry.has_blob(&repository, &blob(b"0123456789")).await;
        assert_eq!(has.expect(name), there, "{name}");
    }
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let server = Server::start(|request| match request.target.as_str() {
        "/v2/a/tags/list?n=1000" => Reply::new(200)
            .header("Link", "</v2/a/tags/list?n=1000&last=b>; rel=\"next\"")
            .body(r#"{"name":"a","tags":["a","b"]}"#),
        "/v2/a/tags/list?n=1000&last=b" => Reply::new(200).body(r#"{"tags":["c"]}"#),
        "/v2/none/tags/list?n=1000" => Reply::new(200).body(r#"{"tags":null}"#),
        _ => Reply::new(404),
    });
    let registry = registry(Side::Target);
    for (name, tags) in [
        ("a", vec!["a", "b", "c"]),
        ("none", vec![]),
        ("absent", vec![]),
    ] {
        let repository = reference(&server, name).repository().clone();
        assert_eq!(registry.tags(&repository).await.expect(name), tags);
    }
}
