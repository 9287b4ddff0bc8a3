//! Programs of others push to the embedded registry and pull from it.

use std::fs;

use serde_json::Value;

use crate::support::clients::{Client, Clients};
use crate::support::content::{Content, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};
use crate::support::embedded::{Embedded, Stored};
use crate::support::http::{self, Connection};
use crate::support::images;
use crate::support::push::push;
use crate::support::registry::{PASSWORD, Reach, USER};
use crate::support::skip::require;

const PLAIN: &str = "kinds/plain:v1";
const REACHES: [Reach; 3] = [Reach::Plain, Reach::Login, Reach::LoginAndPrivateAuthority];

/// What a plain registry has under a name: the manifest's digest and text.
fn held(host: &str, name: &str) -> (String, String) {
    let (repository, tag) = name.rsplit_once(':').expect("a tag");
    let path = format!("/v2/{repository}/manifests/{tag}");
    let answer = Connection::new(host).send("GET", &path, &[], 0, |_| Ok(()));
    assert_eq!(answer.status, 200, "{name}");
    let digest = answer.head.get("docker-content-digest");
    let body = String::from_utf8(answer.body).expect("text");
    (digest.expect("a digest").to_owned(), body)
}

fn expected(content: &Content, name: &str) -> (String, String) {
    let (repository, tag) = name.rsplit_once(':').expect("a tag");
    let digest = &content.repositories[repository].tags[tag];
    let bytes = content.manifests[digest].bytes.clone();
    (digest.clone(), String::from_utf8(bytes).expect("text"))
}

/// One image under two tags.
fn plain() -> Content {
    let (mut content, _) = images::sound_kinds();
    content.repositories.retain(|name, _| name == "kinds/plain");
    content
}

#[test]
fn copies_of_every_kind_keep_their_digests() {
    let mut clients = require!(Clients::find());
    let (content, names) = images::sound_kinds();
    for stored in Stored::ALL {
        let source = Embedded::start(stored);
        push(&content, &source.host());
        for reach in REACHES {
            let there = Embedded::reached(stored, reach);
            let back = Embedded::start(stored);
            let (source, there_host) = (source.host(), clients.meet(&there));
            for client in [Client::Crane, Client::Skopeo, Client::Oras] {
                for name in &names {
                    // It takes no index inside an index, and no image without a proper config.
                    let hard = ["kinds/nested:v1", "kinds/artifact:note"];
                    if client == Client::Skopeo && hard.contains(name) {
                        continue;
                    }
                    let name = format!("{}/{name}", format!("{client:?}").to_lowercase());
                    let (_, original) = name.split_once('/').expect("a client's folder");
                    let there = format!("{there_host}/{name}");
                    clients.copy(client, &format!("{source}/{original}"), &there);
                    clients.copy(client, &there, &format!("{}/{name}", back.host()));
                    let copied = held(&back.host(), &name);
                    assert_eq!(copied, expected(&content, original), "{reach:?} {name}");
                }
            }
        }
    }
}

#[test]
fn images_go_to_disk_and_back() {
    let clients = require!(Clients::find());
    let plain = plain();
    let want = expected(&plain, PLAIN);
    for stored in Stored::ALL {
        let registry = Embedded::start(stored);
        let host = registry.host();
        push(&plain, &host);
        let from = format!("{host}/{PLAIN}");

        let layout = format!("crane-{stored:?}");
        clients.crane(&["pull", "--format=oci", &from, &layout]);
        clients.crane(&["push", &layout, &format!("{host}/back/crane:v1")]);
        let layout = format!("oci:skopeo-{stored:?}:v1");
        clients.skopeo_copy(&format!("docker://{from}"), &layout);
        clients.skopeo_copy(&layout, &format!("docker://{host}/back/skopeo:v1"));
        for name in ["back/crane:v1", "back/skopeo:v1"] {
            assert_eq!(held(&host, name), want, "{name}");
        }

        let tags = clients.crane(&["ls", &format!("{host}/kinds/plain")]);
        assert_eq!(tags, "same-digest\nv1\n");
        clients.crane(&["delete", &format!("{host}/back/crane:v1")]);
        let (status, _) = http::get(&host, "/v2/back/crane/manifests/v1");
        assert_eq!(status, 404);
    }
}

/// The digests that `oras discover` lists, by artifact type.
fn discover(clients: &Clients, subject: &str, filter: &[&str]) -> Vec<(String, String)> {
    let found = clients.oras(&["discover", "--format", "json"], subject, filter);
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let referrers = found["referrers"].as_array().expect("referrers").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut referrers: Vec<(String, String)> = referrers
        .map(|r| (text(&r["artifactType"]), text(&r["digest"])))
        .collect();
    referrers.sort();
    referrers
}

#[test]
fn artifacts_are_attached_and_discovered() {
    let mut clients = require!(Clients::find());
    let files = [("sbom.json", "{\"sbom\":1}"), ("signature.txt", "signed")];
    for (name, text) in files {
        fs::write(clients.path(name), text).expect("a writable folder");
    }
    for (stored, reach) in Stored::ALL
        .into_iter()
        .flat_map(|s| REACHES.map(|r| (s, r)))
    {
        let source = Embedded::start(stored);
        push(&plain(), &source.host());
        let registry = Embedded::reached(stored, reach);
        let host = clients.meet(&registry);
        let repository = format!("{host}/kinds/plain");
        let subject = format!("{host}/{PLAIN}");
        clients.copy(
            Client::Crane,
            &format!("{}/{PLAIN}", source.host()),
            &subject,
        );
        let types = [
            "application/vnd.example.sbom",
            "application/vnd.example.signature",
        ];
        for (kind, (file, _)) in types.iter().zip(files) {
            clients.oras(&["attach", "--artifact-type", kind], &subject, &[file]);
        }
        let all = discover(&clients, &subject, &[]);
        let kinds: Vec<&str> = all.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, types);
        let one = discover(&clients, &subject, &["--artifact-type", types[1]]);
        assert_eq!(one, all[1..]);
        // It saw `OCI-Subject`, so it kept no list of its own under a tag.
        assert_eq!(clients.oras(&["repo", "tags"], &repository, &[]), "v1\n");

        let out = format!("pulled-{stored:?}-{reach:?}");
        let sbom = format!("{repository}@{}", all[0].1);
        clients.oras(&["pull", "--output", &out], &sbom, &[]);
        let pulled = fs::read_to_string(clients.path(&out).join("sbom.json"));
        assert_eq!(pulled.expect("a pulled file"), files[0].1);

        // The referrers come along with their subject.
        let copy = format!("{host}/copied/plain:v1");
        clients.copy(Client::Oras, &subject, &copy);
        assert_eq!(discover(&clients, &copy, &[]), all);
        clients.oras(&["manifest", "delete", "--force"], &sbom, &[]);
        assert_eq!(discover(&clients, &subject, &[]), all[1..]);
    }
}

#[test]
fn a_manifest_by_sha512_is_served_as_one() {
    let registry = Embedded::start(Stored::Memory);
    let host = registry.host();
    let content = plain();
    push(&content, &host);
    let (_, text) = expected(&content, PLAIN);
    let digest = sha512(text.as_bytes());
    let path = format!("/v2/kinds/plain/manifests/{digest}?tag=by-sha512");
    let (length, headers) = (text.len() as u64, [("content-type", OCI_MANIFEST)]);
    let put = Connection::new(&host).send("PUT", &path, &headers, length, |to| {
        http::copy(text.as_bytes(), to)
    });
    assert_eq!(put.status, 201);
    assert_eq!(held(&host, "kinds/plain:by-sha512"), (digest, text));
}

fn sha512(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    use sha2::Digest as _;
    let hash = sha2::Sha512::digest(bytes);
    hash.iter().fold("sha512:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn the_client_of_our_own_types_pushes_and_pulls() {
    // A second test in this process finds it installed: that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (stored, reach) in Stored::ALL
        .into_iter()
        .flat_map(|s| REACHES.map(|r| (s, r)))
    {
        let registry = Embedded::reached(stored, reach);
        for monolithic in [false, true] {
            runtime.block_on(push_and_pull(&registry, monolithic));
        }
    }
}

async fn push_and_pull(registry: &Embedded, monolithic: bool) {
    use oci_distribution::client::{
        Certificate, CertificateEncoding, Client, ClientConfig, ClientProtocol, Config, ImageLayer,
    };
    use oci_distribution::secrets::RegistryAuth;

    let secure = registry.reach() == Reach::LoginAndPrivateAuthority;
    let mut config = ClientConfig {
        protocol: ClientProtocol::Http,
        use_monolithic_push: monolithic,
        ..ClientConfig::default()
    };
    if secure {
        config.protocol = ClientProtocol::Https;
        let authority = Certificate {
            encoding: CertificateEncoding::Pem,
            data: fs::read(registry.ca_file()).expect("a certificate"),
        };
        config.extra_root_certificates = vec![authority];
    }
    let auth = match registry.reach() {
        Reach::Plain => RegistryAuth::Anonymous,
        _ => RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned()),
    };
    let client = Client::try_from(config).expect("a client");
    let name = format!("{}/k8s/pause:{monolithic}", registry.host());
    let image: oci_distribution::Reference = name.parse().expect("a reference");
    let content = vec![7; 5 << 20];
    let layer = ImageLayer::new(content.clone(), OCI_LAYER.to_owned(), None);
    let config = Config::new(b"{}".to_vec(), OCI_CONFIG.to_owned(), None);
    let pushed = client.push(&image, &[layer], config, &auth, None).await;
    pushed.expect("pushed");
    let pulled = client.pull(&image, &auth, vec![OCI_LAYER]).await;
    let pulled = pulled.expect("pulled");
    assert_eq!(pulled.layers.len(), 1);
    assert!(pulled.layers[0].data[..] == content[..]);
}
