//! Registries that take large blobs in chunks only.

use serde_json::Value;

use crate::support::airbuoy::{Airbuoy, number};
use crate::support::content::{Content, Descriptor};
use crate::support::faulty::{Fault, Faulty, Recorded, Rule};
use crate::support::images::{self, mirror_only};
use crate::support::limited::Limited;
use crate::support::peers::Peers;
use crate::support::registry::Registry;
use crate::support::skip::require;

const SIZE: u64 = 20_000_000;

/// One image with two layers of [`SIZE`] bytes, `one/image:v1`.
fn source() -> (Faulty, Vec<Descriptor>, String) {
    let mut content = Content::default();
    let layers: Vec<_> = (7..9)
        .map(|seed| content.layer("one/image", seed, SIZE))
        .collect();
    let image = content.image("one/image", "one", "linux/amd64", &layers);
    content.tag("one/image", "v1", &image);
    (Faulty::start(content), layers, image.digest)
}

fn mirror(source: &Faulty, host: &str) -> (Value, String) {
    let command = mirror_only(&["one/image:v1"], &source.host(), host);
    let outcome = Airbuoy::new().run(&command).exits(0);
    (outcome.json(), outcome.stderr)
}

fn assert_arrived(target: &Faulty, layers: &[Descriptor]) {
    let tags = images::without_runners(target.tags());
    assert!(
        tags.len() == 1 && tags[0].ends_with("one/image:v1"),
        "{tags:?}"
    );
    let held = target.content();
    for layer in layers {
        assert_eq!(held.blobs[&layer.digest].size, SIZE);
    }
}

fn bytes(patches: &[Recorded]) -> u64 {
    patches.iter().map(|r| r.bytes).sum()
}

#[test]
fn a_target_with_a_limit_gets_chunks_that_fit() {
    let (source, layers, _) = source();
    let target = Faulty::empty();
    target.rule(Rule::new("*", "/blobs/uploads/", Fault::Limit(5_000_000)));
    let (report, said) = mirror(&source, &target.host());
    assert_arrived(&target, &layers);
    let mut patches = target.requests("PATCH", "/uploads/");
    assert_eq!(bytes(&patches), 2 * SIZE, "every byte once");
    patches.retain(|r| r.status == 202);
    assert!(patches.iter().all(|r| r.bytes <= 4 << 20), "{patches:#?}");
    assert!(said.contains("go in chunks"), "{said}");
    // Each single PUT was given up at its head.
    assert!(number(&report["bytes"]["wasted"]) <= 2 * SIZE, "{report:#}");
}

#[test]
fn chunks_that_break_go_on_where_they_broke() {
    let (source, layers, _) = source();
    let target = Faulty::empty();
    target.rule(Rule::new("PATCH", "/uploads/", Fault::CutChunk(3_000_000)).first(3));
    target.rule(Rule::new("*", "/blobs/uploads/", Fault::Limit(10_000_000)));
    mirror(&source, &target.host());
    assert_arrived(&target, &layers);
    let patches = target.requests("PATCH", "/uploads/");
    assert_eq!(bytes(&patches), 2 * SIZE, "no byte is stored twice");
    assert_eq!(patches.iter().filter(|r| r.status == 0).count(), 3);
    let asked = target.requests("GET", "/uploads/").len();
    assert_eq!(asked, 3, "one question a break");
    let fetches = source.requests("GET", "/blobs/");
    let of = |layer: &Descriptor| {
        let wanted = |r: &&Recorded| r.target.ends_with(layer.digest.as_str());
        fetches.iter().filter(wanted).count()
    };
    // Once for the PUT that was refused, once for the chunks.
    assert!(layers.iter().all(|layer| of(layer) <= 2), "{fetches:#?}");
}

#[test]
fn the_least_chunk_of_the_registry_is_kept_to() {
    let (source, layers, _) = source();
    let target = Faulty::empty();
    target.rule(Rule::new("POST", "/uploads/", Fault::LeastChunk(9_000_000)));
    target.rule(Rule::new("*", "/blobs/uploads/", Fault::Limit(10_000_000)));
    mirror(&source, &target.host());
    assert_arrived(&target, &layers);
    let patches = target.requests("PATCH", "/uploads/");
    let mut sizes: Vec<u64> = patches.iter().map(|r| r.bytes).collect();
    sizes.sort_unstable();
    assert_eq!(
        sizes,
        [
            2_000_000, 2_000_000, 9_000_000, 9_000_000, 9_000_000, 9_000_000
        ]
    );
}

#[test]
fn distribution_behind_a_limit_takes_chunks_and_resumes_them() {
    let registry = require!(Registry::distribution());
    let peers = require!(Peers::find());
    let (source, _, digest) = source();
    let proxy = Limited::in_front_of(&registry.host(), 1 << 20, 2);
    mirror(&source, &proxy.host());
    let tag = registry.tags();
    let tag = tag.iter().find(|tag| tag.ends_with("one/image:v1"));
    let name = format!("{}/{}", registry.host(), tag.expect("the image"));
    assert_eq!(peers.digest(&name), digest);
    let seen = proxy.seen();
    let count = |what: &str| seen.iter().filter(|line| *line == what).count();
    assert_eq!(count("PATCH cut"), 2, "{seen:?}");
    assert!(count("GET 204") >= 2, "{seen:?}");
    // 2 x 20 chunks of 1 MiB; the two that were cut are no more to send than what was lost.
    assert!((38..=42).contains(&count("PATCH 202")), "{seen:?}");
    assert!(count("PATCH 413") > 0, "{seen:?}");
}
