//! Checks a server's certificate: the platform's rules, and one exception for the certificate
//! that a site made for itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier as Platform;

/// What the certificate library calls a CA certificate that a server shows as its own.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Why a certificate is not trusted, in words for people.
pub(super) fn in_words(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "this machine does not know its issuer".to_owned(),
        CertificateError::Other(why) if why.0.to_string() == CA_AS_SERVER => {
            "it is self-signed, its own CA".to_owned()
        }
        other => other.to_string(),
    }
}

/// The TLS configuration that trusts the system's roots and `own`.
pub(super) fn config(own: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = match Verifier::new(own, provider) {
        Ok(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier)),
        Err(e) => {
            // A machine without any system certificate: every server is untrusted, and that is
            // said when one is met.
            tracing::debug!("{e}");
            builder.with_root_certificates(RootCertStore::empty())
        }
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The TLS configuration that trusts any certificate, as the user asked for.
pub(super) fn careless() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Careless(schemes)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Checks nothing; offers these schemes, and older ones that only such servers still use.
#[derive(Debug)]
struct Careless(Vec<SignatureScheme>);

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let old = [
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::ECDSA_NISTP521_SHA512,
        ];
        self.0.iter().copied().chain(old).collect()
    }
}

/// The platform's verifier, and the certificates that the user trusts besides.
#[derive(Debug)]
struct Verifier {
    platform: Platform,
    own: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        own: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        Ok(Self {
            platform: Platform::new_with_extra_roots(own.clone(), provider)?,
            own,
        })
    }

    /// `openssl req -x509`, the recipe of Docker's own documentation, makes one certificate that
    /// is its own CA. The library refuses a CA as a server; it does so after it has checked the
    /// dates. When the user named exactly this certificate, only the name is left to check.
    fn is_named(&self, error: &Error, shown: &CertificateDer<'_>) -> bool {
        matches!(error, Error::InvalidCertificate(CertificateError::Other(why))
            if why.0.to_string() == CA_AS_SERVER)
            && self.own.iter().any(|own| own == shown)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.platform.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if self.is_named(&error, end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    /// A self-signed CA for `localhost`, as `openssl req -x509` makes it.
    fn own_ca() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        made.der().clone()
    }

    fn verify(trusted: &[CertificateDer<'static>], name: &str, year: u64) -> Result<(), Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let shown = trusted[0].clone();
        let verifier = Verifier::new(trusted[1..].to_vec(), provider)?;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let at = Duration::from_hours((year - 1970) * 8766 + 100);
        verifier
            .verify_server_cert(&shown, &[], &name, &[], UnixTime::since_unix_epoch(at))
            .map(|_| ())
    }

    #[test]
    fn a_certificate_that_is_its_own_ca_is_taken_when_it_was_named() {
        let own = own_ca();
        let named = [own.clone(), own.clone()];
        assert!(verify(&named, "localhost", 2030).is_ok());
        assert!(verify(&named, "other.example", 2030).is_err());
        assert!(verify(&named, "localhost", 2050).is_err());
        assert!(verify(&named, "localhost", 2010).is_err());
        assert!(verify(&[own, own_ca()], "localhost", 2030).is_err());
    }
}
