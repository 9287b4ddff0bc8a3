//! The server's certificate and key: read from PEM, checked against each other, replaceable.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// Why a certificate or key cannot be used or made. No message shows what a key file holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// No `BEGIN CERTIFICATE`.
    #[error("there is no certificate in the certificate file; it must hold PEM text")]
    NoCertificate,
    /// The two files were mistaken for each other.
    #[error("the certificate file holds a private key and no certificate")]
    KeyForCertificate,
    /// A certificate that cannot be decoded.
    #[error("the certificate file is damaged: {0}")]
    Certificate(String),
    /// No `BEGIN … PRIVATE KEY`.
    #[error("there is no private key in the key file; it must hold PEM text")]
    NoKey,
    /// A key behind a passphrase.
    #[error(
        "the private key is encrypted; decrypt it with `openssl pkey -in KEY -out PLAIN`, \
         readable by this user only"
    )]
    EncryptedKey,
    /// A key that cannot be decoded, or of a kind that TLS does not use.
    #[error("the private key is damaged, or neither RSA, ECDSA nor Ed25519")]
    Key,
    /// They are not a pair.
    #[error(
        "the private key does not belong to the first certificate of the certificate file; the \
         server's own must stand before those of its authorities"
    )]
    Mismatch,
    /// Nothing to make a certificate for.
    #[error("a certificate needs a host name or IP address")]
    NoHost,
    /// No name that a client could ask for.
    #[error("`{0}` is neither a host name nor an IP address")]
    Host(String),
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Making(String),
}

/// A certificate chain with its key, in use by a server.
pub struct Tls(RwLock<Arc<ServerConfig>>);

impl Tls {
    /// Takes the PEM text of the chain, the server's certificate first, and of its key.
    pub fn new(certificate_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let config = config(certificate_pem, key_pem)?;
        Ok(Self(RwLock::new(Arc::new(config))))
    }

    /// Takes another pair for the connections to come; those that are open go on with theirs. On
    /// an error the old pair stays.
    pub fn replace(&self, certificate_pem: &str, key_pem: &str) -> Result<(), TlsError> {
        let config = Arc::new(config(certificate_pem, key_pem)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// The cryptography, named instead of installed: nothing here is global.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config(certificate_pem: &str, key_pem: &str) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let chain = certificates(certificate_pem)?;
    let key = provider
        .key_provider
        .load_private_key(key(key_pem)?)
        .map_err(|_| TlsError::Key)?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        // Unknown: a kind of key that does not tell its public half.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => return Err(TlsError::Mismatch),
        Err(error) => return Err(TlsError::Certificate(error.to_string())),
    }
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Making(e.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a PEM text, at least one.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        // The parser's own message quotes the text, which may be a key.
        .map_err(|_| TlsError::Certificate("its PEM text is malformed".to_owned()))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(if pem.contains("PRIVATE KEY-----") {
        TlsError::KeyForCertificate
    } else {
        TlsError::NoCertificate
    })
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    // PKCS #8 says it in its label, the older form in a header.
    if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("ENCRYPTED\n") {
        return Err(TlsError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => TlsError::NoKey,
        _ => TlsError::Key,
    })
}

#[cfg(test)]
mod tests {
    use super::super::self_signed::self_signed;
    use super::*;

    fn refused(certificate_pem: &str, key_pem: &str) -> TlsError {
        Tls::new(certificate_pem, key_pem)
            .err()
            .expect("no pair to serve with")
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let one = self_signed(&["localhost"]).expect("made");
        let two = self_signed(&["localhost"]).expect("made");
        let (certificate, key) = (one.certificate_pem.as_str(), one.key_pem.as_str());
        Tls::new(certificate, key).expect("a pair");
        Tls::new(&format!("{certificate}{}", one.ca_pem), key).expect("a chain");
        assert_eq!(refused("", key), TlsError::NoCertificate);
        assert_eq!(refused(key, key), TlsError::KeyForCertificate);
        assert_eq!(refused(certificate, ""), TlsError::NoKey);
        assert_eq!(refused(certificate, certificate), TlsError::NoKey);
        assert_eq!(refused(certificate, &two.key_pem), TlsError::Mismatch);
        let reversed = format!("{}{certificate}", one.ca_pem);
        assert_eq!(refused(&reversed, key), TlsError::Mismatch);
        let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
        assert_eq!(refused(certificate, &encrypted), TlsError::EncryptedKey);
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n";
        assert_eq!(refused(certificate, old), TlsError::EncryptedKey);
        let secret = key.lines().nth(1).expect("a line").to_owned();
        for broken in [key.replace(&secret, "?"), key.replace(&secret, "AAAA")] {
            let error = refused(certificate, &broken);
            assert_eq!(error, TlsError::Key);
        }
        let cut = certificate.replacen("MII", "MI", 1);
        let error = refused(&cut, key);
        assert!(matches!(error, TlsError::Certificate(_)), "{error}");
    }

    #[test]
    fn a_pair_that_does_not_fit_replaces_nothing() {
        let one = self_signed(&["localhost"]).expect("made");
        let two = self_signed(&["localhost"]).expect("made");
        let tls = Tls::new(&one.certificate_pem, &one.key_pem).expect("a pair");
        let before = tls.config();
        assert!(tls.replace(&two.certificate_pem, &one.key_pem).is_err());
        assert!(Arc::ptr_eq(&before, &tls.config()));
        let replaced = tls.replace(&two.certificate_pem, &two.key_pem);
        replaced.expect("a pair");
        assert!(!Arc::ptr_eq(&before, &tls.config()));
    }
}
