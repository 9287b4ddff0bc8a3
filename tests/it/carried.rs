//! What is carried over the gap is a plain image layout: other tools read it, and nodes pull from
//! it where it is served.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bundle_pull::pull;
use crate::serve::{HTPASSWD, Served};
use crate::support::airbuoy::Airbuoy;
use crate::support::containerd::Containerd;
use crate::support::content::{
    Body, Content, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest_of,
};
use crate::support::faulty::Faulty;
use crate::support::images;
use crate::support::layer::{self, File};
use crate::support::registry::{PASSWORD, Registry, USER};
use crate::support::skip::{self, require};

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The program's standard output.
fn output(folder: &Path, program: &Path, words: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(words)
        .current_dir(folder)
        .env("HOME", folder)
        .output()
        .expect("an installed program starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} {words:?}: {told}",
        program.display()
    );
    output.stdout
}

/// The entries of a layout's index: name, media type, digest.
fn entries(layout: &Path) -> Vec<(String, String, String)> {
    let index = fs::read(layout.join("index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = index["manifests"].as_array().expect("entries");
    rows.iter()
        .map(|row| {
            let name = text(&row["annotations"][REF_NAME]);
            (name, text(&row["mediaType"]), text(&row["digest"]))
        })
        .collect()
}

/// An image that can be unpacked, in an index; and its digest.
fn real_image(content: &mut Content, repository: &str) -> String {
    let files = [File::new("pause", b"nothing to do")];
    let gzip = layer::layer(&files);
    let layer = content.blob(repository, OCI_LAYER, Body::from(&gzip[..]));
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest_of(&layer::tar(&files))]},
    });
    let config = config.to_string().into_bytes();
    let config = content.blob(repository, OCI_CONFIG, Body::from(&config[..]));
    let image = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": config.json(), "layers": [layer.json()],
    });
    let image = content.manifest(repository, OCI_MANIFEST, image.to_string().into_bytes());
    let index = content.index(repository, OCI_INDEX, &[image.on("linux/amd64")]);
    content.tag(repository, "v1", &index);
    index.digest
}

#[test]
fn a_tar_is_a_layout_that_other_tools_read() {
    let skopeo = require!(skip::program("skopeo"));
    let oras = require!(skip::program("oras"));
    let crane = require!(skip::program("crane"));
    let registry = require!(Registry::distribution());
    let (mut content, mut names) = images::sound_kinds();
    let real = real_image(&mut content, "kinds/real");
    names.push("kinds/real:v1");
    let expected: BTreeMap<String, String> = names
        .iter()
        .map(|name| {
            let (repository, tag) = name.rsplit_once(':').expect("a tag");
            let digest = content.repositories[repository].tags[tag].clone();
            (format!("{}/{name}", images::HOST), digest)
        })
        .collect();
    let source = Faulty::start(content);
    let airbuoy = Airbuoy::new();
    let home = airbuoy.home();
    airbuoy
        .run(&pull(&names, &source.host(), "set.tar"))
        .exits(0);

    let layout = home.join("layout");
    fs::create_dir(&layout).expect("a folder");
    let tar = require!(skip::program("tar"));
    output(home, &tar, &["xf", "set.tar", "-C", "layout"]);
    let version = fs::read(layout.join("oci-layout")).expect("the layout's version");
    assert_eq!(version, br#"{"imageLayoutVersion":"1.0.0"}"#);
    let mut blobs = 0;
    for blob in fs::read_dir(layout.join("blobs/sha256")).expect("blobs") {
        let blob = blob.expect("an entry");
        let bytes = fs::read(blob.path()).expect("its bytes");
        let name = blob.file_name().into_string().expect("UTF-8");
        assert_eq!(digest_of(&bytes), format!("sha256:{name}"));
        blobs += 1;
    }
    assert!(blobs > names.len(), "{blobs} blobs");

    let entries = entries(&layout);
    let mut compared = 0;
    for (name, media_type, digest) in &entries {
        let Some(of_source) = expected.get(name) else {
            continue;
        };
        assert_eq!(digest, of_source, "{name}");
        compared += 1;
        // This one reads whatever the type is, and by digest.
        let fetched = output(
            home,
            &oras,
            &[
                "manifest",
                "fetch",
                "--oci-layout",
                &format!("set.tar@{digest}"),
            ],
        );
        assert_eq!(digest_of(&fetched), *digest, "oras, {name}");
        // Debian's does not look for Docker's types in a layout.
        if [OCI_INDEX, OCI_MANIFEST].contains(&media_type.as_str()) {
            let at = format!("oci-archive:set.tar:{name}");
            let raw = output(home, &skopeo, &["inspect", "--raw", &at]);
            assert_eq!(digest_of(&raw), *digest, "skopeo, {name}");
        }
    }
    assert_eq!(compared, expected.len(), "{entries:?}");

    // The whole index, as one image of many.
    let to = format!("{}/carried/all:v1", registry.host());
    output(
        home,
        &crane,
        &["push", "--insecure", "--index", "layout", &to],
    );
    let index = fs::read(layout.join("index.json")).expect("an index");
    let digest = output(home, &crane, &["digest", "--insecure", &to]);
    assert_eq!(String::from_utf8_lossy(&digest).trim(), digest_of(&index));
    for (name, _, digest) in &entries {
        let at = format!("{}/carried/all@{digest}", registry.host());
        let manifest = output(home, &crane, &["manifest", "--insecure", &at]);
        assert_eq!(digest_of(&manifest), *digest, "crane, {name}");
    }
    let at = format!("{}/carried/all@{real}", registry.host());
    output(home, &crane, &["validate", "--insecure", "--remote", &at]);
}

#[test]
fn nodes_pull_from_a_served_tar_over_tls_with_a_login() {
    let containerd = require!(Containerd::start());
    let mut content = Content::default();
    let expected = real_image(&mut content, "image/1");
    let source = Faulty::start(content);
    let airbuoy = Airbuoy::new();
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "set.tar"))
        .exits(0);
    airbuoy.file("users", HTPASSWD);
    let flags = "set.tar --listen 127.0.0.1:0 --prefix k8s --tls-self-signed --tls-ca-out ca.pem \
                 --htpasswd users";
    let served = Served::start(&airbuoy, flags);
    // As an administrator does: the files for nodes, with the authority that serve named.
    let to = format!("{}/k8s", served.host());
    let config = format!(
        "config {to} --kubernetes-version {} --exclude *.io/* --image {}/image/1:v1 \
         --nodes --nodes-ca ca.pem",
        images::VERSION,
        images::HOST
    );
    airbuoy.run(&config).exits(0);
    let certs = airbuoy.home().join("nodes/containerd/certs.d");
    let login = format!("{USER}:{PASSWORD}");
    let flags = [
        "--hosts-dir",
        certs.to_str().expect("UTF-8"),
        "--user",
        &login,
    ];
    // By its name at the mirror, and by the upstream name that pods give.
    for name in [to, images::HOST.to_owned()] {
        let pulled = containerd.pull(&flags, &format!("{name}/image/1:v1"));
        assert_eq!(pulled, expected, "{name}");
    }
    let (code, _) = served.stop();
    assert_eq!(code, Some(0));
}
