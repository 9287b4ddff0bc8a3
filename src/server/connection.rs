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
