//! `pull` and `push` killed at forty moments each: the next run completes, nothing is damaged,
//! and hardly a byte is carried twice.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::bundle_pull;
use crate::support::airbuoy::Airbuoy;
use crate::support::content::Content;
use crate::support::faulty::Faulty;
use crate::support::images::{HOST, VERSION};
use crate::support::registry::Registry;
use crate::support::relay::Relay;
use crate::support::skip::require;

/// Kills a verb.
const ROUNDS: u64 = 40;
/// Of these, kills that hit a run at work.
const ENOUGH: u64 = 30;
/// Rounds that go on at the same time: each waits for its slow wire most of the time.
const AT_ONCE: usize = 5;
/// An undisturbed run takes longer than this.
const SLOW: Duration = Duration::from_secs(5);
/// Bytes a second of one connection.
const PACE: u64 = 1_200_000;
/// Blobs that are carried at the same time: `--jobs`.
const JOBS: u64 = 8;

/// One image of 12 layers of 1.2 to 6.7 MB.
fn content() -> (Content, u64) {
    let mut content = Content::default();
    let sizes = (0..12).map(|n| 1_200_000 + n * 500_000);
    let layers: Vec<_> = sizes
        .map(|size| content.layer("large/image", size, size))
        .collect();
    let image = content.image("large/image", "large", "linux/amd64", &layers);
    content.tag("large/image", "v1", &image);
    (content, layers.iter().map(|layer| layer.size).sum())
}

/// The words of `airbuoy pull` that bring the image and tiny runner images into `bundle`.
fn pull(source: &str, bundle: &str) -> String {
    bundle_pull::pull(&["large/image:v1"], source, bundle)
}

/// When round `seed` is killed, as a share of an undisturbed run.
fn moment(seed: u64) -> f64 {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..3 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    let share = u32::try_from(state >> 32).expect("32 bits");
    f64::from(share) / f64::from(u32::MAX)
}

/// The span of the moments: to just about the end of a run. A machine that was busy when the
/// undisturbed run was timed must not put half of the kills behind it.
fn until(undisturbed: Duration) -> Duration {
    undisturbed.min(SLOW.mul_f64(1.15))
}

/// Runs the rounds, a few at once; counts the kills that hit.
fn rounds(round: impl Fn(u64) -> bool + Sync) {
    let (next, hits) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= ROUNDS {
                        return;
                    }
                    hits.fetch_add(u64::from(round(seed)), Ordering::Relaxed);
                }
            });
        }
    });
    let hits = hits.into_inner();
    assert!(hits >= ENOUGH, "only {hits} of {ROUNDS} kills hit a run");
}

/// Starts the command, kills it after `pause`, and says whether it was still at work.
fn kill_after(airbuoy: &Airbuoy, command: &str, pause: Duration) -> bool {
    let mut run = airbuoy.start(command);
    std::thread::sleep(pause);
    let at_work = run.try_wait().expect("a child").is_none();
    run.kill().expect("it can be killed");
    run.wait().expect("it ends");
    at_work
}

fn killed_pulls(bundle: &str) {
    let (content, unique) = content();
    let undisturbed = {
        let source = Faulty::start(content.clone());
        source.pace(PACE);
        let started = Instant::now();
        Airbuoy::new().run(&pull(&source.host(), bundle)).exits(0);
        started.elapsed()
    };
    assert!(undisturbed >= SLOW, "a run takes {undisturbed:?} only");
    let wholes: Mutex<Vec<Vec<u8>>> = Mutex::default();
    rounds(|seed| {
        let airbuoy = Airbuoy::new();
        let source = Faulty::start(content.clone());
        source.pace(PACE);
        let command = pull(&source.host(), bundle);
        let hit = kill_after(&airbuoy, &command, until(undisturbed).mul_f64(moment(seed)));
        // Under its name there is a whole one or none.
        if airbuoy.home().join(bundle).is_file() {
            airbuoy.run(&format!("verify {bundle}")).exits(0);
        }
        source.heal();
        airbuoy.run(&command).exits(0);
        airbuoy.run(&format!("verify {bundle}")).exits(0);
        let layers = source.requests("GET", "/large/image/blobs/");
        let fetched: u64 = layers.iter().map(|request| request.bytes).sum();
        // Bytes that the source had sent and the disk did not hold yet: those of the last second,
        // and a few buffers.
        let in_flight = JOBS * (PACE + (1 << 20));
        assert!(
            fetched <= unique + unique / 10 + in_flight,
            "round {seed}: {fetched} bytes of {unique} were fetched"
        );
        if Path::new(bundle).extension().is_some() {
            let whole = std::fs::read(airbuoy.home().join(bundle)).expect("the bundle");
            let mut wholes = wholes.lock().expect("sound");
            wholes.push(whole);
            wholes.dedup();
            assert_eq!(wholes.len(), 1, "round {seed}: other bytes");
        }
        hit
    });
}

#[test]
fn a_tar_survives_forty_kills() {
    killed_pulls("set.tar");
}

#[test]
fn a_directory_survives_forty_kills() {
    killed_pulls("set");
}

#[test]
fn a_push_survives_forty_kills() {
    let registry = require!(Registry::distribution());
    drop(registry);
    let (content, unique) = content();
    let source = Faulty::start(content);
    let outside = Airbuoy::new();
    outside.run(&pull(&source.host(), "set.tar")).exits(0);
    let bundle = outside.home().join("set.tar");
    let command = |relay: &Relay| format!("push {} {}/k8s", bundle.display(), relay.host());
    let slow = || {
        let registry = Registry::distribution().expect("it was there");
        let relay = Relay::start(registry.host());
        relay.pace(PACE);
        (registry, relay)
    };
    let undisturbed = {
        let (_registry, relay) = slow();
        let started = Instant::now();
        Airbuoy::new().run(&command(&relay)).exits(0);
        started.elapsed()
    };
    assert!(undisturbed >= SLOW, "a run takes {undisturbed:?} only");
    rounds(|seed| {
        let airbuoy = Airbuoy::new();
        let (registry, relay) = slow();
        let command = command(&relay);
        let hit = kill_after(&airbuoy, &command, until(undisturbed).mul_f64(moment(seed)));
        let target = format!("{}/k8s", registry.host());
        let check = format!(
            "verify {target} --deep --kubernetes-version {VERSION} --exclude *.io/* \
             --image {HOST}/large/image:v1"
        );
        relay.pace(0);
        // A tag comes last.
        if registry
            .tags()
            .iter()
            .any(|tag| tag.contains("large/image"))
        {
            airbuoy.run(&check).exits(0);
        }
        airbuoy.run(&command).exits(0);
        airbuoy.run(&check).exits(0);
        // A registry that loses the connection forgets what an upload had: at most the largest
        // layers, one a job, and the heads of all requests.
        let in_flight = JOBS * 6_700_000;
        let sent = relay.sent();
        assert!(
            sent <= unique + unique / 10 + in_flight,
            "round {seed}: {sent} bytes of {unique} were sent"
        );
        hit
    });
}
