//! Memory is bounded by a budget and not by the size of layers.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use crate::support::airbuoy::Airbuoy;
use crate::support::content::{Body, Content, OCI_LAYER};
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::images::mirror_only;

/// The peak that a copy may reach, in kibibytes: 64 MB.
const LIMIT: u64 = 64_000_000 / 1024;

/// Bytes of each of the eight layers; `scripts/bench memory` asks for a gigabyte.
fn layer_size() -> u64 {
    let given = std::env::var("AIRBUOY_TEST_LAYER_BYTES").ok();
    given.map_or(128_000_000, |text| text.parse().expect("a number of bytes"))
}

/// Copies eight layers of `size` bytes at once to `target`; the peak in kibibytes.
fn peak(size: u64, target: &Faulty) -> u64 {
    let mut content = Content::default();
    let layers: Vec<_> = (0..8)
        .map(|seed| content.blob("huge/image", OCI_LAYER, Body::noise(seed, size)))
        .collect();
    let image = content.image("huge/image", "huge", "linux/amd64", &layers);
    content.tag("huge/image", "v1", &image);
    let source = Faulty::start(content);
    // All eight are on their way together, for some time.
    source.pace(size / 3);
    target.forget_bodies();

    let command = mirror_only(&["huge/image:v1"], &source.host(), &target.host());
    let airbuoy = Airbuoy::new();
    let mut run = airbuoy.start(&format!("{command} --jobs 8"));
    let mut peak = 0;
    let status = loop {
        let seen = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap_or_default();
        peak = high_water(&seen).unwrap_or(peak).max(peak);
        if let Some(status) = run.try_wait().expect("a child") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
    let sent: u64 = ["PUT", "PATCH"]
        .iter()
        .flat_map(|method| target.requests(method, "/uploads/"))
        .map(|r| r.bytes)
        .sum();
    assert!(sent >= 8 * size, "{sent}");
    // Shown with --nocapture: `scripts/bench memory`.
    let _ = writeln!(
        std::io::stderr(),
        "8 layers of {size} bytes: peak {peak} kB"
    );
    assert!(peak > 1_000, "the peak was not read: {peak} kB");
    peak
}

#[test]
fn eight_large_layers_at_once_stay_under_64_megabytes() {
    let peak = peak(layer_size(), &Faulty::empty());
    assert!(peak < LIMIT, "{peak} kB at its peak, {LIMIT} kB allowed");
}

#[test]
fn in_chunks_each_of_them_costs_one_chunk_more() {
    let target = Faulty::empty();
    target.rule(Rule::new("*", "/uploads/", Fault::Limit(9_000_000)));
    let peak = peak(64_000_000, &target);
    assert!(!target.requests("PATCH", "/uploads/").is_empty());
    let limit = LIMIT + 8 * (8 << 20) / 1024;
    assert!(peak < limit, "{peak} kB at its peak, {limit} kB allowed");
}

/// `VmHWM` of `/proc/PID/status` in kibibytes; none once the process has ended.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
