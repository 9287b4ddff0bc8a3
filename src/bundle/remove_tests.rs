//! Removing a version, also when it is killed at any of its operations.

use std::time::Duration;

use super::*;
use crate::bundle::writable::testing::{Act, Crash, MemoryDisk, World, litter};
use crate::catalog::{Catalog, Role};

const DAY: Duration = Duration::from_hours(24);

fn version(text: &str) -> KubeVersion {
    text.parse().expect("a version")
}

/// A bundle of two versions: `a:t` belongs to the older, `b/c:t` to both, `b/c:u` to the newer.
async fn bundle() -> MemoryDisk {
    let (world, disk) = (World::new(), MemoryDisk::new());
    let store = disk.open(DAY);
    let pushed = [(0, [0, 1], 0, 0), (1, [0, 1], 0, 0), (1, [2, 4], 1, 1)];
    for (repository, blobs, manifest, tag) in pushed {
        for blob in blobs {
            let push = Act::Push(repository, blob);
            world.act(&store, &push).await.expect("pushed");
        }
        let put = Act::Put(repository, manifest, vec![tag]);
        world.act(&store, &put).await.expect("complete");
    }
    for blob in [0, 3] {
        world
            .act(&store, &Act::Push(0, blob))
            .await
            .expect("pushed");
    }
    let put = Act::Put(0, 2, vec![1]);
    world.act(&store, &put).await.expect("complete");
    drop(store);

    let catalog = Catalog::embedded();
    let releases = ["v1.35.4", "v1.36.3"].map(|v| catalog.resolve(&version(v)).expect("known"));
    let row = |name: &str, tag: &str, manifest: usize, versions: &[usize]| ImageRecord {
        source: format!("registry.k8s.io/{name}:{tag}")
            .parse()
            .expect("a name"),
        repository: name.to_owned(),
        tag: Some(tag.to_owned()),
        digest: Some(world.manifests[manifest].digest().clone()),
        role: Role::Test,
        key: None,
        conformance: None,
        versions: versions
            .iter()
            .map(|v| releases[*v].version.clone())
            .collect(),
    };
    let record = Record {
        format: 1,
        tool: "airbuoy 0.0.0".to_owned(),
        platforms: "all".to_owned(),
        images: vec![
            row("a", "u", 2, &[0]),
            row("b/c", "t", 0, &[0, 1]),
            row("b/c", "u", 1, &[1]),
        ],
        sonobuoy: catalog.sonobuoy(None).expect("the default"),
        releases: releases.to_vec(),
        external: Vec::new(),
    };
    let files = disk.files();
    files
        .replace(&files.record(), &record.to_bytes())
        .expect("written");
    disk
}

/// Names that the index gives, and versions that the record gives.
fn seen(disk: &MemoryDisk) -> (Vec<String>, Vec<String>) {
    let files = disk.files();
    let entries = read_index(&files).expect("readable").expect("an index");
    let record = read_record(&files).expect("readable").expect("a record");
    (
        entries.iter().map(Entry::name).collect(),
        record.versions().map(ToString::to_string).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_that_version_needs_goes() {
    let disk = bundle().await;
    let removed = remove(&disk.files(), &[version("v1.35.4")]).expect("removed");
    assert_eq!(removed.images, ["a:u"]);
    assert_eq!((removed.shared, removed.blobs), (1, 2));
    assert_eq!(removed.left, [version("v1.36.3")]);
    assert!(removed.bytes > 5, "{removed:?}");
    let (names, versions) = seen(&disk);
    // `a:t` was pushed by somebody: no row of the record speaks of it.
    assert_eq!(names, ["a:t", "b/c:t", "b/c:u"]);
    assert_eq!(versions, ["v1.36.3"]);
    assert_eq!(litter(&disk), [""; 0]);

    let again = remove(&disk.files(), &[version("v1.35.4")]).expect_err("gone");
    let told = again.to_string();
    assert!(
        told.contains("v1.35.4 is not in it; it holds v1.36.3"),
        "{told}"
    );
    let rest = remove(&disk.files(), &[version("1.36")]).expect("removed");
    assert_eq!((rest.images.len(), rest.left.len()), (2, 0));
    assert_eq!(seen(&disk).0, ["a:t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_that_stays_has_stays_though_its_row_forgot_it() {
    let disk = bundle().await;
    let files = disk.files();
    let mut record = read_record(&files).expect("readable").expect("a record");
    // One image of both lists, and one that moved from one upstream host to another.
    let list = &mut record.releases[1].images;
    list[0].source = record.images[1].source.clone();
    list[1].source = "k8s.gcr.io/a:u".parse().expect("a reference");
    record.images[1].versions = vec![version("v1.35.4")];
    files
        .replace(&files.record(), &record.to_bytes())
        .expect("written");

    let removed = remove(&files, &[version("v1.35.4")]).expect("removed");
    assert_eq!(removed.images, [""; 0]);
    assert_eq!((removed.shared, removed.blobs), (2, 0));
    assert_eq!(seen(&disk).0, ["a:t", "a:u", "b/c:t", "b/c:u"]);
    let rest = remove(&files, &[version("v1.36.3")]).expect("removed");
    assert_eq!(rest.images, ["a:u", "b/c:t", "b/c:u"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_two_rows_goes_with_the_last_of_them() {
    let disk = bundle().await;
    let files = disk.files();
    let mut record = read_record(&files).expect("readable").expect("a record");
    let mut moved = record.images[0].clone();
    moved.source = "k8s.gcr.io/a:u".parse().expect("a reference");
    moved.versions = vec![version("v1.36.3")];
    record.images.push(moved);
    files
        .replace(&files.record(), &record.to_bytes())
        .expect("written");

    let removed = remove(&files, &[version("v1.35.4")]).expect("removed");
    assert_eq!((removed.images.len(), removed.shared), (0, 2));
    assert!(seen(&disk).0.contains(&"a:u".to_owned()));
    let rest = remove(&files, &[version("v1.36.3")]).expect("removed");
    assert!(rest.images.contains(&"a:u".to_owned()), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_was_pushed_anew_stays() {
    let disk = bundle().await;
    let (world, store) = (World::new(), disk.open(DAY));
    let put = Act::Put(0, 0, vec![1]);
    world.act(&store, &put).await.expect("complete");
    drop(store);
    remove(&disk.files(), &[version("v1.35.4")]).expect("removed");
    assert!(seen(&disk).0.contains(&"a:u".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_it_is_finished_by_the_same_command() {
    let begin = bundle().await;
    let versions = [version("v1.35.4")];
    let whole = begin.after(Crash::Kill);
    remove(&whole.files(), &versions).expect("removed");
    let operations = whole.log().len();
    assert!(operations > 9, "{:?}", whole.log());
    for cut in 0..operations {
        let disk = begin.after(Crash::Kill);
        disk.cut_at(cut);
        remove(&disk.files(), &versions).expect_err("cut");
        for crash in [Crash::Kill, Crash::Power, Crash::Some(3), Crash::Some(4)] {
            let found = disk.after(crash);
            // Everything that is still named is whole.
            let world = World::new();
            world.look(&found.open(DAY)).await;
            let (names, versions_left) = seen(&found);
            if versions_left.len() == 2 {
                remove(&found.files(), &versions).expect("finished");
            }
            assert!(names.len() >= 3, "{crash:?} at {cut}: {names:?}");
            assert_eq!(seen(&found), seen(&whole), "{crash:?} at {cut}");
            assert_eq!(litter(&found), [""; 0], "{crash:?} at {cut}");
        }
    }
}

#[test]
fn a_file_and_a_served_directory_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let root = Utf8Path::from_path(root.path()).expect("UTF-8");
    let versions = [version("v1.36.3")];
    let missing = remove_versions(&root.join("none"), &versions).expect_err("nothing there");
    assert!(
        missing.to_string().contains("there is no bundle"),
        "{missing}"
    );
    let tar = root.join("set.tar");
    std::fs::write(&tar, "x").expect("written");
    let error = remove_versions(&tar, &versions).expect_err("a tar");
    assert!(error.to_string().contains("this is a file"), "{error}");

    let options = crate::bundle::StoreOptions::default();
    let store = crate::bundle::DirectoryStore::open(&root.join("dir"), &options).expect("made");
    let served = remove_versions(&root.join("dir"), &versions).expect_err("served");
    assert!(matches!(served, BundleError::Locked { .. }), "{served}");
    drop(store);
    let made_by_pushes = remove_versions(&root.join("dir"), &versions).expect_err("no record");
    assert!(
        made_by_pushes.to_string().contains("airbuoy.json"),
        "{made_by_pushes}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_while_a_child_manifest_of_what_stays_is_damaged() {
    let disk = bundle().await;
    let (world, store) = (World::new(), disk.open(DAY));
    let put = Act::Put(1, 3, vec![1]);
    world.act(&store, &put).await.expect("complete");
    drop(store);
    let files = disk.files();
    // Only the index leads to the child.
    let mut entries = read_index(&files).expect("readable").expect("an index");
    entries.retain(|entry| entry.tag.is_some());
    let bytes = index::to_bytes(&entries);
    files.replace(&files.index(), &bytes).expect("written");
    let child = files.blob(world.manifests[1].digest());
    disk.tamper(&child, |bytes| bytes[3] ^= 1);
    let before = (disk.names(), seen(&disk));
    let refused = remove(&files, &[version("v1.35.4")]).expect_err("damaged");
    let BundleError::Structure { reason, hint, .. } = refused else {
        panic!("{refused}");
    };
    assert!(reason.contains("b/c:u is damaged"), "{reason}");
    assert!(hint.is_some_and(|hint| hint.contains("--repair")));
    assert_eq!((disk.names(), seen(&disk)), before);

    disk.tamper(&child, |bytes| bytes[3] ^= 1);
    remove(&files, &[version("v1.35.4")]).expect("removed");
}
