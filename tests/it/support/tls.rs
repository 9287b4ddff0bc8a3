//! A private certificate authority and a server certificate for the loopback address.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, `server.pem` and `server.key` into `folder`.
pub(crate) fn write_to(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names to refuse");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "a private authority");
    let authority_key = KeyPair::generate().expect("a key");
    let authority_certificate = authority
        .self_signed(&authority_key)
        .expect("a certificate");
    let issuer = Issuer::new(authority, authority_key);

    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let server = CertificateParams::new(names).expect("legal names");
    let server_key = KeyPair::generate().expect("a key");
    let certificate = server
        .signed_by(&server_key, &issuer)
        .expect("a certificate");

    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).expect("a writable folder");
    };
    write("ca.pem", authority_certificate.pem());
    write("server.pem", certificate.pem());
    write("server.key", server_key.serialize_pem());
}
