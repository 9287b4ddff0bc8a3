//! One connection from its first byte to its last: TLS, then HTTP/1.1.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::dispatch::{Shared, dispatch};
use super::socket::{Peer, Socket};
use super::tls::Tls;
use crate::content::Store;

/// What a client gets that speaks HTTP to a server of HTTPS: it would call a TLS alert
/// "malformed HTTP response".
const WRONG_SCHEME: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 47\r\n\
    Connection: close\r\n\r\n\
    this registry speaks https: ask it by https://\n";

/// Serves a connection until it ends, or after `stop` until the request under way has its answer.
/// `once`: one request at most.
pub(super) async fn serve<S: Store>(
    stream: TcpStream,
    address: SocketAddr,
    shared: Arc<Shared<S>>,
    stop: CancellationToken,
    once: bool,
) {
    // Small answers must not wait for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let Some(tls) = &shared.options.tls else {
        return speak(stream, address, shared, stop, once).await;
    };
    let limit = shared.operation.limits.handshake;
    match tokio::time::timeout(limit, handshake(stream, tls)).await {
        Ok(Ok(stream)) => speak(stream, address, shared, stop, once).await,
        Ok(Err(error)) => tracing::debug!(%address, %error, "no TLS"),
        Err(_) => tracing::debug!(%address, "no TLS handshake in time"),
    }
}

async fn handshake(mut stream: TcpStream, tls: &Tls) -> io::Result<Box<TlsStream<TcpStream>>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // Methods are capital letters; a TLS record of a handshake begins with 22.
    if first[0].is_ascii_uppercase() {
        let mut request = [0; 8 << 10];
        let _ = stream.read(&mut request).await?;
        stream.write_all(WRONG_SCHEME).await?;
        stream.shutdown().await?;
        return Err(io::Error::other("a plain HTTP request"));
    }
    let stream = TlsAcceptor::from(tls.config()).accept(stream).await?;
    Ok(Box::new(stream))
}

async fn speak<S: Store, T: AsyncRead + AsyncWrite + Unpin>(
    io: T,
    address: SocketAddr,
    shared: Arc<Shared<S>>,
    stop: CancellationToken,
    once: bool,
) {
    let peer = Arc::new(Peer::new(address));
    let limits = &shared.operation.limits;
    let socket = Socket::new(io, Arc::clone(&peer), limits);
    let service = service_fn(|request| {
        let (shared, peer) = (Arc::clone(&shared), Arc::clone(&peer));
        async move { Ok::<_, Infallible>(dispatch(&shared, &peer, request).await) }
    });
    let connection = http1::Builder::new()
        // The socket has the clocks.
        .header_read_timeout(None)
        .max_header_size(limits.head_size)
        .keep_alive(!once)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::time::sleep;
    use tokio_rustls::TlsConnector;

    use super::super::testing::{Answer, Lines, Peer, Raw, client, refused};
    use super::super::tls::{certificates, provider};
    use super::super::{Limits, Options, SelfSigned, self_signed};
    use super::*;

    const SHORT: Duration = Duration::from_millis(300);
    const REQUEST: &str = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n";

    fn limited(limits: Limits) -> Options {
        Options {
            limits,
            ..Options::default()
        }
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_closes_its_connection_alone() {
        let peer = Peer::with(limited(Limits {
            head: SHORT,
            ..Limits::default()
        }))
        .await;
        let mut kept = peer.raw().await;
        kept.send(REQUEST).await;
        kept.answer().await;
        let mut silent = peer.raw().await;
        let slow = peer.raw().await;
        let mut late = peer.raw().await;
        late.send(REQUEST).await;
        late.answer().await;
        late.send("GET /v2/").await;
        let start = Instant::now();
        let drip = async {
            // A line that never ends.
            while slow.0.try_write(b"X").is_ok() {
                assert!(start.elapsed() < SHORT * 10, "still open");
                sleep(SHORT / 20).await;
            }
        };
        let ((), rest, cut) = tokio::join!(drip, silent.rest(), late.rest());
        assert_eq!((rest, cut), (String::new(), String::new()));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(peer.send("GET", "/v2/").await.status, 200);
        kept.send(REQUEST).await;
        assert!(kept.answer().await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_connection_without_requests_is_closed() {
        let peer = Peer::with(limited(Limits {
            idle: SHORT,
            ..Limits::default()
        }))
        .await;
        let mut raw = peer.raw().await;
        for _ in 0..3 {
            sleep(SHORT / 2).await;
            raw.send(REQUEST).await;
            assert!(raw.answer().await.starts_with("HTTP/1.1 200"));
        }
        let start = Instant::now();
        assert_eq!(raw.rest().await, "");
        assert!(start.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_head_above_the_limit_is_refused() {
        let peer = Peer::with(limited(Limits {
            head_size: 1000,
            ..Limits::default()
        }))
        .await;
        for (length, status) in [(800, "200"), (1000, "431")] {
            let mut raw = peer.raw().await;
            let filler = "x".repeat(length);
            let close = "Connection: close\r\n\r\n";
            raw.send(&format!("GET /v2/ HTTP/1.1\r\nX: {filler}\r\n{close}"))
                .await;
            let answer = raw.rest().await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&expected), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_body_that_stops_is_answered_and_its_upload_stays() {
        let lines = Lines::default();
        let peer = Peer::with(lines.listen(limited(Limits {
            stall: SHORT,
            ..Limits::default()
        })))
        .await;
        let upload = peer.open("a").await;
        let mut raw = peer.raw().await;
        raw.send(&format!(
            "PATCH {upload} HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"
        ))
        .await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("the body came too slowly"), "{answer}");
        let status = peer.send("GET", &upload).await;
        assert_eq!((status.status, status.header("range")), (204, "0-2"));
        let stalled = &lines.first(2).await[1];
        assert_eq!((stalled.status, stalled.received), (408, 3));
    }

    #[tokio::test]
    async fn a_manifest_has_its_time() {
        let peer = Peer::with(limited(Limits {
            manifest: SHORT,
            ..Limits::default()
        }))
        .await;
        let mut raw = peer.raw().await;
        raw.send("PUT /v2/a/manifests/t HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
            .await;
        let start = Instant::now();
        while start.elapsed() < SHORT * 2 {
            if raw.0.try_write(b"{").is_err() {
                break;
            }
            sleep(SHORT / 10).await;
        }
        let mut answer = [0; 12];
        raw.0.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 408");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_cut_off() {
        let lines = Lines::default();
        let peer = Peer::with(lines.listen(limited(Limits {
            stall: SHORT,
            ..Limits::default()
        })))
        .await;
        let size = 64 << 20;
        let digest = peer.store.insert_blob("a", &vec![0; size]);
        let mut raw = peer.raw().await;
        raw.send(&format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\n\r\n"))
            .await;
        let line = &lines.first(1).await[0];
        assert_eq!((line.status, line.complete), (200, false));
        assert!(line.sent < size as u64 && line.duration >= SHORT);
    }

    fn secure(pair: &SelfSigned, limits: Limits) -> (Arc<Tls>, Options) {
        let tls = Tls::new(&pair.certificate_pem, &pair.key_pem);
        let tls = Arc::new(tls.expect("a pair"));
        let options = Options {
            tls: Some(Arc::clone(&tls)),
            limits,
            ..Options::default()
        };
        (tls, options)
    }

    #[tokio::test]
    async fn a_silent_client_delays_nobodys_handshake() {
        let pair = self_signed(&["127.0.0.1"]).expect("made");
        let (_tls, options) = secure(
            &pair,
            Limits {
                handshake: SHORT,
                ..Limits::default()
            },
        );
        let peer = Peer::trusting(options, &[&pair.ca_pem]).await;
        let mut silent = peer.raw().await;
        let mut half = peer.raw().await;
        half.send("\u{16}\u{3}\u{1}").await;
        let start = Instant::now();
        assert_eq!(peer.send("GET", "/v2/").await.status, 200);
        let (one, two) = tokio::join!(silent.rest(), half.rest());
        assert_eq!((one, two), (String::new(), String::new()));
        assert!(start.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn plain_http_to_https_is_told_so() {
        let pair = self_signed(&["127.0.0.1"]).expect("made");
        let (_tls, options) = secure(&pair, Limits::default());
        let peer = Peer::trusting(options, &[&pair.ca_pem]).await;
        let plain = peer.url("/v2/").replace("https", "http");
        let answer = client(&[]).get(plain).send().await.expect("an answer");
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.expect("a text");
        assert!(text.contains("this registry speaks https"));
    }

    #[tokio::test]
    async fn a_new_certificate_is_for_new_connections() {
        let old = self_signed(&["127.0.0.1"]).expect("made");
        let new = self_signed(&["127.0.0.1"]).expect("made");
        let (tls, options) = secure(&old, Limits::default());
        let peer = Peer::trusting(options, &[&old.ca_pem]).await;

        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&old.ca_pem).expect("PEM"));
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, peer.raw().await.0);
        let stream = stream.await.expect("TLS");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut open = Raw(stream);
        open.send(REQUEST).await;
        open.answer().await;

        let replaced = tls.replace(&new.certificate_pem, &new.key_pem);
        replaced.expect("a pair");
        open.send(REQUEST).await;
        assert!(open.answer().await.starts_with("HTTP/1.1 200"));
        let url = peer.url("/v2/");
        client(&[&old.ca_pem])
            .get(&url)
            .send()
            .await
            .expect_err("an unknown authority");
        let answer = client(&[&new.ca_pem]).get(&url).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
    }

    #[tokio::test]
    async fn a_refusal_reaches_a_client_that_is_still_sending() {
        let options = Options {
            logins: Some(super::super::testing::logins("a", "b")),
            ..Options::default()
        };
        let peer = Peer::with(options).await;
        let put = peer.request("PUT", "/v2/a/manifests/t");
        let put = Answer::to(put.body(vec![b' '; 3 << 20])).await;
        assert_eq!(put.refusal(), refused(401, "UNAUTHORIZED"));
    }
}
