//! What comes back by repairing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::super::record::FORMAT;
use super::super::{BundleError, RealDisk, Record, WriteOptions, Writer};
use super::testing::{Layout, OnDisk, SHARED, layer};
use super::*;
use crate::catalog::Catalog;
use crate::content::{BlobStream, Code, Failure, Retry, Source};
use crate::event::{Observer, Silent};
use crate::oci::{Descriptor, Digest, RawManifest, Reference, Repository};

/// Upstream: another bundle, that breaks once and counts the bytes it gave.
struct Upstream {
    bundle: Bundle,
    breaks: AtomicU64,
    given: AtomicU64,
}

impl Upstream {
    fn new(disk: &OnDisk) -> Arc<Self> {
        Arc::new(Self {
            bundle: disk.open(),
            breaks: AtomicU64::new(1),
            given: AtomicU64::new(0),
        })
    }
}

impl Source for Upstream {
    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Failure> {
        self.bundle.resolve(reference).await
    }

    async fn manifest(&self, reference: &Reference) -> Result<RawManifest, Failure> {
        assert_eq!(reference.host(), "registry.k8s.io");
        Source::manifest(&self.bundle, reference).await
    }

    async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        assert_eq!(repository.host(), "registry.k8s.io");
        if self.breaks.swap(0, Ordering::Relaxed) > 0 {
            let broken = Failure::new(Code::Interrupted, repository.host(), "it broke");
            return Err(broken.retry(Retry::Backoff));
        }
        self.given.fetch_add(descriptor.size, Ordering::Relaxed);
        Source::blob(&self.bundle, repository, descriptor, offset).await
    }
}

async fn repair(bundle: &Bundle, faults: &[Fault], upstream: &Arc<Upstream>) -> Repaired {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let cancel = CancellationToken::new();
    let repaired = bundle.repair(faults, upstream, &observer, &cancel).await;
    repaired.expect("nobody else has it")
}

fn faults(bundle: &Bundle) -> Vec<Fault> {
    let verified = bundle.verify(&Silent, &CancellationToken::new());
    verified.expect("not cancelled").faults
}

#[tokio::test]
async fn a_repair_fetches_what_is_damaged_and_nothing_else() {
    let sound = Layout::two_images();
    let upstream = sound.in_tar();
    let large = Digest::of(&layer(2, 700_000));
    let manifest = sound.entries[1].descriptor.digest.clone();
    let mut damaged = sound.clone();
    damaged.flip(&large);
    damaged.flip(&Digest::of(SHARED));
    for disk in damaged.everywhere() {
        let upstream = Upstream::new(&upstream);
        let bundle = disk.open();
        let repaired = repair(&bundle, &faults(&bundle), &upstream).await;
        assert!(repaired.failed.is_empty(), "{:?}", repaired.failed);
        let expected = 700_000 + SHARED.len() as u64;
        assert_eq!(
            repaired.fetched,
            Totals {
                count: 2,
                bytes: expected
            }
        );
        assert_eq!(upstream.given.load(Ordering::Relaxed), expected);
        assert_eq!(faults(&disk.open()), []);
        let names: Vec<_> = disk.dir.path().read_dir().expect("read").collect();
        assert!(
            names
                .iter()
                .flatten()
                .all(|n| !n.file_name().to_string_lossy().contains("repair"))
        );
    }
    // Byte for byte the tar that it was.
    let disk = damaged.in_tar();
    let bundle = disk.open();
    repair(&bundle, &faults(&bundle), &Upstream::new(&upstream)).await;
    assert!(std::fs::read(&disk.path).expect("read") == sound.tar());

    // A damaged manifest hides what it names; the second look finds it.
    let mut hidden = damaged.clone();
    hidden.flip(&manifest);
    let disk = hidden.in_tar();
    let bundle = disk.open();
    let first = repair(&bundle, &faults(&bundle), &Upstream::new(&upstream)).await;
    assert_eq!(first.failed.len(), 1, "the layer that nothing names yet");
    let bundle = disk.open();
    let second = repair(&bundle, &faults(&bundle), &Upstream::new(&upstream)).await;
    assert!(second.failed.is_empty(), "{:?}", second.failed);
    assert_eq!(faults(&disk.open()), []);
}

#[tokio::test]
async fn what_is_missing_comes_back_into_a_folder_and_not_into_a_tar() {
    let sound = Layout::two_images();
    let upstream = sound.in_tar();
    let large = Digest::of(&layer(2, 700_000));
    let mut lacking = sound.clone();
    lacking
        .members
        .remove(&format!("blobs/sha256/{}", large.hex()))
        .expect("there");
    let disk = lacking.in_folder();
    let bundle = disk.open();
    let repaired = repair(&bundle, &faults(&bundle), &Upstream::new(&upstream)).await;
    assert_eq!(repaired.fetched.count, 1);
    assert_eq!(faults(&disk.open()), []);

    let disk = lacking.in_tar();
    let before = std::fs::read(&disk.path).expect("read");
    let bundle = disk.open();
    let repaired = repair(&bundle, &faults(&bundle), &Upstream::new(&upstream)).await;
    let [(digest, failure)] = &repaired.failed[..] else {
        panic!("one failure");
    };
    assert_eq!(*digest, large);
    assert!(failure.to_string().contains("no place for it"), "{failure}");
    assert!(std::fs::read(&disk.path).expect("read") == before);
}

#[tokio::test]
async fn wrong_bytes_from_upstream_change_nothing() {
    let large = Digest::of(&layer(2, 700_000));
    let mut damaged = Layout::two_images();
    damaged.flip(&large);
    // Upstream is damaged in the same way.
    let upstream = damaged.in_tar();
    for disk in damaged.everywhere() {
        let bundle = disk.open();
        let repaired = repair(&bundle, &faults(&bundle), &Upstream::new(&upstream)).await;
        let [(digest, failure)] = &repaired.failed[..] else {
            panic!("one failure");
        };
        assert_eq!((digest, failure.code()), (&large, Code::DigestMismatch));
        assert_eq!(faults(&disk.open()).len(), 1);
    }
}

#[tokio::test]
async fn a_writer_a_server_and_a_repair_keep_apart() {
    let layout = Layout::two_images();
    let upstream = Upstream::new(&layout.in_tar());
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let cancel = CancellationToken::new();
    for (n, disk) in layout.everywhere().into_iter().enumerate() {
        let bundle = disk.open();
        let locked = async || {
            let repaired = bundle.repair(&[], &upstream, &observer, &cancel).await;
            matches!(repaired, Err(BundleError::Locked { .. }))
        };
        let write = || {
            let options = WriteOptions {
                split: None,
                external: Vec::new(),
                record: record(),
            };
            Writer::open(&disk.path, options, RealDisk)
        };
        let writer = write().expect("free");
        assert!(locked().await, "the writer has it");
        let is_folder = n == 0;
        if is_folder {
            assert!(matches!(bundle.share(), Err(BundleError::Locked { .. })));
        }
        drop(writer);
        let two = [
            bundle.share().expect("free"),
            bundle.share().expect("shared"),
        ];
        assert_eq!(locked().await, is_folder);
        assert_eq!(write().is_err(), is_folder);
        drop(two);
        assert!(!locked().await);
    }
}

fn record() -> Record {
    Record {
        format: FORMAT,
        tool: "airbuoy 0.0.0".into(),
        platforms: "all".into(),
        images: Vec::new(),
        releases: Vec::new(),
        sonobuoy: Catalog::embedded().sonobuoy(None).expect("the default"),
        external: Vec::new(),
    }
}

#[tokio::test]
async fn a_tar_that_was_replaced_meanwhile_is_left_alone() {
    let sound = Layout::two_images();
    let upstream = Upstream::new(&sound.in_tar());
    let mut damaged = sound.clone();
    damaged.flip(&Digest::of(SHARED));
    let disk = damaged.in_tar();
    let bundle = disk.open();
    let faults = faults(&bundle);
    assert_eq!(faults.len(), 1);
    let new = disk.path.with_file_name("new");
    std::fs::write(&new, sound.tar()).expect("written");
    std::fs::rename(&new, &disk.path).expect("renamed");

    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let cancel = CancellationToken::new();
    let refused = bundle.repair(&faults, &upstream, &observer, &cancel).await;
    let told = refused.expect_err("another file").to_string();
    assert!(told.contains("was replaced"), "{told}");
    assert!(std::fs::read(&disk.path).expect("read") == sound.tar());
    assert_eq!(upstream.given.load(Ordering::Relaxed), 0);
}
