//! TLS with one host: what it is trusted by and shown, and what a failure means.

use std::sync::{Arc, PoisonError};

use rustls::{AlertDescription, CertificateError, ClientConfig, Error};

use crate::content::Code;

use super::client::Inner;
use super::identity::{Identity, Shown};
use super::options::Side;
use super::trouble::Trouble;
use super::verifier;

impl Inner {
    /// What `authority` is shown when it asks for a client certificate. The one of the flags goes
    /// to hosts that references name, and to no other: a redirect or a token server gets what
    /// its own folder in `certs.d` holds.
    pub(super) fn shown(&self, authority: &str) -> Result<Shown, Trouble> {
        let own = self.identity.clone().filter(|_| {
            let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            named.contains(authority)
        });
        if own.is_some() {
            return Ok(Shown::new(own));
        }
        let folder = self.trust.folder(authority);
        let found = folder
            .map(|folder| Identity::in_folder(&folder))
            .transpose();
        let found = found.map_err(|e| Trouble::fatal(Code::Local, e.to_string()))?;
        Ok(Shown::new(found.flatten()))
    }

    /// The configuration for a host; hosts without certificates of their own share its costly
    /// part, since reading the system's takes time.
    pub(super) fn tls_config(
        &self,
        authority: &str,
        shown: &Arc<Shown>,
    ) -> Result<ClientConfig, Trouble> {
        let mut config = self.trusting(authority)?;
        config.client_auth_cert_resolver = Arc::<Shown>::clone(shown);
        Ok(config)
    }

    fn trusting(&self, authority: &str) -> Result<ClientConfig, Trouble> {
        let failed = |e: Error| Trouble::fatal(Code::Local, format!("no TLS: {e}"));
        if self.trust.anything {
            return verifier::careless().map_err(failed);
        }
        let own = self.trust.roots(authority);
        if own.len() > self.trust.everywhere() {
            return verifier::config(own).map_err(failed);
        }
        if let Some(config) = self.common_tls.get() {
            return Ok(config.clone());
        }
        let config = verifier::config(own).map_err(failed)?;
        Ok(self.common_tls.get_or_init(|| config).clone())
    }

    pub(super) fn tls_trouble(&self, host: &str, error: &Error, shown: Option<&Shown>) -> Trouble {
        match error {
            Error::InvalidMessage(_) => Trouble::fatal(
                Code::Protocol,
                format!("{host} speaks plain HTTP where TLS was expected"),
            )
            .hint("if that is meant to be so, add --plain-http"),
            Error::InvalidCertificate(reason) => self.untrusted(host, reason),
            Error::AlertReceived(alert)
                if is_about_us(*alert) || shown.is_some_and(Shown::is_asked) =>
            {
                self.not_let_in(host, &format!("{alert:?}"), shown)
            }
            _ => Trouble::fatal(
                Code::Unreachable,
                format!("no TLS connection to {host}: {error}"),
            ),
        }
    }

    fn untrusted(&self, host: &str, reason: &CertificateError) -> Trouble {
        let why = verifier::in_words(reason);
        let message = format!("the certificate of {host} is not trusted: {why}");
        let hint = match reason {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "name the registry as its certificate does, or have the certificate issued for \
                 this name"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "renew the certificate, or set this machine's clock".to_owned()
            }
            _ => format!("give the CA with {}", self.trust.places(host)),
        };
        Trouble::fatal(Code::UnknownAuthority, message).hint(hint)
    }

    /// The host wants a client certificate: another one, or one at all. `said` is its word for it.
    pub(super) fn not_let_in(&self, host: &str, said: &str, shown: Option<&Shown>) -> Trouble {
        let at = match self.trust.certs_root() {
            Some(root) => format!("put NAME.cert and NAME.key into {root}/{host}/"),
            None => "put NAME.cert and NAME.key into its folder of certs.d".to_owned(),
        };
        let how = match self.options.side {
            Side::Target => format!("give it with --client-cert and --client-key, or {at}"),
            Side::Source => at,
        };
        match shown.and_then(Shown::path) {
            Some(path) => Trouble::fatal(
                Code::Unauthorized,
                format!("{host} did not take the client certificate {path}: {said}"),
            )
            .hint(format!(
                "has it expired, and does the registry trust its issuer? if another is meant, {how}"
            )),
            None => Trouble::fatal(
                Code::Unauthorized,
                format!("{host} wants a client certificate: {said}"),
            )
            .hint(how),
        }
    }
}

/// Whether an alert speaks of the client's certificate, or of its absence (RFC 8446, 6.2).
fn is_about_us(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::CertificateRequired
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
    )
}
