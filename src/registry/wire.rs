//! One HTTP request: the client for its host, counting, and what a transport error means. Knows
//! nothing of authentication, redirects or retries.

use std::error::Error as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Body, Client, Method, Response};
use url::Url;

use crate::content::{Code, Retry};
use crate::event::Event;

use super::client::Inner;
use super::counters::RequestKind;
use super::identity::Shown;
use super::trouble::Trouble;

/// A host that does not take a connection within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections kept a host: more than the engine ever has in flight.
const POOL_SIZE: usize = 64;

/// A request as it leaves.
pub(super) struct Outgoing<'a> {
    pub(super) kind: RequestKind,
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Body>,
}

/// The connections to one host.
pub(super) struct Pool {
    client: Client,
    shown: Option<Arc<Shown>>,
}

impl Inner {
    /// Sends one request and waits for the head of its answer as long as that takes.
    pub(super) async fn send(&self, request: Outgoing<'_>) -> Result<Response, Trouble> {
        let authority = authority(request.url);
        let client = self.client(&authority, request.url.scheme() == "https")?;
        self.counters.add(&authority, request.kind, &request.method);
        tracing::trace!(method = %request.method, url = %shown(request.url), "request");
        let mut built = client
            .request(request.method, request.url.clone())
            .headers(request.headers);
        if let Some(body) = request.body {
            built = built.body(body);
        }
        let response = built
            .send()
            .await
            .map_err(|e| self.transport(request.url, &e))?;
        if let Some(shown) = self.shown_to(&authority) {
            shown.let_in();
        }
        for text in self.warnings.new_in(&authority, response.headers()) {
            tracing::debug!("{text}");
            self.tell(Event::Warning(text));
        }
        Ok(response)
    }

    /// As [`send`](Self::send), but the head of the answer has to come within `limit`.
    pub(super) async fn send_within(
        &self,
        limit: Duration,
        request: Outgoing<'_>,
    ) -> Result<Response, Trouble> {
        let method = request.method.clone();
        match tokio::time::timeout(limit, self.send(request)).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::passing(
                Code::Interrupted,
                format!("no answer to {method} within {} s", limit.as_secs()),
            )),
        }
    }

    /// The connection pool of a host. Trust differs by host, so each has a client of its own.
    fn client(&self, authority: &str, tls: bool) -> Result<Client, Trouble> {
        let key = (authority.to_owned(), tls);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = clients.get(&key) {
            return Ok(pool.client.clone());
        }
        let pool = self.new_pool(authority, tls)?;
        let client = pool.client.clone();
        clients.insert(key, pool);
        Ok(client)
    }

    /// What the host is shown when it asks for a client certificate.
    pub(super) fn shown_to(&self, authority: &str) -> Option<Arc<Shown>> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(&(authority.to_owned(), true))?.shown.clone()
    }

    fn new_pool(&self, authority: &str, tls: bool) -> Result<Pool, Trouble> {
        let builder = || {
            let plain = Client::builder()
                .user_agent(concat!("airbuoy/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                // Faster for blobs than HTTP/2, and one stall does not hold up the others.
                .http1_only()
                // Docker Hub's CDN has sent 429 with malformed headers (hub-feedback#1907).
                .http1_ignore_invalid_headers_in_responses(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_max_idle_per_host(POOL_SIZE)
                .tcp_nodelay(true);
            self.proxies
                .iter()
                .fold(plain, |b, proxy| b.proxy(proxy.clone()))
        };
        if !tls {
            // Nothing to trust: spares reading the system's certificates.
            return Ok(Pool {
                client: build(builder().tls_certs_only([]))?,
                shown: None,
            });
        }
        let shown = Arc::new(self.shown(authority)?);
        let config = self.tls_config(authority, &shown)?;
        Ok(Pool {
            client: build(builder().tls_backend_preconfigured(config))?,
            shown: Some(shown),
        })
    }

    /// What a transport error means for `url`'s host.
    pub(super) fn transport(&self, url: &Url, error: &reqwest::Error) -> Trouble {
        let host = authority(url);
        let shown = self.shown_to(&host);
        if let Some(tls) = tls_error(error) {
            return self.tls_trouble(&host, tls, shown.as_deref());
        }
        let why = innermost(error);
        // A server that hangs up at once may do so before its alert can be read.
        if shown.as_deref().is_some_and(Shown::asked_in_vain) {
            let refused = self.not_let_in(&host, &why, shown.as_deref());
            let retry = Retry::Backoff;
            return Trouble { retry, ..refused };
        }
        if error.is_connect() {
            let why = if error.is_timeout() {
                format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())
            } else {
                why
            };
            let hint = if why.contains("handshake") {
                format!("does {host} speak TLS? if it is meant to be plain HTTP, add --plain-http")
            } else {
                format!("check the name and port of {host}, the firewall and HTTPS_PROXY/NO_PROXY")
            };
            return Trouble::passing(Code::Unreachable, format!("cannot reach {host}: {why}"))
                .hint(hint);
        }
        Trouble::passing(
            Code::Interrupted,
            format!("the connection to {host} broke: {why}"),
        )
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<Client, Trouble> {
    builder
        .build()
        .map_err(|e| Trouble::fatal(Code::Local, innermost(&e)))
}

/// `host[:port]` of a URL, the scheme's own port left out.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A URL for messages: its query may hold a signature, its user part a password.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}

/// The deepest reason of an error: the outer ones repeat the URL, whose query may be secret.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = match error.source() {
        Some(source) => source,
        None => return "the request could not be made".to_owned(),
    };
    while let Some(source) = reason.source() {
        reason = source;
    }
    super::refusal::clean(&reason.to_string())
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut reason = error.source();
    while let Some(error) = reason {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error does not show what it wraps as its source, and may wrap another.
        reason = match error
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::get_ref)
        {
            Some(Some(inner)) => Some(inner),
            _ => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_urls_keep_secrets_to_themselves() {
        let url: Url = "https://user:pw@cdn.example.com:443/a/b?X-Amz-Signature=s#f"
            .parse()
            .expect("a URL");
        assert_eq!(shown(&url), "https://cdn.example.com/a/b");
        let url: Url = "http://[::1]:5000/v2/".parse().expect("a URL");
        assert_eq!(authority(&url), "[::1]:5000");
    }
}
