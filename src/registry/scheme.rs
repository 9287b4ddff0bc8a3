//! Whether a loopback host speaks TLS, found out by one handshake that carries no credential and
//! no request.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::content::Code;

use super::endpoint::host_of;
use super::trouble::Trouble;

/// Something on this machine that speaks TLS answers a hello at once.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Sends a TLS hello to `authority` and looks at the first byte of the answer: a TLS server
/// answers with a handshake or alert record, everything else is plain HTTP.
pub(super) async fn detect(authority: &str) -> Result<Scheme, Trouble> {
    let host = host_of(authority);
    let port = authority
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let ports = port.map_or(vec![443, 80], |port: u16| vec![port]);
    let mut refused = None;
    for port in ports {
        match TcpStream::connect((host, port)).await {
            Ok(stream) => {
                let hello = hello(host)?;
                let tls = tokio::time::timeout(PATIENCE, answers_tls(stream, &hello)).await;
                let scheme = if tls.unwrap_or(false) {
                    Scheme::Https
                } else {
                    Scheme::Http
                };
                tracing::debug!(authority, scheme = scheme.as_str(), "loopback host probed");
                return Ok(scheme);
            }
            Err(e) => refused = Some(e),
        }
    }
    let why = refused.map_or_else(String::new, |e| e.to_string());
    Err(Trouble::passing(Code::Unreachable, why)
        .hint(format!("is a registry running at {authority}?")))
}

/// The bytes with which a TLS client begins.
fn hello(host: &str) -> Result<Vec<u8>, Trouble> {
    let wrong = |e: &dyn std::fmt::Display| Trouble::fatal(Code::Local, format!("no TLS: {e}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| wrong(&e))?;
    let mut client =
        rustls::ClientConnection::new(Arc::new(config), name).map_err(|e| wrong(&e))?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).map_err(|e| wrong(&e))?;
    Ok(bytes)
}

async fn answers_tls(mut stream: TcpStream, hello: &[u8]) -> bool {
    const ALERT: u8 = 0x15;
    const HANDSHAKE: u8 = 0x16;
    // The end of our side lets a plain server that waits for the end of a header give up at once.
    if stream.write_all(hello).await.is_err() || stream.shutdown().await.is_err() {
        return false;
    }
    matches!(stream.read_u8().await, Ok(ALERT | HANDSHAKE))
}
