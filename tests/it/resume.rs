//! A run that was killed is finished by the next one, which sends nothing twice.

use std::collections::BTreeMap;
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
