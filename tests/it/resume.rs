//! A run that was killed is finished by the next one, which sends nothing twice.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::access_log::Access;
use crate::support::airbuoy::Airbuoy;
use crate::support::content::Content;
use crate::support::faulty::Faulty;
use crate::support::images::{self, mirror_only};
use crate::support::registry::Registry;
use crate::support::skip::require;

/// One image of 12 layers of 1.2 to 6.7 MB: large enough that their presence is asked for.
fn large_image() -> (Content, Vec<String>) {
    let mut content = Content::default();
    let layers: Vec<_> = (0..12)
        .map(|n| content.layer("large/image", n, 1_200_000 + n * 500_000))
        .collect();
    let image = content.image("large/image", "large", "linux/amd64", &layers);
    content.tag("large/image", "v1", &image);
    (content, layers.into_iter().map(|l| l.digest).collect())
}

#[test]
fn a_killed_run_leaves_no_tag_and_the_next_sends_no_landed_layer_again() {
    let target = require!(Registry::distribution());
    let (content, layers) = large_image();
    let source = Faulty::start(content);
    source.pace(2_000_000);
    let command = mirror_only(&["large/image:v1"], &source.host(), &target.host());
    let airbuoy = Airbuoy::new();

    let mut run = airbuoy.start(&command);
    let deadline = Instant::now() + Duration::from_mins(1);
    let landed = |log: &[Access]| -> Vec<String> {
        let uploads = log.iter().filter_map(Access::uploaded);
        uploads.filter(|digest| layers.contains(digest)).collect()
    };
    while landed(&target.log()).len() < 3 {
        assert!(Instant::now() < deadline, "nothing lands");
        assert!(run.try_wait().expect("a child").is_none(), "it ended early");
    }
    run.kill().expect("it still runs");
    run.wait().expect("it ends");
    let before = landed(&target.log());
    assert!(before.len() < 12, "it was killed too late to tell");
    assert_eq!(images::without_runners(target.tags()), [""; 0]);

    source.heal();
    airbuoy.run(&command).exits(0);
    assert_eq!(images::without_runners(target.tags()).len(), 1);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for digest in landed(&target.log()) {
        *times.entry(digest).or_default() += 1;
    }
    assert_eq!(times.len(), 12);
    assert!(times.values().all(|count| *count == 1), "{times:#?}");
    for digest in before {
        let path = format!("/blobs/{digest}");
        let fetched = source.requests("GET", &path);
        assert_eq!(fetched.len(), 1, "{digest} had landed");
    }
}

#[test]
fn a_run_that_is_interrupted_says_what_is_in_place_and_the_next_goes_on() {
    let target = require!(Registry::distribution());
    let (content, layers) = large_image();
    let source = Faulty::start(content);
    source.pace(2_000_000);
    let command = mirror_only(&["large/image:v1"], &source.host(), &target.host());
    let airbuoy = Airbuoy::new();

    let mut run = airbuoy.command(&format!("{command} --report report.json"));
    run.stderr(Stdio::piped()).stdout(Stdio::null());
    let run = run.spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_mins(1);
    let landed = || -> usize {
        let log = target.log();
        log.iter()
            .filter_map(Access::uploaded)
            .filter(|digest| layers.contains(digest))
            .count()
    };
    while landed() < 2 {
        assert!(Instant::now() < deadline, "nothing lands");
    }
    let interrupted = Instant::now();
    let kill = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    let ended = run.wait_with_output().expect("it ends");
    assert!(
        interrupted.elapsed() < Duration::from_secs(10),
        "it did not stop at once"
    );
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("Stopped: "), "{said}");
    assert!(said.contains("No config files were written"), "{said}");
    assert!(!airbuoy.home().join("custom-repo-config.yaml").exists());
    let report = std::fs::read_to_string(airbuoy.home().join("report.json")).expect("a report");
    assert!(report.contains("\"cancelled\""), "{report}");

    source.heal();
    airbuoy.run(&command).exits(0);
    assert_eq!(images::without_runners(target.tags()).len(), 1);
}
