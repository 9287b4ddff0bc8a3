//! Client certificates: who this machine is to a registry that asks during the TLS handshake.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::options::ClientCertificate;
use super::setup::SetupError;

/// A certificate with its key.
#[derive(Clone)]
pub(super) struct Identity {
    /// The certificate's file, for messages.
    pub(super) path: Utf8PathBuf,
    pair: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads both files; a certificate file may hold its key itself.
    pub(super) fn read(files: &ClientCertificate) -> Result<Self, SetupError> {
        let ClientCertificate { certificate, key } = files;
        let chain_text = text(certificate)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_text)
            .collect::<Result<_, _>>()
            .map_err(|e| wrong(certificate, e.to_string()))?;
        if chain.is_empty() {
            return Err(wrong(certificate, "it holds no PEM certificate"));
        }
        let key = match key {
            Some(path) => private_key(path, &text(path)?)?
                .ok_or_else(|| wrong(path, "it holds no PEM private key"))?,
            None => private_key(certificate, &chain_text)?.ok_or_else(|| {
                wrong(
                    certificate,
                    "it holds no private key: give the key's file as well",
                )
            })?,
        };
        let provider = rustls::crypto::ring::default_provider();
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => wrong(
                certificate,
                match &files.key {
                    Some(key) => format!("the key {key} does not belong to it"),
                    None => "the key in it does not belong to it".to_owned(),
                },
            ),
            other => wrong(certificate, other.to_string()),
        })?;
        Ok(Self {
            path: certificate.clone(),
            pair: Arc::new(pair),
        })
    }

    /// The first pair `NAME.cert` and `NAME.key` of a host's folder in `certs.d`, by name
    /// (containers-certs.d(5)); one without the other is an error. A pair that this user may not
    /// read is passed over: the registry may not ask for it.
    pub(super) fn in_folder(folder: &Utf8Path) -> Result<Option<Self>, SetupError> {
        let Ok(entries) = folder.read_dir_utf8() else {
            return Ok(None);
        };
        let mut paths: Vec<Utf8PathBuf> = entries.flatten().map(|e| e.path().to_owned()).collect();
        paths.sort();
        let mut found = None;
        for path in &paths {
            let beside = |extension| Some(path.with_extension(extension)).filter(|p| p.exists());
            match path.extension() {
                Some("cert") => {}
                Some("key") if beside("cert").is_none() => {
                    return Err(wrong(
                        path,
                        format!("its certificate {} is missing", path.with_extension("cert")),
                    ));
                }
                _ => continue,
            }
            let files = ClientCertificate {
                certificate: path.clone(),
                key: beside("key"),
            };
            if found.is_some() {
                tracing::warn!("{path} is ignored: one client certificate a host is shown");
                continue;
            }
            match Self::read(&files) {
                Ok(identity) => found = Some(identity),
                Err(error) if is_forbidden(&files) => tracing::warn!("{error}"),
                Err(SetupError::ClientCertificate { path, why }) if files.key.is_none() => {
                    let why = format!(
                        "{why} ({} beside it); the file of a CA must end in .crt",
                        path.with_extension("key")
                    );
                    return Err(SetupError::ClientCertificate { path, why });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// Whether this user may not read one of the files.
fn is_forbidden(files: &ClientCertificate) -> bool {
    std::iter::once(&files.certificate)
        .chain(&files.key)
        .any(|path| {
            std::fs::File::open(path).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied)
        })
}

fn wrong(path: &Utf8Path, why: impl Into<String>) -> SetupError {
    SetupError::ClientCertificate {
        path: path.to_owned(),
        why: why.into(),
    }
}

fn text(path: &Utf8Path) -> Result<Vec<u8>, SetupError> {
    std::fs::read(path).map_err(|e| wrong(path, e.to_string()))
}

/// The first private key (PKCS#8, PKCS#1 or SEC 1) of `text`. What is wrong with it is told without
/// a byte of it.
fn private_key(path: &Utf8Path, text: &[u8]) -> Result<Option<PrivateKeyDer<'static>>, SetupError> {
    let holds = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
    if holds(b"BEGIN ENCRYPTED PRIVATE KEY") || holds(b"Proc-Type: 4,ENCRYPTED") {
        return Err(wrong(
            path,
            format!(
                "the key is encrypted, which is not supported: decrypt it with `openssl pkey -in \
                 {path} -out FILE` and keep that file to yourself"
            ),
        ));
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(Some(key)),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => Ok(None),
        Err(_) => Err(wrong(path, "its private key cannot be read")),
    }
}

/// What one host is shown when it asks, and whether it asked.
pub(super) struct Shown {
    identity: Option<Identity>,
    asked: AtomicBool,
    answered: AtomicBool,
}

impl Shown {
    pub(super) fn new(identity: Option<Identity>) -> Self {
        Self {
            identity,
            asked: AtomicBool::new(false),
            answered: AtomicBool::new(false),
        }
    }

    /// The file of the certificate that is shown.
    pub(super) fn path(&self) -> Option<&Utf8Path> {
        self.identity.as_ref().map(|identity| &*identity.path)
    }

    /// The host answered a request.
    pub(super) fn let_in(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// The host asked for a certificate and has not answered any request since.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }

    /// The same, and there was none to show.
    pub(super) fn asked_in_vain(&self) -> bool {
        self.identity.is_none() && self.is_asked()
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _issuers: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // The issuers are hints that many servers get wrong: there is one certificate to show.
        self.asked.store(true, Ordering::Relaxed);
        self.identity
            .as_ref()
            .map(|identity| Arc::clone(&identity.pair))
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self) -> &Utf8Path {
            Utf8Path::from_path(self.0.path()).expect("utf-8")
        }

        fn write(&self, name: &str, text: &str) -> Utf8PathBuf {
            let path = self.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        }
    }

    /// A certificate and its key, as PEM.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).expect("made");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn why(result: Result<Identity, SetupError>) -> String {
        result.err().expect("wrong").to_string()
    }

    #[test]
    fn a_pair_is_read_from_two_files_or_one() {
        let (folder, (cert, key)) = (Folder::new(), pair());
        let certificate = folder.write("c.pem", &cert);
        let read = |certificate: &Utf8Path, key: Option<&Utf8Path>| {
            Identity::read(&ClientCertificate {
                certificate: certificate.to_owned(),
                key: key.map(Utf8Path::to_owned),
            })
        };
        let key_file = folder.write("k.pem", &key);
        assert!(read(&certificate, Some(&key_file)).is_ok());
        assert!(read(&folder.write("both.pem", &(cert + &key)), None).is_ok());

        assert!(why(read(&certificate, None)).contains("holds no private key"));
        let other = folder.write("other.pem", &pair().1);
        let said = why(read(&certificate, Some(&other)));
        assert!(said.contains("other.pem does not belong to it"), "{said}");
        assert!(why(read(&key_file, Some(&key_file))).contains("no PEM certificate"));
        assert!(why(read(&certificate, Some(&certificate))).contains("no PEM private key"));
        let absent = folder.path().join("absent.key");
        assert!(why(read(&certificate, Some(&absent))).contains("absent.key"));
        for encrypted in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nMIIB\n\
             -----END RSA PRIVATE KEY-----\n",
        ] {
            let said = why(read(&certificate, Some(&folder.write("e.pem", encrypted))));
            assert!(said.contains("encrypted, which is not supported"), "{said}");
        }
    }

    #[test]
    fn a_hosts_folder_holds_a_pair() {
        let (folder, (cert, key)) = (Folder::new(), pair());
        let inside = || Identity::in_folder(folder.path());
        assert!(inside().expect("nothing").is_none());
        let certificate = folder.write("client.cert", &cert);
        let said = inside().err().expect("no key").to_string();
        assert!(
            said.contains("client.key beside it") && said.contains("must end in .crt"),
            "{said}"
        );
        folder.write("client.key", &key);
        assert_eq!(inside().expect("a pair").expect("one").path, certificate);
        std::fs::remove_file(&certificate).expect("removed");
        let said = inside().err().expect("no certificate").to_string();
        assert!(said.contains("client.cert is missing"), "{said}");
    }
}
