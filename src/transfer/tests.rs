//! What the engine promises, against registries in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::testing::{Fake, FaultKind, reference};
use super::*;
use crate::content::{Code, Retry};
use crate::event::{ImageStatus, Silent};
use crate::oci::{Descriptor, Digest};

/// Longer than the large lane's threshold.
const BIG: usize = (1 << 20) + 13;

fn images(pairs: &[(&str, &str)]) -> Vec<Image> {
    let image = |(source, target): &(&str, &str)| Image {
        source: reference(source),
        targets: vec![reference(target)],
    };
    pairs.iter().map(image).collect()
}

fn options() -> CopyOptions {
    CopyOptions {
        first_backoff: Duration::from_millis(1),
        ..CopyOptions::default()
    }
}

async fn run(source: &Arc<Fake>, target: &Arc<Fake>, images: &[Image]) -> Outcome {
    run_with(source, target, images, &options()).await
}

async fn run_with(
    source: &Arc<Fake>,
    target: &Arc<Fake>,
    images: &[Image],
    options: &CopyOptions,
) -> Outcome {
    let cancel = CancellationToken::new();
    copy(
        source.clone(),
        target.clone(),
        images,
        options,
        Arc::new(Silent),
        &cancel,
    )
    .await
}

fn statuses(outcome: &Outcome) -> Vec<ImageStatus> {
    outcome.images.iter().map(|row| row.status).collect()
}

fn two_images_that_share(source: &Fake) -> Vec<Image> {
    let shared = vec![1; BIG];
    source.image("up.io/a:1", &[&shared, b"layer of a"]);
    source.image("up.io/b:1", &[&shared, b"layer of b"]);
    images(&[("up.io/a:1", "t.io/k/a:1"), ("up.io/b:1", "t.io/k/b:1")])
}

#[tokio::test]
async fn a_shared_blob_is_read_once_sent_once_and_mounted() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    let shared = Digest::of(&vec![1; BIG]);

    let outcome = run(&source, &target, &images).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
    let blob_reads = source
        .log()
        .iter()
        .filter(|l| l.contains(shared.as_str()))
        .count();
    assert_eq!(blob_reads, 1);
    let sends = target.log();
    let sends = sends
        .iter()
        .filter(|l| l.starts_with("PUT") && l.contains(shared.as_str()));
    assert_eq!(sends.count(), 1);
    assert_eq!(target.count("MOUNT"), 1);
    assert_eq!(outcome.blobs.mounted, 1);
    assert_eq!(
        (
            outcome.blobs.unique,
            outcome.blobs.transferred,
            outcome.blobs.present
        ),
        (5, 5, 0)
    );
    assert_eq!(outcome.bytes.transferred, outcome.bytes.unique);
    assert_eq!(outcome.bytes.logical, outcome.bytes.unique + BIG as u64);
    assert_eq!(outcome.bytes.wasted, 0);
    assert_eq!(target.digest("t.io/k/a:1"), source.digest("up.io/a:1"));
    assert_eq!(target.count("TRY"), 1, "one project, one try");
    assert_eq!(target.open_uploads(), 0);
}

#[tokio::test]
async fn a_second_run_is_one_head_a_side_and_nothing_else() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    run(&source, &target, &images).await;
    source.clear_log();
    target.clear_log();

    let outcome = run(&source, &target, &images).await;
    assert_eq!(statuses(&outcome), [ImageStatus::Present; 2]);
    assert_eq!(source.log(), ["HEAD up.io/a:1", "HEAD up.io/b:1"]);
    assert_eq!(target.log(), ["HEAD t.io/k/a:1", "HEAD t.io/k/b:1"]);
    assert_eq!(
        outcome.images[0].source_digest,
        outcome.images[0].target_digest
    );
}

#[tokio::test]
async fn blobs_come_before_manifests_children_before_indexes_and_the_tag_last() {
    let (source, target) = (Fake::new(), Fake::new());
    let amd64 = source.image("up.io/a:amd64", &[b"x"]);
    let arm64 = source.image("up.io/a:arm64", &[b"y"]);
    let inner = source.index("up.io/a:inner", &[(&arm64, "linux/arm64")]);
    let outer = source.index(
        "up.io/a:1",
        &[
            (&amd64, "linux/amd64"),
            (&inner, ""),
            (&amd64, "linux/amd64"),
        ],
    );

    // The fake refuses a manifest whose parts are missing, so success proves the order.
    let outcome = run(&source, &target, &images(&[("up.io/a:1", "t.io/a:1")])).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
    assert_eq!(target.digest("t.io/a:1").as_ref(), Some(outer.digest()));
    let log = target.log();
    assert_eq!(log.last().map(String::as_str), Some("PUT t.io/a:1"));
    let child = format!("PUT t.io/a@{}", amd64.digest());
    assert_eq!(
        log.iter().filter(|line| **line == child).count(),
        1,
        "a repeated child is sent once"
    );
}

#[tokio::test]
async fn a_broken_stream_goes_on_where_it_broke() {
    let (source, target) = (Fake::new(), Fake::new());
    let layer: Vec<u8> = (0..BIG)
        .map(|i| u8::try_from(i % 251).expect("small"))
        .collect();
    source.image("up.io/a:1", &[&layer]);
    let at = format!("BLOB up.io/a@{}", Digest::of(&layer));
    source.fault(&at, 3, FaultKind::CutAfter(1000));

    let outcome = run(&source, &target, &images(&[("up.io/a:1", "t.io/a:1")])).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
    let offsets: Vec<String> = source
        .log()
        .iter()
        .filter_map(|line| Some(line.strip_prefix(&at)?.trim().to_owned()))
        .collect();
    assert_eq!(offsets, ["0", "1000", "2000", "3000"]);
    let puts = format!("PUT t.io/a@{}", Digest::of(&layer));
    assert_eq!(target.count(&puts), 1, "all of it inside one PUT");
    assert_eq!(outcome.bytes.wasted, 0);
}

#[tokio::test]
async fn an_upload_that_holds_something_gets_only_the_rest() {
    let layer: Vec<u8> = (0..BIG)
        .map(|i| u8::try_from(i % 251).expect("small"))
        .collect();
    let digest = Digest::of(&layer);
    let at = format!("BLOB up.io/a@{digest}");
    // Nothing, some and all of it; and something else, which is found out and forgotten.
    let mut wrong = layer[..5000].to_vec();
    wrong[77] ^= 1;
    for (held, reads) in [
        (&layer[..1], &["1"][..]),
        (&layer[..5000], &["5000"]),
        (&layer[..], &[]),
        (&wrong, &["5000", "0"]),
    ] {
        let (source, target) = (Fake::new(), Fake::new());
        source.image("up.io/a:1", &[&layer]);
        target.hold(&digest, held);
        let outcome = run(&source, &target, &images(&[("up.io/a:1", "t.io/a:1")])).await;
        assert!(outcome.is_complete(), "{:?}", outcome.errors);
        let log = source.log();
        let offsets: Vec<&str> = log
            .iter()
            .filter_map(|line| Some(line.strip_prefix(&at)?.trim()))
            // The registry in memory is asked early, from the beginning, before it is known that
            // something is held.
            .skip(1)
            .collect();
        assert_eq!(offsets, reads, "{} bytes held", held.len());
        let arrived = target.bytes(reference("t.io/a:1").repository(), &digest);
        assert!(arrived.expect("the blob") == layer);
    }
}

#[tokio::test]
async fn a_delta_relies_on_what_the_target_has() {
    for mounts in [true, false] {
        let (source, target) = (Fake::new(), Fake::new());
        let images = two_images_that_share(&source);
        let shared = vec![1; BIG];
        let old = reference("t.io/old/x:1");
        let blob = target.blob(old.repository(), shared.clone());
        // The delta's bundle does not have it.
        for name in ["up.io/a:1", "up.io/b:1"] {
            source.remove_blob(reference(name).repository(), &blob.digest);
        }
        if !mounts {
            target.refuse_mounts();
        }
        let nowhere = Descriptor::new("x", Digest::of(b"nowhere"), 7);
        let candidates =
            ["t.io/k/a:1", "t.io/old/x:1"].map(|at| reference(at).repository().clone());
        let relied = [blob.clone(), nowhere].map(|blob| Relied {
            blob,
            candidates: candidates.to_vec(),
        });
        let (at_target, missing) = locate(&*target, &relied).await.expect("answers");
        assert_eq!(missing, [1]);
        assert_eq!(
            at_target.on_host(&blob.digest, "t.io"),
            Some(old.repository())
        );
        assert_eq!(at_target.on_host(&blob.digest, "other.io"), None);

        let options = CopyOptions {
            at_target: at_target.clone(),
            ..options()
        };
        let source = Arc::new(WithTarget::new(source, target.clone(), at_target));
        let cancel = CancellationToken::new();
        let observer = Arc::new(Silent);
        let outcome = copy(source, target.clone(), &images, &options, observer, &cancel).await;
        assert!(outcome.is_complete(), "{:?}", outcome.errors);
        for name in ["t.io/k/a:1", "t.io/k/b:1"] {
            let arrived = target.bytes(reference(name).repository(), &blob.digest);
            assert!(arrived.expect("the blob") == shared, "{name}");
        }
        let inside = target.count(&format!("BLOB t.io/old/x@{}", blob.digest));
        assert_eq!(inside, if mounts { 0 } else { 2 });
        assert_eq!(outcome.blobs.mounted, if mounts { 2 } else { 0 });
    }
}

#[tokio::test]
async fn wrong_bytes_are_tried_once_more_and_never_committed() {
    let (source, target) = (Fake::new(), Fake::new());
    source.image("up.io/a:1", &[b"good layer, long enough for chunks"]);
    source.image("up.io/b:1", &[b"another"]);
    let digest = Digest::of(b"good layer, long enough for chunks");
    let pairs = images(&[("up.io/a:1", "t.io/a:1"), ("up.io/b:1", "t.io/b:1")]);
    source.fault(&format!("BLOB up.io/a@{digest}"), 99, FaultKind::Flip);

    let outcome = run(&source, &target, &pairs).await;
    assert_eq!(
        statuses(&outcome),
        [ImageStatus::Failed, ImageStatus::Copied]
    );
    let error = outcome.images[0].error.as_ref().expect("an error");
    assert_eq!(
        (error.code, error.side.as_str()),
        ("digest_mismatch", "source")
    );
    assert_eq!(error.digest.as_deref(), Some(digest.as_str()));
    assert_eq!(target.digest("t.io/a:1"), None);
    assert_eq!(source.count(&format!("BLOB up.io/a@{digest}")), 2);
    assert!(outcome.bytes.wasted > 0);

    // One bad read alone is no reason to fail.
    let target = Fake::new();
    let source = Fake::new();
    source.image("up.io/a:1", &[b"good layer, long enough for chunks"]);
    source.fault(&format!("BLOB up.io/a@{digest}"), 1, FaultKind::Flip);
    let outcome = run(&source, &target, &images(&[("up.io/a:1", "t.io/a:1")])).await;
    assert!(outcome.is_complete());
}

#[tokio::test]
async fn an_image_that_fails_does_not_stop_the_others() {
    let (source, target) = (Fake::new(), Fake::new());
    source.image("up.io/good:1", &[b"1"]);
    source.image("up.io/denied:1", &[b"2"]);
    target.fault(
        "POST t.io/denied",
        99,
        FaultKind::Fail(Code::Denied, Retry::Never),
    );
    let pairs = images(&[
        ("up.io/good:1", "t.io/good:1"),
        ("up.io/missing:1", "t.io/missing:1"),
        ("up.io/denied:1", "t.io/denied:1"),
    ]);
    let outcome = run(&source, &target, &pairs).await;
    assert_eq!(
        statuses(&outcome),
        [
            ImageStatus::Copied,
            ImageStatus::Failed,
            ImageStatus::Failed
        ]
    );
    let missing = outcome.images[1].error.as_ref().expect("an error");
    assert_eq!(
        (missing.code, missing.side.as_str()),
        ("not_found", "source")
    );
    assert_eq!(
        missing.hint.as_deref(),
        Some("to do without it, add --exclude 'up.io/missing:1'")
    );
    let denied = outcome.images[2].error.as_ref().expect("an error");
    assert_eq!((denied.code, denied.side.as_str()), ("denied", "target"));
}

#[tokio::test]
async fn a_repository_that_refuses_leaves_the_shared_blob_to_its_neighbour() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    target.fault(
        "POST t.io/k/a",
        99,
        FaultKind::Fail(Code::Denied, Retry::Never),
    );
    let outcome = run(&source, &target, &images).await;
    assert_eq!(
        statuses(&outcome),
        [ImageStatus::Failed, ImageStatus::Copied]
    );
}

#[tokio::test]
async fn passing_trouble_is_retried_and_lasting_trouble_reported() {
    let (source, target) = (Fake::new(), Fake::new());
    source.image("up.io/a:1", &[b"layer"]);
    target.fault(
        "PUT t.io/a@",
        2,
        FaultKind::Fail(Code::ServerError, Retry::Backoff),
    );
    let after = Retry::After(Duration::from_millis(5));
    target.fault("PUT t.io/a:1", 1, FaultKind::Fail(Code::Throttled, after));
    let pairs = images(&[("up.io/a:1", "t.io/a:1")]);
    assert!(run(&source, &target, &pairs).await.is_complete());

    let target = Fake::new();
    target.fault(
        "PUT t.io/a@",
        99,
        FaultKind::Fail(Code::ServerError, Retry::Backoff),
    );
    let outcome = run(&source, &target, &pairs).await;
    assert_eq!(
        outcome.images[0].error.as_ref().expect("an error").code,
        "server_error"
    );
    let most = target
        .log()
        .iter()
        .filter(|line| line.starts_with("PUT t.io/a@"))
        .count();
    assert_eq!(most, 2 * 5, "two blobs, five tries each");
}

#[tokio::test]
async fn what_landed_before_a_crash_is_not_sent_again() {
    let (source, target) = (Fake::new(), Fake::new());
    let big = vec![9; BIG];
    source.image("up.io/a:1", &[&big, b"small"]);
    let pairs = images(&[("up.io/a:1", "t.io/a:1")]);
    // The crash: everything but the manifest arrived.
    target.fault(
        "PUT t.io/a:1",
        99,
        FaultKind::Fail(Code::ServerError, Retry::Never),
    );
    assert!(!run(&source, &target, &pairs).await.is_complete());
    assert_eq!(target.digest("t.io/a:1"), None);
    assert_eq!(target.count("PUT t.io/a@"), 3);

    // The same registry, well again.
    let revived = Fake::new();
    let landed = [Digest::of(&big), Digest::of(b"small")];
    for bytes in [&big[..], b"small"] {
        revived.blob(reference("t.io/a:1").repository(), bytes.to_vec());
    }
    let outcome = run(&source, &revived, &pairs).await;
    assert!(outcome.is_complete());
    for digest in landed {
        assert_eq!(
            revived.count(&format!("PUT t.io/a@{digest}")),
            0,
            "{digest} was there"
        );
    }
    assert_eq!((outcome.blobs.present, outcome.blobs.transferred), (2, 1));
}

#[tokio::test]
async fn a_host_that_will_not_mount_gets_the_bytes() {
    let (source, target) = (Fake::new(), Fake::new());
    target.refuse_mounts();
    let images = two_images_that_share(&source);
    let outcome = run(&source, &target, &images).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
    assert_eq!(outcome.blobs.mounted, 0);
    assert_eq!(outcome.bytes.transferred, outcome.bytes.unique + BIG as u64);
    assert_eq!(target.open_uploads(), 0);
}

#[tokio::test]
async fn a_mount_that_was_a_lie_is_repaired_once() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    target.fault("MOUNT", 1, FaultKind::Lie);
    let outcome = run(&source, &target, &images).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
}

#[tokio::test]
async fn two_images_for_one_name_are_refused_before_a_byte_moves() {
    let (source, target) = (Fake::new(), Fake::new());
    source.image("up.io/a/x:1", &[b"1"]);
    source.image("up.io/b/x:1", &[b"2"]);
    source.image("up.io/c/x:1", &[b"1"]);
    let collide = images(&[("up.io/a/x:1", "t.io/x:1"), ("up.io/b/x:1", "t.io/x:1")]);
    let outcome = run(&source, &target, &collide).await;
    assert_eq!(statuses(&outcome), [ImageStatus::Failed; 2]);
    assert_eq!(
        outcome.images[0].error.as_ref().expect("an error").code,
        "collision"
    );
    assert_eq!((target.count("POST"), target.count("PUT")), (0, 0));

    // The same content under one name is no collision.
    let same = images(&[("up.io/a/x:1", "t.io/x:1"), ("up.io/c/x:1", "t.io/x:1")]);
    let outcome = run(&source, &target, &same).await;
    assert_eq!(statuses(&outcome), [ImageStatus::Copied; 2]);
    assert_eq!(target.count("PUT t.io/x:1"), 1);
}

#[tokio::test]
async fn two_targets_share_one_read() {
    let (source, target) = (Fake::new(), Fake::new());
    let layer = vec![4; BIG];
    source.image("up.io/a:1", &[&layer]);
    let image = Image {
        source: reference("up.io/a:1"),
        targets: vec![reference("t.io/a:1"), reference("u.io/a:1")],
    };
    let outcome = run(&source, &target, &[image]).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
    assert_eq!(source.count("BLOB"), 2, "config and layer, once each");
    assert_eq!(target.digest("u.io/a:1"), source.digest("up.io/a:1"));
    assert_eq!(outcome.images.len(), 2);
}

#[tokio::test]
async fn one_of_two_targets_may_fail_alone() {
    let (source, target) = (Fake::new(), Fake::new());
    source.image("up.io/a:1", &[&vec![4; BIG]]);
    target.fault(
        "PUT u.io/a@",
        99,
        FaultKind::Fail(Code::ServerError, Retry::Never),
    );
    let image = Image {
        source: reference("up.io/a:1"),
        targets: vec![reference("t.io/a:1"), reference("u.io/a:1")],
    };
    let outcome = run(&source, &target, &[image]).await;
    assert_eq!(
        statuses(&outcome),
        [ImageStatus::Copied, ImageStatus::Failed]
    );
}

#[tokio::test]
async fn platforms_make_a_subset_that_is_recognised_again() {
    let (source, target) = (Fake::new(), Fake::new());
    let amd64 = source.image("up.io/a:amd64", &[b"x"]);
    let windows = source.image("up.io/a:windows", &[b"y"]);
    source.index(
        "up.io/a:1",
        &[(&amd64, "linux/amd64"), (&windows, "windows/amd64")],
    );
    let only_windows = source.image("up.io/w:windows", &[b"z"]);
    source.index("up.io/w:1", &[(&only_windows, "windows/amd64")]);
    let pairs = images(&[("up.io/a:1", "t.io/a:1"), ("up.io/w:1", "t.io/w:1")]);
    let options = CopyOptions {
        platforms: "linux".parse().expect("a selection"),
        ..options()
    };

    let outcome = run_with(&source, &target, &pairs, &options).await;
    assert_eq!(
        statuses(&outcome),
        [ImageStatus::Copied, ImageStatus::Skipped]
    );
    assert_eq!(
        outcome.images[1].error.as_ref().expect("a reason").code,
        "platform_missing"
    );
    assert_ne!(
        outcome.images[0].source_digest,
        outcome.images[0].target_digest
    );
    assert_eq!(target.count(&format!("PUT t.io/a@{}", windows.digest())), 0);

    let outcome = run_with(&source, &target, &pairs, &options).await;
    assert_eq!(
        statuses(&outcome),
        [ImageStatus::Present, ImageStatus::Skipped]
    );
}

#[tokio::test]
async fn odd_but_legal_images_are_copied_as_they_are() {
    let (source, target) = (Fake::new(), Fake::new());
    // A zero-length layer, a repeated layer, and a foreign layer whose bytes nobody holds.
    source.image("up.io/a:1", &[b"", b"twice", b"twice"]);
    let name = reference("up.io/f:1");
    let config = source.blob(name.repository(), &b"{}"[..]);
    let mut foreign = Descriptor::new(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        Digest::of(b"elsewhere"),
        9,
    );
    foreign.urls = vec!["https://elsewhere.example/layer".to_owned()];
    source.store(
        &name,
        &super::testing::image_manifest(&config, &[foreign.clone()]),
    );
    let pairs = images(&[("up.io/a:1", "t.io/a:1"), ("up.io/f:1", "t.io/f:1")]);
    let outcome = run(&source, &target, &pairs).await;
    assert!(outcome.is_complete(), "{:?}", outcome.errors);
    assert_eq!(
        target.count(&format!("PUT t.io/a@{}", Digest::of(b"twice"))),
        1
    );
    assert!(
        !source
            .log()
            .iter()
            .any(|line| line.contains(foreign.digest.as_str()))
    );
}

#[tokio::test]
async fn a_project_that_takes_nothing_is_found_before_the_first_byte() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    target.fault(
        "TRY",
        9,
        FaultKind::Fail(Code::RepositoryRefused, Retry::Never),
    );
    let outcome = run(&source, &target, &images).await;
    assert_eq!(statuses(&outcome), [ImageStatus::Failed; 2]);
    assert_eq!((source.count("BLOB"), target.count("POST")), (0, 0));
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_counts() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    let options = CopyOptions {
        dry_run: true,
        ..options()
    };
    let outcome = run_with(&source, &target, &images, &options).await;
    assert_eq!(statuses(&outcome), [ImageStatus::Planned; 2]);
    assert_eq!(
        (
            target.count("POST"),
            target.count("PUT"),
            source.count("BLOB")
        ),
        (0, 0, 0)
    );
    assert_eq!(outcome.blobs.unique, 5);
}

#[tokio::test]
async fn a_stopped_run_says_so_and_leaves_no_tag_behind() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = copy(
        source,
        target.clone(),
        &images,
        &options(),
        Arc::new(Silent),
        &cancel,
    )
    .await;
    assert!(outcome.cancelled && !outcome.is_complete());
    assert_eq!(
        outcome.images[0].error.as_ref().expect("an error").code,
        "cancelled"
    );
    assert_eq!(target.digest("t.io/k/a:1"), None);
}

async fn check(
    target: &Arc<Fake>,
    images: &[Image],
    deep: bool,
    expected: Option<Digest>,
) -> Outcome {
    let checks: Vec<Check> = images
        .iter()
        .map(|image| Check {
            source: image.source.clone(),
            target: image.targets[0].clone(),
            expected: expected.clone(),
        })
        .collect();
    let options = VerifyOptions {
        platforms: "all".parse().expect("all"),
        deep,
        jobs: 2,
    };
    verify(
        target.clone(),
        &checks,
        &options,
        Arc::new(Silent),
        &CancellationToken::new(),
    )
    .await
}

#[tokio::test]
async fn verify_finds_what_is_missing_and_deep_what_is_wrong() {
    let (source, target) = (Fake::new(), Fake::new());
    let images = two_images_that_share(&source);
    run(&source, &target, &images).await;
    let sound = check(&target, &images, true, None).await;
    assert!(sound.is_complete(), "{:?}", sound.errors);
    assert_eq!(sound.blobs.present, 5);

    let other: Option<Digest> = Some(Digest::of(b"other"));
    assert!(!check(&target, &images, false, other).await.is_complete());

    let a = reference("t.io/k/a:1");
    target.corrupt_blob(a.repository(), &Digest::of(b"layer of a"));
    assert!(
        check(&target, &images, false, None).await.is_complete(),
        "sizes alone look sound"
    );
    let deep = check(&target, &images, true, None).await;
    assert_eq!(statuses(&deep), [ImageStatus::Failed, ImageStatus::Present]);
    assert_eq!(
        deep.images[0].error.as_ref().expect("an error").code,
        "digest_mismatch"
    );

    target.remove_blob(a.repository(), &Digest::of(b"layer of a"));
    let absent = check(&target, &images, false, None).await;
    assert_eq!(
        statuses(&absent),
        [ImageStatus::Failed, ImageStatus::Present]
    );
    let never = self::images(&[("up.io/n:1", "t.io/n:1")]);
    let gone = check(&target, &never, false, None).await;
    assert_eq!(
        gone.images[0].error.as_ref().expect("an error").code,
        "not_found"
    );
}
