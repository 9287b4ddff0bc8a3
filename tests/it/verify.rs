//! `airbuoy verify`: says yes to what `mirror` made, and no, by name, to what was damaged since.

use crate::support::airbuoy::Airbuoy;
use crate::support::faulty::Faulty;
use crate::support::images::{self, HOST, VERSION, mirror_only};
use crate::support::registry::Registry;
use crate::support::skip::require;

#[test]
fn a_missing_blob_and_a_changed_one_are_found() {
    let target = require!(Registry::distribution());
    let mut content = crate::support::content::Content::default();
    let layer = content.layer("one/image", 7, 40_000);
    let image = content.image(
        "one/image",
        "one",
        "linux/amd64",
        std::slice::from_ref(&layer),
    );
    content.tag("one/image", "v1", &image);
    let source = Faulty::start(content);
    let airbuoy = Airbuoy::new();
    let mirror = mirror_only(&["one/image:v1"], &source.host(), &target.host());
    airbuoy.run(&mirror).exits(0);

    let verify = format!(
        "verify {} --kubernetes-version {VERSION} --exclude *.io/* -o json \
         --image {HOST}/one/image:v1",
        target.host()
    );
    airbuoy.run(&verify).exits(0);
    airbuoy.run(&format!("{verify} --deep")).exits(0);

    let hex = layer.digest.trim_start_matches("sha256:");
    let blobs = target.storage();
    let blobs = blobs.path().join("docker/registry/v2/blobs/sha256");
    let file = blobs.join(&hex[..2]).join(hex).join("data");
    let mut bytes = std::fs::read(&file).expect("a stored blob");
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).expect("a writable storage");
    airbuoy.run(&verify).exits(0);
    let outcome = airbuoy.run(&format!("{verify} --deep")).exits(1);
    assert!(outcome.stdout.contains(hex), "{}", outcome.stdout);

    std::fs::remove_file(&file).expect("a writable storage");
    let outcome = airbuoy.run(&verify).exits(1);
    assert!(outcome.stdout.contains(hex), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("one/image"), "{}", outcome.stderr);
}

#[test]
fn an_empty_registry_is_missing_everything() {
    let target = require!(Registry::distribution());
    let verify = format!(
        "verify {} --kubernetes-version {VERSION} -o json",
        target.host()
    );
    let report = Airbuoy::new().run(&verify).exits(1).json();
    let rows = report["images"].as_array().expect("rows");
    let failed = rows.iter().filter(|row| row["status"] == "failed").count();
    assert_eq!(failed, images::pullable("").len());
}
