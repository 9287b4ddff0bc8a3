//! Client certificates: who is shown one, and what is said where one is missing.

use camino::{Utf8Path, Utf8PathBuf};
use rustls::pki_types::CertificateDer;

use crate::content::{Code, Source, Target};
use crate::registry::ClientCertificate;

use super::writing::repository;
use super::*;

/// A client's certificate and key in a folder.
struct Client {
    folder: tempfile::TempDir,
    der: CertificateDer<'static>,
}

impl Client {
    fn new() -> Self {
        let names = vec!["client".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let client = Self {
            folder: tempfile::tempdir().expect("a folder"),
            der: made.cert.der().clone(),
        };
        client.write("client.cert", &made.cert.pem());
        client.write("client.key", &made.signing_key.serialize_pem());
        client
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).expect("utf-8")
    }

    fn write(&self, name: &str, text: &str) -> Utf8PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn flags(&self) -> ClientCertificate {
        ClientCertificate {
            certificate: self.path().join("client.cert"),
            key: Some(self.path().join("client.key")),
        }
    }

    /// Options that trust the server whose certificate is `pem`.
    fn trusting(&self, side: Side, pem: &str) -> Options {
        Options {
            ca_files: vec![self.write("ca.pem", pem)],
            certs_dirs: vec![self.path().join("certs.d")],
            ..options(side)
        }
    }

    /// Puts the pair where the host's is looked for.
    fn fill_folder_of(&self, server: &Server) {
        for name in ["client.cert", "client.key"] {
            let text = std::fs::read_to_string(self.path().join(name)).expect("a file");
            self.write(&format!("certs.d/{}/{name}", server.address), &text);
        }
    }
}

fn mutual(client: &Client) -> (Server, String) {
    let answer = manifest_reply(&manifest());
    Server::start_mutual(client.der.clone(), move |_| answer.clone())
}

#[tokio::test]
async fn a_target_is_shown_the_certificate_of_the_flags() {
    let client = Client::new();
    let (server, pem) = mutual(&client);
    let image = reference(&server, "a:1");
    let with = Options {
        client_certificate: Some(client.flags()),
        ..client.trusting(Side::Target, &pem)
    };
    let careless = Options {
        ca_files: Vec::new(),
        insecure_skip_tls_verify: true,
        ..with.clone()
    };
    for (n, options) in [with, careless].into_iter().enumerate() {
        let registry = Registry::new(options).expect("set up");
        let found = Target::resolve(&registry, &image).await.expect("let in");
        assert!(found.is_some());
        assert_eq!(server.log().len(), n + 1);
    }
}

#[tokio::test]
async fn a_pair_in_certs_d_is_shown_on_either_side() {
    let client = Client::new();
    let (server, pem) = mutual(&client);
    client.fill_folder_of(&server);
    for side in [Side::Source, Side::Target] {
        let registry = Registry::new(client.trusting(side, &pem)).expect("set up");
        let found = Source::resolve(&registry, &reference(&server, "a:1")).await;
        assert!(found.expect("let in").is_some());
    }
}

#[tokio::test]
async fn without_one_the_message_says_what_to_do() {
    let client = Client::new();
    let (server, pem) = mutual(&client);
    for (side, flag) in [(Side::Source, false), (Side::Target, true)] {
        let registry = Registry::new(client.trusting(side, &pem)).expect("set up");
        let failure = Source::resolve(&registry, &reference(&server, "a:1"))
            .await
            .expect_err("not let in");
        assert_eq!(failure.code(), Code::Unauthorized, "{failure}");
        assert!(
            failure.message().contains("wants a client certificate"),
            "{failure}"
        );
        let hint = failure.hint_text().expect("a hint");
        assert_eq!(hint.contains("--client-cert"), flag, "{hint}");
        let folder = format!("certs.d/{}/", server.address);
        assert!(hint.contains(&folder), "{hint}");
    }
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn one_that_is_not_trusted_is_named() {
    let (client, stranger) = (Client::new(), Client::new());
    let (server, pem) = mutual(&client);
    let registry = Registry::new(Options {
        client_certificate: Some(stranger.flags()),
        attempts: 8,
        ..client.trusting(Side::Target, &pem)
    })
    .expect("set up");
    let failure = Source::resolve(&registry, &reference(&server, "a:1"))
        .await
        .expect_err("a stranger");
    let path = stranger.path().join("client.cert");
    assert!(failure.message().contains(path.as_str()), "{failure}");
}

#[tokio::test]
async fn nginx_says_it_in_a_page() {
    let page = "<html><title>400 No required SSL certificate was sent</title></html>";
    let server = Server::start(move |_| Reply::new(400).body(page));
    let failure = registry(Side::Target)
        .try_repository(&repository(&server, "a"))
        .await
        .expect_err("refused");
    assert_eq!(failure.code(), Code::Unauthorized);
    let hint = failure.hint_text().expect("a hint");
    assert!(hint.contains("--client-cert"), "{hint}");
}

#[tokio::test]
async fn no_other_host_is_shown_the_flags_certificate() {
    let client = Client::new();
    let (elsewhere, other_pem) = mutual(&client);
    let to = format!("https://{}/x", elsewhere.address);
    let (server, pem) = Server::start_mutual(client.der.clone(), move |_| {
        Reply::new(307).header("Location", to.clone())
    });
    let registry = Registry::new(Options {
        client_certificate: Some(client.flags()),
        ..client.trusting(Side::Target, &(pem + &other_pem))
    })
    .expect("set up");
    let digest = Digest::of(b"x");
    let size = registry.blob_size(&repository(&server, "a"), &digest).await;
    let failure = size.expect_err("a stranger there");
    assert!(failure.message().contains(&elsewhere.address), "{failure}");
    assert!(!server.log().is_empty() && elsewhere.log().is_empty());
    // Named by a reference it is a target itself.
    let image = reference(&elsewhere, "a:1");
    let found = Target::resolve(&registry, &image).await.expect("let in");
    assert!(found.is_some());
}

#[tokio::test]
async fn a_lone_certificate_in_certs_d_is_an_error_of_this_machine() {
    let client = Client::new();
    let (server, pem) = mutual(&client);
    client.fill_folder_of(&server);
    let key = format!("certs.d/{}/client.key", server.address);
    std::fs::remove_file(client.path().join(key)).expect("removed");
    let registry = Registry::new(client.trusting(Side::Target, &pem)).expect("set up");
    let failure = Source::resolve(&registry, &reference(&server, "a:1"))
        .await
        .expect_err("no key");
    assert_eq!(failure.code(), Code::Local);
    assert!(failure.message().contains("client.key"), "{failure}");
}
