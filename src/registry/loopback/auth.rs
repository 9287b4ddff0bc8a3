//! Logins: Basic, tokens, renewal, and where a credential never goes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use crate::content::{Code, Source, Target};
use crate::registry::RequestKind;

use super::*;

/// A registry client with one credential for the server, and the folder that holds its file.
pub(super) fn with_login(
    server: &Server,
    side: Side,
    entry: &str,
) -> (Registry, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("auth.json");
    let text = format!(r#"{{"auths":{{"{}":{{{entry}}}}}}}"#, server.address);
    std::fs::write(&path, text).expect("written");
    let registry = Registry::new(Options {
        auth_files: vec![path.try_into().expect("utf-8")],
        ..options(side)
    })
    .expect("set up");
    (registry, folder)
}

/// A registry whose token server is itself; `accepts` says which token is good for a request.
fn token_registry(
    accepts: impl Fn(&Request, u32) -> bool + Send + Sync + 'static,
) -> (Server, Arc<AtomicU32>) {
    let tokens = Arc::new(AtomicU32::new(0));
    let issued = Arc::clone(&tokens);
    let address: Arc<OnceLock<String>> = Arc::default();
    let own = Arc::clone(&address);
    let manifest = manifest_reply(&manifest());
    let server = Server::start(move |request| {
        if request.path() == "/token" {
            std::thread::sleep(Duration::from_millis(20));
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::new(200).body(format!(r#"{{"token":"t{n}","expires_in":300}}"#));
        }
        let sent: u32 = request
            .header("authorization")
            .and_then(|a| a.strip_prefix("Bearer t"))
            .map_or(0, |n| n.parse().expect("a number"));
        if accepts(request, sent) {
            manifest.clone()
        } else {
            let realm = format!("http://{}/token", own.get().expect("started"));
            Reply::new(401).header(
                "WWW-Authenticate",
                format!(
                    "Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:user/image:pull\""
                ),
            )
        }
    });
    address.set(server.address.clone()).expect("once");
    (server, tokens)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_provoke_one_challenge_and_fetch_one_token_a_repository() {
    let (server, tokens) = token_registry(|_, sent| sent > 0);
    let registry = registry(Side::Source);
    let calls: Vec<_> = (0..16)
        .map(|i| {
            let (registry, image) = (
                registry.clone(),
                reference(&server, &format!("r{}:1", i % 2)),
            );
            tokio::spawn(async move { Source::resolve(&registry, &image).await })
        })
        .collect();
    for call in calls {
        assert!(call.await.expect("no panic").expect("resolved").is_some());
    }
    assert_eq!(tokens.load(Ordering::SeqCst), 2);
    let heads = server
        .lines()
        .iter()
        .filter(|l| l.starts_with("HEAD"))
        .count();
    assert_eq!(heads, 17, "one 401, then every request is let in");
    let scopes: Vec<_> = server
        .log()
        .into_iter()
        .filter(|r| r.path() == "/token")
        .map(|r| r.target)
        .collect();
    for scope in ["repository%3Ar0%3Apull", "repository%3Ar1%3Apull"] {
        assert!(
            scopes
                .iter()
                .any(|t| t.contains(&format!("scope={scope}&"))),
            "{scopes:?}"
        );
    }
    let token = |row: &&crate::registry::RequestCount| row.kind == RequestKind::Token;
    assert_eq!(
        registry.requests().iter().find(token).map(|r| r.count),
        Some(2)
    );
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once() {
    // The first token stops being good after one request.
    let uses = AtomicU32::new(0);
    let (server, tokens) = token_registry(move |_, sent| match sent {
        0 => false,
        1 => uses.fetch_add(1, Ordering::SeqCst) == 0,
        _ => true,
    });
    let registry = registry(Side::Source);
    for _ in 0..3 {
        let image = reference(&server, "a:1");
        assert!(
            Source::resolve(&registry, &image)
                .await
                .expect("resolved")
                .is_some()
        );
    }
    assert_eq!(tokens.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_second_401_is_final_and_names_the_files() {
    let (server, tokens) = token_registry(|_, _| false);
    let (registry, _files) = with_login(
        &server,
        Side::Source,
        r#""username":"robot","password":"s3cret""#,
    );
    let failure = Source::resolve(&registry, &reference(&server, "a:1"))
        .await
        .expect_err("refused");
    assert_eq!(failure.code(), Code::Unauthorized);
    assert_eq!(tokens.load(Ordering::SeqCst), 1);
    let hint = failure.hint_text().expect("a hint");
    assert!(
        hint.contains("user \"robot\" from ") && hint.contains("auth.json"),
        "{hint}"
    );
    assert!(!format!("{failure:?}").contains("s3cret"));
}

#[tokio::test]
async fn basic_is_sent_unasked_after_the_first_challenge() {
    let manifest = manifest_reply(&manifest());
    let server = Server::start(move |request| match request.header("authorization") {
        Some("Basic dTpw") => manifest.clone(),
        _ => Reply::new(401).header("WWW-Authenticate", "BASIC realm=\"Nexus\""),
    });
    let (registry, _files) = with_login(&server, Side::Source, r#""auth":"dTpw""#);
    for name in ["a:1", "b:1", "c:1"] {
        Source::resolve(&registry, &reference(&server, name))
            .await
            .expect("resolved");
    }
    assert_eq!(server.log().len(), 4);
    let stranger = super::registry(Side::Source);
    let failure = Source::resolve(&stranger, &reference(&server, "a:1"))
        .await
        .expect_err("no login");
    assert_eq!(failure.code(), Code::Unauthorized);
    assert!(
        failure
            .hint_text()
            .is_some_and(|h| h.contains("docker login"))
    );
    let none = Target::resolve(&stranger, &reference(&server, "a:1")).await;
    assert_eq!(none.expect("cannot tell"), None);
}

#[tokio::test]
async fn an_identity_token_goes_to_the_token_server_in_a_form() {
    let (server, _) = token_registry(|_, sent| sent > 0);
    let (registry, _files) = with_login(&server, Side::Target, r#""identitytoken":"refresh""#);
    Target::resolve(&registry, &reference(&server, "a/b:1"))
        .await
        .expect("resolved");
    let log = server.log();
    let asked = log.iter().find(|r| r.path() == "/token").expect("asked");
    let form = String::from_utf8(asked.body.clone()).expect("text");
    assert_eq!(asked.method, "POST");
    assert!(form.contains("grant_type=refresh_token") && form.contains("refresh_token=refresh"));
    assert!(
        form.contains("scope=repository%3Aa%2Fb%3Apull%2Cpush"),
        "{form}"
    );
    assert!(log.iter().filter(|r| r.path() != "/token").all(|r| {
        !r.header("authorization")
            .unwrap_or_default()
            .contains("refresh")
    }));
}

#[tokio::test]
async fn an_expired_token_may_show_as_403() {
    let server = Arc::new(OnceLock::<String>::new());
    let own = Arc::clone(&server);
    let issued = AtomicU32::new(0);
    let answer = manifest_reply(&manifest());
    let running = Server::start(move |request| {
        if request.path() == "/token" {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::new(200).body(format!(r#"{{"access_token":"t{n}"}}"#));
        }
        match (request.header("authorization"), request.path()) {
            (None, _) => Reply::new(401).header(
                "WWW-Authenticate",
                format!(
                    "Bearer realm=\"http://{}/token\"",
                    own.get().expect("started")
                ),
            ),
            (Some("Bearer t1"), "/v2/a/manifests/2") => Reply::new(403).body("token expired"),
            (Some(_), "/v2/b/manifests/1") => Reply::new(403).body("never"),
            _ => answer.clone(),
        }
    });
    server.set(running.address.clone()).expect("once");
    let registry = registry(Side::Source);
    for name in ["a:1", "a:2"] {
        let image = reference(&running, name);
        assert!(
            Source::resolve(&registry, &image)
                .await
                .expect("resolved")
                .is_some()
        );
    }
    for _ in 0..2 {
        let failure = Source::resolve(&registry, &reference(&running, "b:1")).await;
        assert_eq!(failure.expect_err("denied").code(), Code::Denied);
    }
    let tokens = |r: &&String| r.contains("/token");
    assert_eq!(
        running.lines().iter().filter(tokens).count(),
        4,
        "a, a again, b, b again"
    );
}

#[tokio::test]
async fn a_token_server_inside_another_network_is_not_asked() {
    let trap = Server::start(|_| Reply::new(200).body(r#"{"token":"t"}"#));
    let realm = format!("http://{}/token", trap.address);
    let server = Server::start(move |_| {
        Reply::new(401).header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
    });
    let (registry, _files) = with_login(&server, Side::Source, r#""username":"u","password":"p""#);
    // By a name, which says nothing about being inside the same network.
    let port = server.address.rsplit(':').next().expect("a port");
    let named = format!("localhost:{port}/a:1")
        .parse()
        .expect("a reference");
    let failure = Source::resolve(&registry, &named)
        .await
        .expect_err("refused");
    assert_eq!(failure.code(), Code::Protocol);
    assert!(trap.log().is_empty());
}

#[tokio::test]
async fn what_the_token_server_says_reaches_the_user() {
    let own: Arc<OnceLock<String>> = Arc::default();
    let address = Arc::clone(&own);
    let server = Server::start(move |request| {
        if request.path() == "/token" {
            return Reply::new(401).body(r#"{"details":"incorrect username or password"}"#);
        }
        Reply::new(401).header(
            "WWW-Authenticate",
            format!(
                "Bearer realm=\"http://{}/token\"",
                address.get().expect("started")
            ),
        )
    });
    own.set(server.address.clone()).expect("once");
    let (registry, _files) = with_login(&server, Side::Source, r#""username":"u","password":"p""#);
    let failure = Source::resolve(&registry, &reference(&server, "a:1"))
        .await
        .expect_err("refused");
    assert_eq!(failure.code(), Code::Unauthorized);
    assert!(
        failure.message().contains("incorrect username or password"),
        "{failure}"
    );
}
