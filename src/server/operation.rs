//! What a server and all its requests share apart from content: counters, logins, limits, and
//! whether it is stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::access::OnRequest;
use super::answer::{Refusal, empty};
use super::limits::Limits;
use super::login::{Denied, Logins};
use super::metrics::Metrics;
use super::options::Options;

/// The challenge. Basic alone: a bearer realm needs a token service, and clients need none here.
const CHALLENGE: &str = "Basic realm=\"airbuoy\"";
/// Seconds after which the successor of a stopping server may be there.
const SUCCESSOR: &str = "5";

pub(super) struct Operation {
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    pub(super) on_request: Option<OnRequest>,
    logins: Option<Arc<Logins>>,
    stopping: AtomicBool,
}

impl Operation {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            metrics: Metrics::new(),
            limits: options.limits.clone(),
            on_request: options.on_request.clone(),
            logins: options.logins.clone(),
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on nothing new is begun.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// 503 when the server is stopping.
    pub(super) fn admit(&self) -> Result<(), Refusal> {
        if !self.stopping() {
            return Ok(());
        }
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Err(
            Refusal::new(status, "UNAVAILABLE", "this registry is stopping")
                .with(RETRY_AFTER, SUCCESSOR)
                .with(CONNECTION, "close"),
        )
    }

    /// The user of a request, when logins are asked for; 401 when it brings none that holds.
    pub(super) async fn login(&self, parts: &Parts) -> Result<Option<String>, Refusal> {
        let Some(logins) = &self.logins else {
            return Ok(None);
        };
        let denied = match logins.check(parts.headers.get(AUTHORIZATION)).await {
            Ok(user) => return Ok(Some(user)),
            Err(denied) => denied,
        };
        if denied == Denied::Wrong {
            self.metrics.failed_login();
        }
        Err(
            Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", denied)
                .with(WWW_AUTHENTICATE, CHALLENGE),
        )
    }

    /// Whether this server takes requests: 200, or 503 while it stops.
    pub(super) fn health(&self) -> Response {
        if self.stopping() {
            let mut response = text("text/plain; charset=utf-8", "stopping\n".to_owned());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            return response;
        }
        text("text/plain; charset=utf-8", "ok\n".to_owned())
    }

    /// The counters.
    pub(super) fn report(&self, uploads: usize) -> Response {
        text(Metrics::MEDIA_TYPE, self.metrics.text(uploads))
    }
}

fn text(media_type: &'static str, text: String) -> Response {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(axum::http::header::CONTENT_LENGTH, text.len().into());
    *response.body_mut() = Body::from(text);
    response
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::super::testing::{Answer, Lines, Peer, fill, htpasswd, logins, refused};
    use super::*;

    #[tokio::test]
    async fn a_login_is_asked_for_below_v2_and_for_metrics() {
        let lines = Lines::default();
        let logins = logins("site", "right");
        let options = Options {
            logins: Some(Arc::clone(&logins)),
            ..Options::default()
        };
        let peer = Peer::with(lines.listen(options)).await;
        fill(&peer.store, "a", "t", "");
        for (method, path) in [
            ("GET", "/v2"),
            ("GET", "/v2/"),
            ("GET", "/%762/"),
            ("GET", "/v2/a/manifests/t"),
            ("HEAD", "/v2/a/manifests/t"),
            ("GET", "/v2/nothing/here"),
            ("PUT", "/v2/a/manifests/t"),
            ("GET", "/metrics"),
        ] {
            let answer = peer.send(method, path).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, "Basic realm=\"airbuoy\"");
            if method != "HEAD" {
                assert_eq!(answer.refusal(), refused(401, "UNAUTHORIZED"));
            }
            let wrong = peer.request(method, path).basic_auth("site", Some("wrong"));
            assert_eq!(Answer::to(wrong).await.status, 401);
            let right = peer.request(method, path).basic_auth("site", Some("right"));
            assert_ne!(Answer::to(right).await.status, 401);
        }
        assert_eq!(peer.send("GET", "/healthz").await.status, 200);
        assert_eq!(peer.send("GET", "/nothing").await.status, 404);
        let replaced = logins.replace(&htpasswd("site", "new"));
        replaced.expect("a login");
        let old = peer
            .request("GET", "/v2/")
            .basic_auth("site", Some("right"));
        assert_eq!(Answer::to(old).await.status, 401);
        let lines = lines.first(27).await;
        assert_eq!((lines[0].status, &lines[0].user), (401, &None));
        assert_eq!((lines[1].status, &lines[1].user), (401, &None));
        assert_eq!(lines[2].user.as_deref(), Some("site"));
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("sound").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn no_password_is_ever_logged() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        // While there is one subscriber alone, tracing asks that of whichever thread first comes
        // to a line of the log, here another test's without any, and remembers the answer.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        let lines = Lines::default();
        let options = Options {
            logins: Some(logins("site", "sesame-right")),
            ..Options::default()
        };
        assert!(!format!("{options:?}{:?}", options.logins).contains("$2"));
        let peer = Peer::with(lines.listen(options)).await;
        for password in ["sesame-right", "sesame-wrong"] {
            let request = peer
                .request("GET", "/v2/")
                .basic_auth("site", Some(password));
            Answer::to(request).await;
        }
        let mut told = String::from_utf8(log.0.lock().expect("sound").clone()).expect("UTF-8");
        assert!(told.contains("answered"), "{told}");
        let lines = format!("{:?}", lines.first(2).await);
        told.push_str(&lines);
        assert!(!told.contains("sesame"), "{told}");
        assert!(!told.contains("c2l0ZTpz"), "{told}");
    }

    #[tokio::test]
    async fn health_and_metrics() {
        let peer = Peer::new().await;
        let digest = peer.store.insert_blob("a", b"12345");
        let health = peer.send("GET", "/healthz").await;
        assert_eq!((health.status, &health.body[..]), (200, &b"ok\n"[..]));
        assert_eq!(peer.send("POST", "/healthz").await.status, 405);
        peer.send("GET", &format!("/v2/a/blobs/{digest}")).await;
        let upload = peer.open("a").await;
        let chunk = peer.request("PATCH", &upload).body("1234567");
        assert_eq!(Answer::to(chunk).await.status, 202);
        peer.send("GET", "/v2/a/tags/nowhere").await;
        let metrics = peer.send("GET", "/metrics").await;
        let media_type = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(metrics.header("content-type"), media_type);
        let text = String::from_utf8(metrics.body.to_vec()).expect("UTF-8");
        let total = "airbuoy_registry_requests_total";
        for line in [
            format!("{total}{{method=\"GET\",endpoint=\"blob\",code=\"200\"}} 1"),
            format!("{total}{{method=\"PATCH\",endpoint=\"upload\",code=\"202\"}} 1"),
            format!("{total}{{method=\"GET\",endpoint=\"other\",code=\"404\"}} 1"),
            "airbuoy_registry_received_bytes_total 7".to_owned(),
            "airbuoy_registry_uploads 1".to_owned(),
            "airbuoy_registry_connections 1".to_owned(),
            "airbuoy_registry_failed_logins_total 0".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
