//! Results on their way home.

use std::sync::Mutex;
use std::time::Duration;

use airbuoy::sonobuoy::{RetrieveError, RetrieveOptions, TarInfo};
use camino::{Utf8Path, Utf8PathBuf};

use super::{Bench, utf8};
use crate::support::content::digest_of;
use crate::support::registry::temp_dir;

/// Results of some kind, and what the aggregator would tell about them.
fn results(folder: &Utf8Path) -> (Utf8PathBuf, TarInfo) {
    let content: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let path = folder.join("at-the-aggregator");
    std::fs::write(&path, &content).expect("a writable folder");
    let digest = digest_of(&content);
    let told = TarInfo {
        name: "202611231204_sonobuoy_0a1b.tar.gz".to_owned(),
        sha256: digest.trim_start_matches("sha256:").to_owned(),
        size: content.len() as u64,
    };
    (path, told)
}

fn retrieve_options(dir: &Utf8Path) -> RetrieveOptions {
    RetrieveOptions {
        attempts: 5,
        pause: Duration::from_millis(5),
        ..RetrieveOptions::new("sonobuoy", dir)
    }
}

#[tokio::test]
async fn results_arrive_whole_after_several_tries() {
    let bench = Bench::new();
    let (path, told) = results(&bench.dir());
    let failures = ["slow/retrieve-at-once", "slow/retrieve", "cut"];
    bench
        .sonobuoy
        .brings(&told.name, path.as_std_path(), &failures);
    let program = bench.program().await;
    let home = temp_dir();
    let dir = utf8(home.path());
    let tries = Mutex::new(Vec::new());
    let failed = |reason: &str, _| tries.lock().expect("no panic").push(reason.to_owned());
    let brought = program
        .retrieve(&told, &retrieve_options(&dir), failed)
        .await;
    let brought = brought.expect("results");
    assert_eq!(brought.path, dir.join(&told.name));
    assert!(brought.checked && brought.sha256 == told.sha256);
    assert_eq!(
        std::fs::read(&brought.path).expect("a file"),
        std::fs::read(&path).expect("a file")
    );
    let tries = tries.into_inner().expect("no panic");
    assert_eq!(tries[0], "error retrieving results: EOF");
    assert!(tries[2].contains("100000 of 200000 bytes"), "{tries:?}");
    let left: Vec<_> = dir.read_dir_utf8().expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn results_that_do_not_match_get_no_name() {
    let bench = Bench::new();
    let (path, told) = results(&bench.dir());
    bench.sonobuoy.brings(&told.name, path.as_std_path(), &[]);
    let program = bench.program().await;
    let home = temp_dir();
    let dir = utf8(home.path());
    let other = TarInfo {
        sha256: "0".repeat(64),
        ..told.clone()
    };
    let error = program
        .retrieve(&other, &retrieve_options(&dir), |_, _| {})
        .await;
    let error = error.expect_err("another digest");
    assert!(
        matches!(error, RetrieveError::GaveUp { attempts: 5, .. }),
        "{error}"
    );
    assert!(
        error
            .hint()
            .expect("a hint")
            .contains("still in the cluster")
    );
    assert_eq!(dir.read_dir_utf8().expect("a folder").count(), 0);

    let hostile = TarInfo {
        name: "../x".to_owned(),
        ..told
    };
    let error = program
        .retrieve(&hostile, &retrieve_options(&dir), |_, _| {})
        .await;
    assert!(matches!(error, Err(RetrieveError::Name(_))));
}
