//! What networks and registries do wrong, one thing a test: the copy ends well where it can, says
//! why where it cannot, and never leaves a tag that points at something unsound.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::airbuoy::{Airbuoy, Outcome, number};
use crate::support::content::{Content, Descriptor};
use crate::support::faulty::{Fault, Faulty, Recorded, Rule};
use crate::support::images::{self, HOST, mirror_only};
use crate::support::registry::Registry;
use crate::support::skip::require;

const SIZE: u64 = 8_000_000;

/// One image with one layer of [`SIZE`] bytes, `one/image:v1`, and a target for it.
struct OneImage {
    source: Faulty,
    target: Faulty,
    layer: Descriptor,
}

impl OneImage {
    fn new() -> Self {
        let mut content = Content::default();
        let layer = content.layer("one/image", 7, SIZE);
        let layers = std::slice::from_ref(&layer);
        let image = content.image("one/image", "one", "linux/amd64", layers);
        content.tag("one/image", "v1", &image);
        Self {
            source: Faulty::start(content),
            target: Faulty::empty(),
            layer,
        }
    }

    /// Spoils the answers to the first `count` requests for the layer.
    fn layer_meets(&self, fault: Fault, count: usize) {
        let path = format!("/blobs/{}", self.layer.digest);
        self.source
            .rule(Rule::new("GET", &path, fault).first(count));
    }

    fn mirror(&self) -> Outcome {
        let images = ["one/image:v1"];
        let command = mirror_only(&images, &self.source.host(), &self.target.host());
        Airbuoy::new().run(&command)
    }

    /// The requests for the layer's bytes.
    fn fetches(&self) -> Vec<Recorded> {
        let path = format!("/blobs/{}", self.layer.digest);
        self.source.requests("GET", &path)
    }

    /// The uploads of the layer: requests that carried bytes.
    fn uploads(&self) -> Vec<Recorded> {
        let mut all = self.target.requests("PUT", "/blobs/uploads/");
        all.retain(|r| r.bytes > 1_000_000);
        all
    }

    fn assert_arrived(&self) {
        let tags = images::without_runners(self.target.tags());
        assert!(
            tags.len() == 1 && tags[0].ends_with("one/image:v1"),
            "{tags:?}"
        );
        let held = self.target.content();
        let body = &held.blobs[&self.layer.digest];
        assert_eq!(body.size, SIZE);
    }
}

/// The error of the only row of a report whose image failed.
fn error(outcome: &Outcome) -> Value {
    let report = outcome.json();
    let rows = report["images"].as_array().expect("rows").clone();
    let failed = rows.into_iter().find(|row| row["status"] == "failed");
    failed.expect("a failed image")["error"].clone()
}

#[test]
fn a_body_that_breaks_is_resumed_by_range_inside_the_same_upload() {
    let it = OneImage::new();
    it.layer_meets(Fault::Cut(5_000_000), 1);
    let report = it.mirror().exits(0).json();
    it.assert_arrived();
    let fetches = it.fetches();
    assert_eq!(fetches.len(), 2, "{fetches:#?}");
    let range = fetches[1].range.as_deref().unwrap_or_default();
    let from = range
        .strip_prefix("bytes=")
        .and_then(|r| r.split('-').next());
    let from: u64 = from.and_then(|f| f.parse().ok()).expect("a range");
    // What was on its way when the connection broke may be asked for again, no more.
    assert!((4_500_000..=5_000_000).contains(&from), "{range}");
    let uploads = it.uploads();
    assert_eq!(uploads.len(), 1, "{uploads:#?}");
    assert_eq!(uploads[0].bytes, SIZE);
    assert!(number(&report["bytes"]["wasted"]) < 500_000, "{report:#}");
    assert!(number(&report["bytes"]["transferred"]) >= SIZE);
}

#[test]
fn a_body_that_breaks_again_and_again_gets_through() {
    let it = OneImage::new();
    for stop in [1_000_000, 2_500_000, 4_000_000, 6_000_000, 7_900_000] {
        it.layer_meets(Fault::Cut(stop), 1);
    }
    it.mirror().exits(0);
    it.assert_arrived();
    assert_eq!(it.uploads().len(), 1);
}

#[test]
fn a_body_that_stands_still_is_given_up_and_resumed() {
    let it = OneImage::new();
    it.layer_meets(Fault::Stall(3_000_000), 1);
    let begun = Instant::now();
    it.mirror().exits(0);
    it.assert_arrived();
    assert!(begun.elapsed() < Duration::from_mins(1));
    let fetches = it.fetches();
    assert!(
        fetches.len() == 2 && fetches[1].range.is_some(),
        "{fetches:#?}"
    );
}

#[test]
fn a_source_that_ignores_ranges_does_not_spoil_the_resumed_blob() {
    let it = OneImage::new();
    it.layer_meets(Fault::Cut(5_000_000), 1);
    it.layer_meets(Fault::IgnoreRange, 9);
    it.mirror().exits(0);
    it.assert_arrived();
}

#[test]
fn a_flipped_byte_in_a_layer_fails_the_image_and_commits_nothing() {
    let it = OneImage::new();
    it.layer_meets(Fault::Flip(SIZE - 10), usize::MAX);
    let outcome = it.mirror().exits(3);
    let error = error(&outcome);
    assert_eq!(error["code"], "digest_mismatch", "{error:#}");
    assert_eq!(error["side"], "source", "{error:#}");
    assert_eq!(error["digest"], it.layer.digest.as_str(), "{error:#}");
    assert_eq!(images::without_runners(it.target.tags()), [""; 0]);
    assert!(!it.target.content().blobs.contains_key(&it.layer.digest));
    assert!(it.uploads().iter().all(|upload| upload.status != 201));
}

#[test]
fn a_flipped_byte_in_a_manifest_fails_the_image() {
    let it = OneImage::new();
    let path = "/manifests/";
    it.source.rule(Rule::new("GET", path, Fault::Flip(200)));
    let outcome = it.mirror().exits(3);
    assert_eq!(error(&outcome)["side"], "source");
    assert_eq!(images::without_runners(it.target.tags()), [""; 0]);
}

/// No request reaches `log`'s host from shortly after its first `status` until `window` later.
fn assert_left_alone(log: &[Recorded], status: u16, window: Duration) {
    let refusal = log.iter().position(|r| r.status == status);
    let refusal = refusal.expect("the scripted refusal");
    let at = log[refusal].at;
    // Requests that were on their way when the refusal was read do not count.
    let early: Vec<&Recorded> = log[refusal + 1..]
        .iter()
        .filter(|r| r.at > at + Duration::from_millis(150) && r.at < at + window)
        .collect();
    assert!(early.is_empty(), "{early:#?}");
    assert!(log.len() > refusal + 1, "it never came back");
}

#[test]
fn a_429_is_obeyed_by_every_request_to_the_host() {
    let references: Vec<String> = (0..8).map(|n| format!("many/i{n}:v1")).collect();
    let source = Faulty::start(images::stand_ins(&references));
    let target = Faulty::empty();
    let wait = vec![("Retry-After", "2".to_owned())];
    let refusal = Fault::Answer(429, wait, "slow down");
    source.rule(Rule::new("GET", "/blobs/", refusal).first(1));
    let names: Vec<&str> = references.iter().map(String::as_str).collect();
    let command = mirror_only(&names, &source.host(), &target.host());
    Airbuoy::new().run(&command).exits(0);
    assert_eq!(images::without_runners(target.tags()).len(), 8);
    assert_left_alone(&source.log(), 429, Duration::from_millis(1_950));
}

#[test]
fn a_429_with_a_date_is_obeyed_too() {
    let it = OneImage::new();
    let seconds = 4;
    let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let date = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let refusal = Fault::Answer(429, vec![("Retry-After", date)], "");
    it.layer_meets(refusal, 1);
    it.mirror().exits(0);
    it.assert_arrived();
    let fetches = it.fetches();
    let waited = fetches[1].at - fetches[0].at;
    // Dates are whole seconds, and the program took a moment to start.
    assert!(waited > Duration::from_millis(1_500), "{waited:?}");
}

#[test]
fn a_503_on_either_side_passes() {
    let it = OneImage::new();
    let unwell = || Fault::Answer(503, Vec::new(), "<html>unwell</html>");
    it.source
        .rule(Rule::new("*", "/manifests/", unwell()).first(2));
    it.layer_meets(unwell(), 1);
    it.target
        .rule(Rule::new("POST", "/uploads/", unwell()).first(1));
    it.target
        .rule(Rule::new("PUT", "/manifests/", unwell()).first(1));
    it.mirror().exits(0);
    it.assert_arrived();
}

#[test]
fn a_connection_that_breaks_on_either_side_passes() {
    let it = OneImage::new();
    it.layer_meets(Fault::Reset, 1);
    it.source
        .rule(Rule::new("HEAD", "/manifests/", Fault::Reset).first(1));
    it.target
        .rule(Rule::new("PUT", "one/image*/uploads/", Fault::CutRequest(3_000_000)).first(1));
    it.target
        .rule(Rule::new("PUT", "/manifests/", Fault::Reset).first(1));
    let report = it.mirror().exits(0).json();
    it.assert_arrived();
    assert!(number(&report["bytes"]["wasted"]) < SIZE, "{report:#}");
}

/// Twelve images of shared layers from a source without faults.
fn twelve() -> (Content, Vec<String>) {
    let references: Vec<String> = (0..12).map(|n| format!("many/i{n}:v1")).collect();
    (images::stand_ins(&references), references)
}

fn mirror_all(references: &[String], source: &Faulty, target: &Faulty) -> Outcome {
    let names: Vec<&str> = references.iter().map(String::as_str).collect();
    let command = mirror_only(&names, &source.host(), &target.host());
    Airbuoy::new().run(&command)
}

#[test]
fn a_registry_that_refuses_mounts_twice_is_not_asked_again() {
    let references: Vec<String> = (0..60).map(|n| format!("many/i{n}:v1")).collect();
    let content = images::stand_ins(&references);
    let source = Faulty::start(content.clone());
    let target = Faulty::empty();
    let refused = Fault::Answer(405, Vec::new(), "");
    target.rule(Rule::new("POST", "mount=", refused));
    mirror_all(&references, &source, &target).exits(0);
    assert_eq!(images::without_runners(target.tags()).len(), 60);
    let asked = target.requests("POST", "mount=").len();
    let repeats: usize = content.repositories.values().map(|r| r.blobs.len()).sum();
    let repeats = repeats - content.blobs.len();
    // Two refusals, and at most the 32 requests that were on their way with the second.
    assert!(repeats > 100, "{repeats}");
    assert!((2..=34).contains(&asked), "{asked} of {repeats}");
}

#[test]
fn the_upload_that_a_mount_opened_is_used() {
    let (content, references) = twelve();
    let source = Faulty::start(content);
    let target = Faulty::empty();
    target.rule(Rule::new("POST", "mount=", Fault::MountOpens));
    mirror_all(&references, &source, &target).exits(0);
    assert_eq!(images::without_runners(target.tags()).len(), 12);
    let held = target.content();
    let pairs: usize = held.repositories.values().map(|r| r.blobs.len()).sum();
    let opened = target
        .requests("POST", "/uploads/")
        .iter()
        .filter(|r| r.status == 202)
        .count();
    let ended = target.requests("PUT", "/uploads/").len();
    assert_eq!(ended, pairs);
    // One try a project opens and cancels one more before the first byte.
    let cancelled = target.requests("DELETE", "/uploads/").len();
    assert_eq!(opened, pairs + cancelled);
}

#[test]
fn tokens_that_expire_in_the_middle_are_renewed() {
    let it = OneImage::new();
    for side in [&it.source, &it.target] {
        side.want_tokens(Duration::from_secs(1));
    }
    it.source.pace(SIZE / 3);
    it.mirror().exits(0);
    it.assert_arrived();
    for side in [&it.source, &it.target] {
        let log = side.log();
        let tokens = log.iter().filter(|r| r.is("GET", "/token"));
        assert!(tokens.count() >= 1);
        let refused = log.iter().filter(|r| r.status == 401).count();
        assert!(refused < 12, "{refused} refusals");
    }
}

#[test]
fn no_credential_follows_a_redirect_to_another_host() {
    let it = OneImage::new();
    it.source.want_tokens(Duration::from_mins(1));
    let elsewhere = Faulty::start(it.source.content());
    let to = format!("http://{}", elsewhere.host());
    it.layer_meets(Fault::Redirect(to), 9);
    it.mirror().exits(0);
    it.assert_arrived();
    let log = elsewhere.log();
    assert!(!log.is_empty(), "the redirect was not followed");
    assert!(log.iter().all(|r| r.authorization.is_none()), "{log:#?}");
}

#[test]
fn a_token_is_fetched_once_for_many_concurrent_requests() {
    let (content, references) = twelve();
    let source = Faulty::start(content);
    source.want_tokens(Duration::from_mins(1));
    let target = Faulty::empty();
    mirror_all(&references, &source, &target).exits(0);
    let tokens = source.requests("GET", "/token").len();
    assert!(tokens <= 13, "{tokens} for 12 repositories");
}

#[test]
fn registries_with_habits_are_lived_with() {
    let refused = |status| Fault::Answer(status, Vec::new(), "");
    for (side, method, path, fault) in [
        ("source", "HEAD", "/manifests/", Fault::HideDigest),
        ("source", "*", "/manifests/", Fault::HideDigest),
        ("source", "HEAD", "/", refused(405)),
        ("target", "HEAD", "/", refused(405)),
        ("target", "HEAD", "/", refused(403)),
        ("target", "POST", "/uploads/", Fault::RelativeLocation),
    ] {
        let it = OneImage::new();
        let registry = match side {
            "source" => &it.source,
            _ => &it.target,
        };
        registry.rule(Rule::new(method, path, fault.clone()));
        let outcome = it.mirror();
        let said = &outcome.stderr;
        assert_eq!(outcome.code, 0, "{side} {method} {fault:?}: {said}");
        it.assert_arrived();
    }
}

#[test]
fn an_early_413_is_read_while_the_body_is_still_being_sent() {
    let it = OneImage::new();
    it.target.rule(Rule::new(
        "*",
        "one/image/blobs/uploads/*digest=",
        Fault::AnswerEarly(413),
    ));
    let begun = Instant::now();
    let outcome = it.mirror().exits(3);
    assert!(begun.elapsed() < Duration::from_secs(30));
    let error = error(&outcome);
    assert_eq!(error["code"], "too_large", "{error:#}");
    assert_eq!(error["side"], "target", "{error:#}");
    assert!(error["hint"].is_string(), "{error:#}");
}

#[test]
fn one_broken_image_does_not_stop_the_others() {
    let target = require!(Registry::distribution());
    let (content, mut references) = twelve();
    references.push("many/absent:v1".to_owned());
    let source = Faulty::start(content);
    let names: Vec<&str> = references.iter().map(String::as_str).collect();
    let command = mirror_only(&names, &source.host(), &target.host());
    let outcome = Airbuoy::new().run(&command).exits(3);
    assert_eq!(images::without_runners(target.tags()).len(), 12);
    let error = error(&outcome);
    assert_eq!(error["code"], "not_found", "{error:#}");
    let hint = error["hint"].as_str().expect("what to do");
    assert!(hint.contains("--exclude"), "{hint}");
    let name = format!("{HOST}/many/absent:v1");
    assert!(outcome.stderr.contains(&name), "{}", outcome.stderr);
}
