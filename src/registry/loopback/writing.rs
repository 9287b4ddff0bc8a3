//! Blobs and manifests out.

use crate::content::{Begun, Code, Failure, Retry, Target};
use crate::oci::Repository;
use crate::registry::Upload;

use super::*;

pub(super) fn repository(server: &Server, name: &str) -> Repository {
    reference(server, name).repository().clone()
}

pub(super) async fn begin(
    registry: &Registry,
    server: &Server,
    name: &str,
    content: &[u8],
    from: Option<&str>,
) -> Result<Begun<Upload>, Failure> {
    let from = from.map(|from| repository(server, from));
    registry
        .begin(&repository(server, name), &blob(content), from.as_ref())
        .await
}

/// Opens an upload and sends `content`.
pub(super) async fn send(
    registry: &Registry,
    server: &Server,
    content: &[u8],
) -> Result<(), Failure> {
    let Begun::Upload(upload) = begin(registry, server, "a", content, None).await? else {
        panic!("mounted without being asked")
    };
    registry.upload(upload, &blob(content), body(content)).await
}

fn opened() -> Reply {
    Reply::new(202).header("Location", "/up/1?_state=a%2Fb")
}

#[tokio::test]
async fn a_blob_is_one_post_and_one_put_with_its_length() {
    let server = Server::start(|request| match request.method.as_str() {
        "POST" => opened(),
        "PUT" => Reply::new(201),
        _ => unexpected(request),
    });
    let content = vec![5_u8; 1_000_000];
    let registry = registry(Side::Target);
    send(&registry, &server, &content).await.expect("sent");
    send(&registry, &server, b"").await.expect("sent");
    let log = server.log();
    assert_eq!(log[0].line(), "POST /v2/a/blobs/uploads/");
    assert_eq!(log[0].header("content-length"), Some("0"));
    let digest = Digest::of(&content);
    assert_eq!(
        log[1].line(),
        format!("PUT /up/1?_state=a%2Fb&digest={digest}")
    );
    assert_eq!(log[1].header("content-length"), Some("1000000"));
    assert_eq!(log[1].header("expect"), None);
    assert!(log[1].body == content);
    assert_eq!(log[3].header("content-length"), Some("0"));
}

#[tokio::test]
async fn mounts() {
    let server = Server::start(|request| match request.target.as_str() {
        target if target.contains("from=there") => Reply::new(201),
        target if target.contains("mount=") => opened(),
        _ => unexpected(request),
    });
    let registry = registry(Side::Target);
    let begun = begin(&registry, &server, "a", b"x", Some("there/x")).await;
    assert!(matches!(begun, Ok(Begun::Mounted)));
    let begun = begin(&registry, &server, "a", b"x", Some("elsewhere")).await;
    assert!(matches!(begun, Ok(Begun::Upload(_))));
    let digest = Digest::of(b"x").to_string().replace(':', "%3A");
    assert_eq!(
        server.lines(),
        [
            format!("POST /v2/a/blobs/uploads/?mount={digest}&from=there%2Fx"),
            format!("POST /v2/a/blobs/uploads/?mount={digest}&from=elsewhere"),
        ]
    );
}

#[tokio::test]
async fn a_host_that_refuses_mounts_twice_is_not_asked_again() {
    let server = Server::start(|request| {
        if request.target.contains("mount=") {
            Reply::new(500)
        } else {
            opened()
        }
    });
    let registry = registry(Side::Target);
    for from in ["b", "b", "c", "d"] {
        let begun = begin(&registry, &server, "a", b"x", Some(from)).await;
        assert!(matches!(begun, Ok(Begun::Upload(_))), "{from}");
    }
    let mounts = |line: &&String| line.contains("mount=");
    assert_eq!(server.lines().iter().filter(mounts).count(), 2);
    assert_eq!(server.log().len(), 6);
}

#[tokio::test]
async fn a_body_that_fails_commits_nothing_and_its_reason_is_told() {
    let server = Server::start(|request| match request.method.as_str() {
        "POST" => opened(),
        "PUT" => Reply::new(201),
        _ => Reply::new(204),
    });
    let registry = registry(Side::Target);
    let Ok(Begun::Upload(upload)) = begin(&registry, &server, "a", b"0123456789", None).await
    else {
        panic!("no upload")
    };
    let bad = Failure::new(Code::DigestMismatch, "source", "wrong bytes");
    let chunks = vec![Ok(Bytes::from_static(b"01234")), Err(bad)];
    let failure = registry
        .upload(upload, &blob(b"0123456789"), Box::pin(stream::iter(chunks)))
        .await
        .expect_err("wrong");
    assert_eq!(failure.code(), Code::DigestMismatch);
    assert_eq!(failure.host(), "source");
    let lines = server.lines();
    assert_eq!(
        lines.last().map(String::as_str),
        Some("DELETE /up/1?_state=a%2Fb")
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("PUT")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn an_early_413_is_reported_and_not_a_broken_pipe() {
    let server = Server::start_early(
        |request| (request.method == "PUT").then(|| Reply::new(413).body("<h1>Too Large</h1>")),
        |_| opened(),
    );
    let content = vec![1_u8; 20_000_000];
    let failure = send(&registry(Side::Target), &server, &content)
        .await
        .expect_err("refused");
    assert_eq!(failure.code(), Code::TooLarge, "{failure}");
    let hint = failure.hint_text().expect("a hint");
    assert!(hint.contains("client_max_body_size"), "{hint}");
}

#[tokio::test]
async fn an_unusual_success_is_looked_at() {
    for (size, good) in [(10, true), (3, false)] {
        let server = Server::start(move |request| match request.method.as_str() {
            "POST" => opened(),
            "PUT" => Reply::new(202),
            "HEAD" => Reply::new(200).body(vec![0; size]),
            _ => unexpected(request),
        });
        let sent = send(&registry(Side::Target), &server, b"0123456789").await;
        assert_eq!(sent.is_ok(), good);
    }
}

#[tokio::test]
async fn a_host_that_wants_patch_first_is_learnt() {
    for (status, text) in [
        (404, r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
        (400, r#"{"errors":[{"code":"UNSUPPORTED"}]}"#),
        (405, ""),
        (411, ""),
        (501, ""),
    ] {
        let server = Server::start(move |request| match request.method.as_str() {
            "POST" => opened(),
            "PATCH" => Reply::new(202).header("Location", "/up/1?patched"),
            "PUT" if request.target.starts_with("/up/1?patched") => Reply::new(201),
            "PUT" => Reply::new(status).body(text),
            _ => unexpected(request),
        });
        let registry = registry(Side::Target);
        let failure = send(&registry, &server, b"abc").await.expect_err("refused");
        assert_eq!(failure.retry_class(), Retry::Backoff, "{status}");
        send(&registry, &server, b"abc").await.expect("learnt");
        assert_eq!(server.log().last().map(|r| r.body.len()), Some(0));
    }
}

#[tokio::test]
async fn a_host_that_takes_neither_is_given_up() {
    let server = Server::start(|request| match request.method.as_str() {
        "POST" => opened(),
        "PATCH" | "PUT" => Reply::new(405),
        _ => Reply::new(204),
    });
    let registry = registry(Side::Target);
    let first = send(&registry, &server, b"abc").await.expect_err("refused");
    assert_eq!(first.retry_class(), Retry::Backoff);
    let second = send(&registry, &server, b"abc").await.expect_err("refused");
    assert_eq!(second.retry_class(), Retry::Never);
}

#[tokio::test]
async fn a_refusal_elsewhere_is_not_blamed_on_the_login() {
    let store = Server::start(|_| Reply::new(401));
    let to = format!("http://{}/up/1?sig=1", store.address);
    let server = Server::start(move |request| match request.method.as_str() {
        "POST" => Reply::new(202).header("Location", to.clone()),
        _ => unexpected(request),
    });
    let failure = send(&registry(Side::Target), &server, b"abc").await;
    let said = failure.expect_err("refused");
    let (said, hint) = (
        said.to_string(),
        said.hint_text().unwrap_or_default().to_owned(),
    );
    assert!(said.contains(&*store.address), "{said}");
    assert!(
        hint.contains("no login of") && hint.contains("http.host"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_location_elsewhere_gets_no_login() {
    let store = Server::start(|_| Reply::new(201));
    let to = format!("http://{}/up/1?sig=1", store.address);
    let server = Server::start(move |request| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) => Reply::new(202).header("Location", to.clone()),
    });
    let (registry, _files) =
        super::auth::with_login(&server, Side::Target, r#""username":"u","password":"p""#);
    send(&registry, &server, b"abc").await.expect("sent");
    assert_eq!(store.log().len(), 1);
    assert_eq!(store.log()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_manifest_goes_out_byte_for_byte() {
    let server = Server::start(|_| Reply::new(201));
    let manifest = manifest();
    registry(Side::Target)
        .put_manifest(&reference(&server, "a:1"), &manifest)
        .await
        .expect("put");
    let log = server.log();
    assert_eq!(log[0].line(), "PUT /v2/a/manifests/1");
    assert_eq!(log[0].header("content-type"), Some(manifest.media_type()));
    assert_eq!(log[0].body, *manifest.bytes());
}

#[tokio::test]
async fn refused_manifests() {
    let cases = [
        (
            400,
            r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}"#,
            Code::ManifestBlobUnknown,
        ),
        (
            404,
            r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}"#,
            Code::ManifestBlobUnknown,
        ),
        (
            400,
            r#"{"errors":[{"code":"MANIFEST_INVALID"}]}"#,
            Code::ManifestInvalid,
        ),
        (413, "", Code::TooLarge),
        (403, "", Code::Denied),
    ];
    for (status, text, code) in cases {
        let server = Server::start(move |request| match request.method.as_str() {
            "PUT" => Reply::new(status).body(text),
            _ => Reply::new(404),
        });
        let failure = registry(Side::Target)
            .put_manifest(&reference(&server, "a:1"), &manifest())
            .await
            .expect_err("refused");
        assert_eq!(failure.code(), code, "{status} {text}");
    }
}

#[tokio::test]
async fn an_immutable_tag_that_is_right_already_is_no_failure() {
    let there = manifest_reply(&manifest());
    let server = Server::start(move |request| match request.method.as_str() {
        "PUT" => Reply::new(412).body("tag is immutable"),
        _ => there.clone(),
    });
    registry(Side::Target)
        .put_manifest(&reference(&server, "a:1"), &manifest())
        .await
        .expect("the same");
}

#[tokio::test]
async fn a_registry_that_stores_other_bytes_is_found_out() {
    let server = Server::start(|_| {
        Reply::new(201).header("Docker-Content-Digest", Digest::of(b"other").as_str())
    });
    let failure = registry(Side::Target)
        .put_manifest(&reference(&server, "a:1"), &manifest())
        .await
        .expect_err("other bytes");
    assert_eq!(failure.code(), Code::DigestMismatch);
}

#[tokio::test]
async fn a_trial_opens_an_upload_and_gives_it_back() {
    let server = Server::start(|request| match request.path() {
        "/v2/good/a/blobs/uploads/" => opened(),
        "/up/1" => Reply::new(204),
        "/v2/denied/a/blobs/uploads/" => {
            Reply::new(403).body(r#"{"errors":[{"code":"DENIED","message":"no"}]}"#)
        }
        _ => Reply::new(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no project"}]}"#),
    });
    let registry = registry(Side::Target);
    let attempt = async |name: &str| registry.try_repository(&repository(&server, name)).await;
    attempt("good/a").await.expect("may write");
    assert_eq!(server.lines()[1], "DELETE /up/1?_state=a%2Fb");
    let failure = attempt("denied/a").await.expect_err("denied");
    assert_eq!(failure.code(), Code::Denied);
    assert!(
        failure
            .hint_text()
            .is_some_and(|h| h.contains("\"denied\""))
    );
    let failure = attempt("absent/a").await.expect_err("absent");
    assert_eq!(failure.code(), Code::RepositoryRefused);
    assert!(
        failure
            .hint_text()
            .is_some_and(|h| h.contains("\"absent\""))
    );
}

#[tokio::test]
async fn removing_a_tag_by_tag_by_digest_or_not_at_all() {
    let there = manifest_reply(&manifest());
    let digest = manifest().digest().to_string();
    let server = Server::start(move |request| match request.method.as_str() {
        "DELETE" if request.path().starts_with("/v2/tags/") => Reply::new(202),
        "DELETE" if request.path() == format!("/v2/digests/manifests/{digest}") => Reply::new(202),
        "DELETE" => Reply::new(405).body(r#"{"errors":[{"code":"UNSUPPORTED"}]}"#),
        _ => there.clone(),
    });
    let registry = registry(Side::Target);
    let delete = async |name: &str| registry.delete_manifest(&reference(&server, name)).await;
    delete("tags:1").await.expect("removed");
    delete("digests:1").await.expect("removed");
    let failure = delete("never:1").await.expect_err("disabled");
    assert_eq!(failure.code(), Code::Unsupported);
}
