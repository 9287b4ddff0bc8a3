//! What checking and hashing finds.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::super::record::{External, FORMAT, Record};
use super::testing::{Layout, SHARED, layer};
use super::*;
use crate::catalog::Catalog;
use crate::content::{BlobReader as _, Code};
use crate::event::{Event, Observer, Silent};
use crate::oci::{Descriptor, Digest, media_type};

fn verify(bundle: &Bundle) -> Verification {
    let verified = bundle.verify(&Silent, &CancellationToken::new());
    verified.expect("not cancelled")
}

#[test]
fn folder_tar_and_volumes_are_one() {
    let layout = Layout::two_images();
    for disk in layout.everywhere() {
        let bundle = disk.open();
        assert_eq!(bundle.path(), disk.path);
        assert_eq!(bundle.entries().len(), 2);
        assert!(bundle.record().is_none());
        assert_eq!(bundle.check(), []);
        let verified = verify(&bundle);
        assert_eq!(verified.faults, []);
        // An index, two manifests, one config, three layers.
        assert_eq!(verified.read.count, 7);
        let bytes: usize = layout
            .members
            .iter()
            .filter(|(p, _)| p.starts_with("blobs/"))
            .map(|(_, b)| b.len())
            .sum();
        assert_eq!(verified.read.bytes, bytes as u64);
        let mut images = bundle.images_of(&Digest::of(SHARED));
        images.sort();
        assert_eq!(
            images,
            [
                "registry.k8s.io/e2e/agnhost:2",
                "registry.k8s.io/pause:3.10"
            ]
        );
        assert_eq!(bundle.images_of(&Digest::of(b"nothing")), [""; 0]);
    }
    let disk = layout.in_volumes();
    for part in ["set.tar.volumes", "set.tar.001", "set.tar.005"] {
        let bundle = Bundle::open(&disk.path.with_file_name(part)).expect(part);
        assert_eq!(bundle.path(), disk.path);
    }
}

#[test]
fn one_flipped_bit_is_found_with_whom_it_hurts_and_where() {
    let large = Digest::of(&layer(2, 700_000));
    let mut layout = Layout::two_images();
    layout.flip(&large);
    for disk in layout.everywhere() {
        let bundle = disk.open();
        assert_eq!(bundle.check(), [], "the structure is sound");
        let [fault] = &verify(&bundle).faults[..] else {
            panic!("one fault");
        };
        assert_eq!((fault.kind, &fault.digest), (FaultKind::Digest, &large));
        assert_eq!(fault.images, ["registry.k8s.io/e2e/agnhost:2"]);
        assert_eq!(fault.place, bundle.locate(&large).expect("there"));
        assert!(
            fault
                .to_string()
                .contains(&format!("blobs/sha256/{}", large.hex())),
            "{fault}"
        );
    }
    let fault = verify(&layout.in_volumes().open()).faults.remove(0);
    assert!(fault.place.volumes.len() >= 7, "{:?}", fault.place);
    assert!(fault.to_string().contains("set.tar.003"), "{fault}");

    // A blob inside one volume names that one.
    let mut layout = Layout::two_images();
    layout.flip(&Digest::of(SHARED));
    let fault = verify(&layout.in_volumes().open()).faults.remove(0);
    assert_eq!(fault.images.len(), 2);
    assert_eq!(fault.place.volumes.len(), 1, "{:?}", fault.place);
}

#[test]
fn a_damaged_manifest_is_a_fault_of_the_structure() {
    let mut layout = Layout::two_images();
    let manifest = layout.entries[1].descriptor.digest.clone();
    layout.flip(&manifest);
    for disk in layout.everywhere() {
        let bundle = disk.open();
        let [fault] = &bundle.check()[..] else {
            panic!("one fault");
        };
        assert_eq!((fault.kind, &fault.digest), (FaultKind::Digest, &manifest));
        assert_eq!(fault.images, ["registry.k8s.io/e2e/agnhost:2"]);
        // Said once, though hashing finds it too.
        assert_eq!(verify(&bundle).faults, bundle.check());
    }
}

#[test]
fn what_is_named_and_missing_or_of_another_size_is_found() {
    let sound = Layout::two_images();
    let shared = Digest::of(SHARED);
    let root = sound.entries[0].descriptor.digest.clone();
    let without = |digest: &Digest| {
        let mut layout = sound.clone();
        layout
            .members
            .remove(&format!("blobs/sha256/{}", digest.hex()))
            .expect("there");
        layout
    };
    let mut longer = sound.clone();
    longer
        .members
        .get_mut(&format!("blobs/sha256/{}", shared.hex()))
        .expect("there")
        .push(0);
    let mut lying = sound.clone();
    lying.entries[0].descriptor.size += 1;
    for (layout, kind, digest, images) in [
        (without(&shared), FaultKind::Missing, &shared, 2),
        (without(&root), FaultKind::Missing, &root, 1),
        (longer, FaultKind::Size, &shared, 2),
        (lying, FaultKind::Size, &root, 1),
    ] {
        for disk in layout.everywhere() {
            let found = disk.open().check();
            let [fault] = &found[..] else {
                panic!("one fault: {found:?}");
            };
            assert_eq!((fault.kind, &fault.digest), (kind, digest));
            assert_eq!(fault.images.len(), images, "{fault}");
        }
    }
}

#[test]
fn manifests_are_bounded() {
    let mut layout = Layout::two_images();
    let huge = format!(r#"{{"schemaVersion":2,"x":"{}"}}"#, "x".repeat(5 << 20));
    let digest = layout.blob(huge.as_bytes());
    layout.named(
        "registry.k8s.io/huge:1",
        Descriptor::new(media_type::OCI_MANIFEST, digest.clone(), huge.len() as u64),
    );
    let fault = layout.in_tar().open().check().remove(0);
    assert_eq!((fault.kind, fault.digest), (FaultKind::TooLarge, digest));

    // Every name leads to the same children: what is followed is limited all the same.
    let mut layout = Layout::empty();
    let child = layout.image(&[b"x"], "");
    let missing = |n: u8| Descriptor::new(media_type::OCI_MANIFEST, Digest::of(&[n]), 1);
    let children: Vec<Descriptor> = (0..=255).map(missing).chain([child]).collect();
    let index = layout.index(&children);
    for n in 0..100 {
        layout.named(&format!("registry.k8s.io/x:{n}"), index.clone());
    }
    let disk = layout.in_tar();
    let graph = graph::Graph::bounded(&disk.open(), 10_000);
    let cut = graph.damaged().values();
    let cut = cut.filter(|(kind, _)| *kind == FaultKind::TooLarge);
    assert_eq!(cut.count(), 1);
    assert!(graph.users(&index.digest).len() < 50);
}

#[test]
fn two_manifests_of_one_name_are_a_fault() {
    let mut layout = Layout::two_images();
    let other = layout.image(&[b"other"], "");
    layout.named("registry.k8s.io/pause:3.10", other);
    let fault = layout.in_folder().open().check().remove(0);
    assert_eq!(fault.kind, FaultKind::Name);
    assert!(fault.message.contains("pause:3.10"), "{fault}");
}

#[test]
fn what_a_delta_leaves_out_counts_apart() {
    let base = Layout::two_images();
    let mut delta = base.clone();
    let shared = format!("blobs/sha256/{}", Digest::of(SHARED).hex());
    delta.members.remove(&shared).expect("there");
    let record = |size| Record {
        format: FORMAT,
        tool: "airbuoy 0.0.0".into(),
        platforms: "all".into(),
        images: Vec::new(),
        releases: Vec::new(),
        sonobuoy: Catalog::embedded().sonobuoy(None).expect("the default"),
        external: vec![External {
            digest: Digest::of(SHARED),
            size,
            repositories: vec!["registry.k8s.io/pause".into()],
        }],
    };
    let size = SHARED.len() as u64;
    delta
        .members
        .insert("airbuoy.json".to_owned(), record(size).to_bytes());
    let (delta_disk, base_disk) = (delta.in_tar(), base.in_folder());
    let bundle = delta_disk.open();
    assert_eq!(bundle.external().len(), 1);
    let verified = verify(&bundle);
    assert_eq!(verified.faults, []);
    assert_eq!(
        verified.external,
        Totals {
            count: 1,
            bytes: size
        }
    );
    assert_eq!(verified.read.count, 6);
    assert!(bundle.region(&Digest::of(SHARED)).expect("read").is_none());

    let whole = bundle.with_base(vec![base_disk.open()]);
    let region = whole.region(&Digest::of(SHARED)).expect("read");
    assert_eq!(region.expect("in the base").size(), size);
    assert_eq!(
        verify(&whole).external.count,
        1,
        "a base does not make it whole"
    );

    // A base for the next one: what it leaves out is known to be there.
    let next = super::super::Base::read(&delta_disk.path).expect("a base");
    assert_eq!(next.blobs.len(), 4);
    let row = next
        .blobs
        .iter()
        .find(|b| b.digest == Digest::of(SHARED))
        .expect("counted");
    assert_eq!(
        row.repositories,
        ["registry.k8s.io/e2e/agnhost", "registry.k8s.io/pause"]
    );

    delta
        .members
        .insert("airbuoy.json".to_owned(), record(size + 1).to_bytes());
    let fault = delta.in_tar().open().check().remove(0);
    assert_eq!(fault.kind, FaultKind::Size);
    let refused = super::super::Base::read(&delta.in_tar().path).expect_err("damaged");
    assert!(
        refused.to_string().contains("cannot be a base"),
        "{refused}"
    );
}

/// Adds up what it hears, and stops the run at the first bytes if it should.
#[derive(Default)]
struct Heard {
    bytes: AtomicU64,
    finished: AtomicU64,
    cancel: Option<CancellationToken>,
}

impl Observer for Heard {
    fn event(&self, event: Event) {
        match event {
            Event::BlobProgress { bytes, .. } => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                if let Some(cancel) = &self.cancel {
                    cancel.cancel();
                }
            }
            Event::BlobFinished { .. } => {
                self.finished.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

#[test]
fn progress_is_told_and_a_stop_is_heard() {
    let disk = Layout::two_images().in_tar();
    let heard = Heard::default();
    let verified = disk
        .open()
        .verify(&heard, &CancellationToken::new())
        .expect("verified");
    assert_eq!(heard.bytes.into_inner(), verified.read.bytes);
    assert_eq!(heard.finished.into_inner(), verified.read.count);

    let cancel = CancellationToken::new();
    let stopping = Heard {
        cancel: Some(cancel.clone()),
        ..Heard::default()
    };
    let stopped = disk.open().verify(&stopping, &cancel).expect_err("stopped");
    assert_eq!(stopped.code(), Code::Cancelled);
    assert!(stopping.bytes.into_inner() < verified.read.bytes);
}

#[test]
fn upstream_names_are_the_ones_of_index_json() {
    let disk = Layout::two_images().in_tar();
    let inventory = disk.open().inventory();
    assert_eq!(inventory.len(), 4);
    let shared = inventory
        .iter()
        .find(|e| e.digest == Digest::of(SHARED))
        .expect("listed");
    assert_eq!(shared.size, SHARED.len() as u64);
    assert_eq!(
        shared.repositories,
        ["registry.k8s.io/e2e/agnhost", "registry.k8s.io/pause"]
    );
}
