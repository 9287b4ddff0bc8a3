//! Image sets to copy: small stand-ins for the images of a Kubernetes release, and one of each
//! kind of image that a registry may hold.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::airbuoy::Airbuoy;
use super::content::{
    Body, Content, DOCKER_LAYER, DOCKER_LIST, Descriptor, OCI_INDEX, OCI_MANIFEST, SCHEMA1,
};
use super::faulty::Faulty;

/// The release that most tests copy.
pub(crate) const VERSION: &str = "v1.36.3";
/// The host in the references of images that are no part of any release.
pub(crate) const HOST: &str = "images.example.test";

const ATTESTATION: &str = "attestation-manifest";

/// The rows of `airbuoy images` for [`VERSION`].
pub(crate) fn rows(arguments: &str) -> Vec<Value> {
    let command = format!("images --kubernetes-version {VERSION} -o json {arguments}");
    let rows = Airbuoy::new().run(&command).exits(0).json();
    rows.as_array().expect("an array of rows").clone()
}

/// The source references of the rows that are mirrored.
pub(crate) fn pullable(arguments: &str) -> Vec<String> {
    let rows = rows(arguments);
    let rows = rows.iter().filter(|row| row["skipped"].is_null());
    rows.map(|row| row["source"].as_str().expect("a reference").to_owned())
        .collect()
}

/// `HOST/path` and tag of a reference.
fn split(reference: &str) -> (&str, &str) {
    reference.rsplit_once(':').expect("a tag")
}

/// The flags that make `host` stand in for every upstream of `references`: it holds what is
/// named `HOST/x` under `HOST/x`.
pub(crate) fn mirrors(references: &[String], scheme: &str, host: &str) -> String {
    let mut names: Vec<&str> = references
        .iter()
        .map(|r| r.split('/').next().expect("a host"))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.iter().fold(String::new(), |flags, name| {
        format!("{flags} --source-mirror {name}={scheme}{host}/{name}")
    })
}

/// A stand-in for each reference, below its host's name: an index of two platforms with a base
/// layer that all share and one of its own; each third has an attestation.
pub(crate) fn stand_ins(references: &[String]) -> Content {
    let mut content = Content::default();
    for (number, reference) in references.iter().enumerate() {
        let (repository, tag) = split(reference);
        let mut entries = Vec::new();
        for (seed, platform) in [(1, "linux/amd64"), (2, "linux/arm64")] {
            let base = content.layer(repository, seed, 20_000);
            let own = content.layer(repository, 100 + 2 * number as u64 + seed, 3_000);
            let image = content.image(repository, reference, platform, &[base, own]);
            entries.push(image.on(platform));
            if number % 3 == 0 {
                entries.push(attestation(&mut content, repository, &image));
            }
        }
        let index = content.index(repository, OCI_INDEX, &entries);
        content.tag(repository, tag, &index);
    }
    content
}

/// An attestation of `image`, as an index entry.
fn attestation(content: &mut Content, repository: &str, image: &Descriptor) -> Value {
    let statement = format!("{{\"subject\":\"{}\"}}", image.digest);
    let body = Body::from(statement.as_bytes());
    let statement = content.blob(repository, "application/vnd.in-toto+json", body);
    let manifest = content.image(repository, ATTESTATION, "unknown/unknown", &[statement]);
    let mut entry = manifest.on("unknown/unknown");
    entry["annotations"] = json!({
        "vnd.docker.reference.digest": image.digest,
        "vnd.docker.reference.type": ATTESTATION,
    });
    entry
}

/// One image of each kind, as `repository:tag` of the returned content. All but the schema 1 one
/// can be copied.
pub(crate) fn kinds() -> (Content, Vec<&'static str>) {
    let mut content = Content::default();
    let c = &mut content;

    let layers = [c.layer("kinds/plain", 11, 5_000)];
    let plain = c.image("kinds/plain", "plain", "linux/amd64", &layers);
    c.tag("kinds/plain", "v1", &plain);
    c.tag("kinds/plain", "same-digest", &plain);

    let mut entries = Vec::new();
    for (seed, platform) in [
        (21, "linux/amd64"),
        (22, "linux/s390x"),
        (23, "windows/amd64"),
    ] {
        let layers = [c.layer("kinds/index", seed, 4_000)];
        let image = c.image("kinds/index", "index", platform, &layers);
        entries.push(image.on(platform));
        entries.push(attestation(c, "kinds/index", &image));
    }
    let index = c.index("kinds/index", OCI_INDEX, &entries);
    c.tag("kinds/index", "attested", &index);

    let body = Body::noise(31, 4_000);
    let layers = [c.blob("kinds/docker", DOCKER_LAYER, body)];
    let image = c.docker_image("kinds/docker", "docker", "linux/amd64", &layers);
    let list = c.index("kinds/docker", DOCKER_LIST, &[image.on("linux/amd64")]);
    c.tag("kinds/docker", "list", &list);
    c.tag("kinds/docker", "single", &image);

    let layers = [c.layer("kinds/nested", 41, 4_000)];
    let image = c.image("kinds/nested", "nested", "linux/arm64", &layers);
    let inner = c.index("kinds/nested", OCI_INDEX, &[image.on("linux/arm64")]);
    let outer = c.index("kinds/nested", OCI_INDEX, &[inner.json(), inner.json()]);
    c.tag("kinds/nested", "v1", &outer);

    let empty = "application/vnd.oci.empty.v1+json";
    let config = c.blob("kinds/artifact", empty, Body::from(&b"{}"[..]));
    let artifact = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
        "artifactType": "application/vnd.example.note", "config": config.json(),
    });
    let bytes = artifact.to_string().into_bytes();
    let artifact = c.manifest("kinds/artifact", OCI_MANIFEST, bytes);
    c.tag("kinds/artifact", "note", &artifact);

    let layers = [
        c.layer("kinds/layers", 51, 4_000),
        c.layer("kinds/layers", 0, 0),
        c.layer("kinds/layers", 51, 4_000),
    ];
    let image = c.image("kinds/layers", "layers", "linux/amd64", &layers);
    c.tag("kinds/layers", "empty-and-repeated", &image);

    let frozen = json!({
        "schemaVersion": 1, "name": "kinds/old", "tag": "v1", "architecture": "amd64",
        "fsLayers": [{"blobSum": plain.digest}], "history": [{"v1Compatibility": "{}"}],
    });
    let bytes = frozen.to_string().into_bytes();
    let frozen = c.manifest("kinds/old", SCHEMA1, bytes);
    c.tag("kinds/old", "schema1", &frozen);

    let names = vec![
        "kinds/plain:v1",
        "kinds/plain:same-digest",
        "kinds/index:attested",
        "kinds/docker:list",
        "kinds/docker:single",
        "kinds/nested:v1",
        "kinds/artifact:note",
        "kinds/layers:empty-and-repeated",
        "kinds/old:schema1",
    ];
    (content, names)
}

/// The same without the schema 1 manifest, which no current registry takes.
pub(crate) fn sound_kinds() -> (Content, Vec<&'static str>) {
    let (mut content, mut names) = kinds();
    content.repositories.remove("kinds/old");
    names.retain(|name| !name.starts_with("kinds/old"));
    (content, names)
}

/// The images of a run itself, which no filter leaves out: served to all tests by one registry.
static RUNNERS: LazyLock<Faulty> = LazyLock::new(|| {
    let mut content = Content::default();
    for (seed, reference) in runners().iter().enumerate() {
        let (repository, tag) = split(reference);
        let layer = content.layer(repository, 900 + seed as u64, 100);
        let image = content.image(repository, reference, "linux/amd64", &[layer]);
        content.tag(repository, tag, &image);
    }
    Faulty::start(content)
});

fn runners() -> Vec<String> {
    let rows = rows("--exclude *.io/*");
    let rows = rows.iter().filter(|row| row["role"] != "test");
    rows.map(|row| row["source"].as_str().expect("a reference").to_owned())
        .collect()
}

/// The tags (`repository:tag`) that are not those of runner images at a target without prefix.
pub(crate) fn without_runners(mut tags: Vec<String>) -> Vec<String> {
    tags.retain(|tag| !tag.starts_with("conformance:") && !tag.starts_with("sonobuoy/"));
    tags
}

/// The words of `airbuoy mirror` that copy `images` (`repository:tag`) from the plain HTTP
/// registry `source`, and tiny runner images from another, to `target`, and report in JSON.
pub(crate) fn mirror_only(images: &[&str], source: &str, target: &str) -> String {
    let images = images.iter().fold(String::new(), |flags, image| {
        format!("{flags} --image {HOST}/{image}")
    });
    let others = mirrors(&runners(), "http://", &RUNNERS.host());
    format!(
        "mirror {target} --kubernetes-version {VERSION} --exclude *.io/* -o json \
         --source-mirror {HOST}=http://{source}{others}{images}"
    )
}
