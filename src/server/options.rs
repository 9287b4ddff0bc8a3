//! What an embedded registry is told.

use std::fmt;
use std::sync::Arc;

use super::access::OnRequest;
use super::limits::Limits;
use super::login::Logins;
use super::tls::Tls;

/// How to serve.
#[derive(Clone, Default)]
pub struct Options {
    /// Refuse every write with 405 before its body is read.
    pub read_only: bool,
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

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("read_only", &self.read_only)
            .field("prefix", &self.prefix)
            .field("tls", &self.tls.is_some())
            .field("logins", &self.logins.is_some())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
