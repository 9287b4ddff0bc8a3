//! What an embedded registry is told.

use std::fmt;
use std::sync::Arc;

use super::access::OnRequest;
use super::limits::Limits;
use super::login::Logins;
use super::tls::Tls;

/// How to serve.
#[derive(Clone)]
pub struct Options {
    /// Refuse every write with 405 before its body is read.
    pub read_only: bool,
    /// The most bytes that one blob upload may have.
    pub upload_limit: u64,
    /// The path below which the store's repositories appear: with `k8s`, its `pause` is served
    /// as `k8s/pause`, and a name outside is answered with 404 `NAME_UNKNOWN`.
    pub prefix: Option<String>,
    /// Serve HTTPS with this certificate; `None` serves plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Who may use the registry and read `/metrics`; `None` lets everyone in. `/healthz` asks
    /// nobody.
    pub logins: Option<Arc<Logins>>,
    /// What one client may take.
    pub limits: Limits,
    /// Hears of every request.
    pub on_request: Option<OnRequest>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            // Far above any image layer; one client alone cannot send without end.
            upload_limit: 16 << 30,
            prefix: None,
            tls: None,
            logins: None,
            limits: Limits::default(),
            on_request: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("read_only", &self.read_only)
            .field("upload_limit", &self.upload_limit)
            .field("prefix", &self.prefix)
            .field("tls", &self.tls.is_some())
            .field("logins", &self.logins.is_some())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
