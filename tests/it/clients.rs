//! Programs of others push to the embedded registry and pull from it.

use std::fs;

use serde_json::Value;

use crate::support::clients::{Client, Clients};
use crate::support::content::{Content, OCI_MANIFEST};
use crate::support::embedded::{Embedded, Stored};
use crate::support::http::{self, Connection};
use crate::support::images;
use crate::support::push::push;
use crate::support::skip::require;

/// What the registry has under a name: the manifest's digest and bytes.
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
    let clients = require!(Clients::find());
    let (content, names) = images::sound_kinds();
    for stored in Stored::ALL {
        let source = Embedded::start(stored);
        push(&content, &source.host());
        for client in [Client::Crane, Client::Skopeo, Client::Oras] {
            let target = Embedded::start(stored);
            for name in &names {
                // It takes no index inside an index, and no image without a proper config.
                let hard = ["kinds/nested:v1", "kinds/artifact:note"];
                if client == Client::Skopeo && hard.contains(name) {
                    continue;
                }
                let to = format!("{}/copied/{name}", target.host());
                clients.copy(client, &format!("{}/{name}", source.host()), &to);
                let copied = held(&target.host(), &format!("copied/{name}"));
                assert_eq!(copied, expected(&content, name), "{client:?} {name}");
            }
        }
    }
}

#[test]
fn images_go_to_disk_and_back() {
    let clients = require!(Clients::find());
    let plain = plain();
    let want = expected(&plain, "kinds/plain:v1");
    for stored in Stored::ALL {
        let registry = Embedded::start(stored);
        let host = registry.host();
        push(&plain, &host);
        let from = format!("{host}/kinds/plain:v1");

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
    let base = ["discover", "--plain-http", "--format", "json"];
    let arguments: Vec<&str> = base.into_iter().chain(filter.iter().copied()).collect();
    let found = clients.oras(&[&arguments[..], &[subject]].concat());
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
    let clients = require!(Clients::find());
    let files = [("sbom.json", "{\"sbom\":1}"), ("signature.txt", "signed")];
    for (name, text) in files {
        fs::write(clients.folder().join(name), text).expect("a writable folder");
    }
    for stored in Stored::ALL {
        let registry = Embedded::start(stored);
        let host = registry.host();
        let plain = plain();
        push(&plain, &host);
        let subject = format!("{host}/kinds/plain:v1");
        let types = [
            "application/vnd.example.sbom",
            "application/vnd.example.signature",
        ];
        for (kind, (file, _)) in types.iter().zip(files) {
            clients.oras(&[
                "attach",
                "--plain-http",
                "--artifact-type",
                kind,
                &subject,
                file,
            ]);
        }
        let all = discover(&clients, &subject, &[]);
        let kinds: Vec<&str> = all.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, types);
        let one = discover(&clients, &subject, &["--artifact-type", types[1]]);
        assert_eq!(one, all[1..]);
        // It saw `OCI-Subject`, so it kept no list of its own under a tag.
        let tags = clients.oras(&[
            "repo",
            "tags",
            "--plain-http",
            &format!("{host}/kinds/plain"),
        ]);
        assert_eq!(tags, "same-digest\nv1\n");

        let out = format!("pulled-{stored:?}");
        let sbom = format!("{host}/kinds/plain@{}", all[0].1);
        clients.oras(&["pull", "--plain-http", "--output", &out, &sbom]);
        let pulled = fs::read_to_string(clients.folder().join(out).join("sbom.json"));
        assert_eq!(pulled.expect("a pulled file"), files[0].1);

        // The referrers come along with their subject.
        let copy = format!("{host}/copied/plain:v1");
        clients.copy(Client::Oras, &subject, &copy);
        assert_eq!(discover(&clients, &copy, &[]), all);
        assert_eq!(
            held(&host, "copied/plain:v1"),
            expected(&plain, "kinds/plain:v1")
        );
        clients.oras(&["manifest", "delete", "--plain-http", "--force", &sbom]);
        assert_eq!(discover(&clients, &subject, &[]), all[1..]);
    }
}

#[test]
fn a_manifest_by_sha512_is_served_as_one() {
    let clients = require!(Clients::find());
    let registry = Embedded::start(Stored::Memory);
    let host = registry.host();
    fs::write(clients.folder().join("file.txt"), "text").expect("a writable folder");
    let pushed = clients.oras(&[
        "push",
        "--plain-http",
        "--artifact-type",
        "application/vnd.example",
        &format!("{host}/a:t"),
        "file.txt",
    ]);
    assert!(pushed.contains("Pushed"), "{pushed}");
    let (_, bytes) = held(&host, "a:t");
    let digest = sha512(bytes.as_bytes());
    let path = format!("/v2/a/manifests/{digest}?tag=by-sha512");
    let length = bytes.len() as u64;
    let put = Connection::new(&host).send(
        "PUT",
        &path,
        &[("content-type", OCI_MANIFEST)],
        length,
        |to| http::copy(bytes.as_bytes(), to),
    );
    assert_eq!(put.status, 201);
    assert_eq!(held(&host, "a:by-sha512"), (digest, bytes));
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
