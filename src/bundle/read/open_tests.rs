//! What is opened, and what is refused with a reason.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::super::tarball::Tarball;
use super::super::volumes;
use super::testing::{Layout, OnDisk, SHARED};
use super::*;
use crate::event::Silent;
use crate::oci::Digest;

fn verify(bundle: &Bundle) -> Verification {
    let verified = bundle.verify(&Silent, &CancellationToken::new());
    verified.expect("not cancelled")
}

#[test]
fn volumes_must_all_be_there_in_order_and_whole() {
    let made = || Layout::two_images().in_volumes();
    let volume = |disk: &OnDisk, n: u32| disk.path.with_file_name(format!("set.tar.{n:03}"));

    let disk = made();
    fs::remove_file(volume(&disk, 3)).expect("removed");
    fs::remove_file(volume(&disk, 5)).expect("removed");
    let told = disk.refused();
    assert!(
        told.contains("set.tar.003, set.tar.005 are missing"),
        "{told}"
    );

    let disk = made();
    fs::write(volume(&disk, 2), "short").expect("written");
    let told = disk.refused();
    assert!(
        told.contains("set.tar.002 has 5 bytes and should have 100000"),
        "{told}"
    );

    // The same sizes in another order: the first header that is none betrays them.
    let swap = |disk: &OnDisk, a, b| {
        let (a, b, between) = (volume(disk, a), volume(disk, b), disk.dir.path().join("x"));
        fs::rename(&a, &between).expect("renamed");
        fs::rename(&b, &a).expect("renamed");
        fs::rename(&between, &b).expect("renamed");
    };
    let disk = made();
    swap(&disk, 1, 2);
    let told = disk.refused();
    assert!(
        told.contains("set.tar.001") && told.contains("two are swapped"),
        "{told}"
    );
    // Both inside one layer: only its bytes tell.
    let disk = made();
    swap(&disk, 4, 5);
    let faults = verify(&disk.open()).faults;
    assert_eq!(faults.len(), 1);
    let told = faults[0].to_string();
    assert!(
        told.contains("set.tar.004") && told.contains("set.tar.005"),
        "{told}"
    );

    let disk = made();
    let list = disk.path.with_file_name("set.tar.volumes");
    let text = fs::read_to_string(&list).expect("read");
    let text = text
        .replace("set.tar.003", "x")
        .replace("set.tar.002", "set.tar.003")
        .replace("\"x\"", "\"set.tar.002\"");
    fs::write(&list, text).expect("written");
    let told = disk.refused();
    assert!(
        told.contains("out of order: set.tar.003 stands in place 2"),
        "{told}"
    );

    let disk = made();
    fs::remove_file(disk.path.with_file_name("set.tar.volumes")).expect("removed");
    let told = disk.refused();
    assert!(told.contains("set.tar.volumes, is missing"), "{told}");
}

#[test]
fn a_damaged_header_names_its_volume() {
    let disk = Layout::two_images().in_volumes();
    let path = disk.path.with_file_name("set.tar.001");
    let mut bytes = fs::read(&path).expect("read");
    // The size field of the second header: the first body is an empty one or a block.
    let second = (1..8)
        .map(|n| n * 512)
        .find(|at| bytes[at + 257..].starts_with(b"ustar"));
    bytes[second.expect("a header") + 130] ^= 1;
    fs::write(&path, bytes).expect("written");
    let told = disk.refused();
    assert!(
        told.contains("checksum is wrong (in") && told.contains("set.tar.001"),
        "{told}"
    );
}

#[test]
fn a_tar_that_is_cut_or_compressed_or_hostile_is_refused() {
    let disk = Layout::two_images().in_tar();
    let whole = fs::read(&disk.path).expect("read");
    for keep in [whole.len() - 1024, whole.len() / 2, 700] {
        fs::write(&disk.path, &whole[..keep]).expect("written");
        let told = disk.refused();
        assert!(
            told.contains("it is cut off after") && told.contains("copy it again"),
            "{told}"
        );
    }
    fs::write(&disk.path, b"\x1f\x8b\x08 and so on").expect("written");
    let told = disk.refused();
    assert!(
        told.contains("compressed with gzip") && told.contains("gunzip --keep"),
        "{told}"
    );

    let link = Tarball::new().entry("blobs/sha256/x", tar::EntryType::Symlink, b"");
    let above = Tarball::new().file("../index.json", b"{}");
    for (tar, word) in [(link, "it is a link"), (above, "leads out of the archive")] {
        fs::write(&disk.path, tar.tar()).expect("written");
        let told = disk.refused();
        assert!(told.contains(word) && told.contains("set.tar"), "{told}");
    }
}

#[test]
fn what_is_no_layout_says_what_it_is() {
    let empty = Layout::empty();
    let disk = empty.in_folder();
    fs::remove_file(disk.path.join("index.json")).expect("removed");
    assert!(disk.refused().contains("no index.json"));
    fs::create_dir(disk.path.join(".airbuoy")).expect("a folder");
    assert!(disk.refused().contains("run the same `airbuoy pull` again"));

    let disk = empty.in_folder();
    fs::remove_file(disk.path.join("oci-layout")).expect("removed");
    assert!(disk.refused().contains("no oci-layout"));
    fs::write(
        disk.path.join("oci-layout"),
        r#"{"imageLayoutVersion":"2.0.0"}"#,
    )
    .expect("written");
    assert!(disk.refused().contains("version 2.0.0"));

    let disk = empty.in_tar();
    fs::rename(&disk.path, disk.path.with_file_name("set.tar.partial")).expect("renamed");
    assert!(disk.refused().contains("not complete"));
    fs::remove_file(disk.path.with_file_name("set.tar.partial")).expect("removed");
    assert!(disk.refused().contains("there is no bundle here"));

    let docker = Tarball::new()
        .file("manifest.json", b"[]")
        .file("repositories", b"{}");
    fs::write(&disk.path, docker.tar()).expect("written");
    let told = disk.refused();
    assert!(
        told.contains("docker save") && told.contains("skopeo"),
        "{told}"
    );

    for (name, word) in [
        ("index.json", "index.json cannot be used"),
        ("airbuoy.json", "airbuoy.json cannot be used"),
    ] {
        let mut layout = Layout::two_images();
        layout.members.insert(name.to_owned(), b"{".to_vec());
        assert!(layout.in_tar().refused().contains(word));
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_at_once() {
    let pipe = |path: &Utf8Path| {
        fs::remove_file(path).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo").success());
    };
    let disk = Layout::two_images().in_tar();
    pipe(&disk.path);
    let told = disk.refused();
    assert!(told.contains("no plain file"), "{told}");
    for part in ["volumes", "001"] {
        let disk = Layout::two_images().in_volumes();
        let tar = volumes::tar_path(&disk.path);
        pipe(&Utf8PathBuf::from(format!("{tar}.{part}")));
        let told = disk.refused();
        assert!(told.contains("no plain file"), "{part}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn links_in_a_folder_are_not_followed() {
    use std::os::unix::fs::symlink;
    let secret = Digest::of(b"secret");
    for inside in ["index.json", "blobs/sha256", "blobs", "airbuoy.json"] {
        let disk = Layout::two_images().in_folder();
        let (path, moved) = (disk.path.join(inside), disk.dir.path().join("moved"));
        let _ = fs::rename(&path, &moved);
        symlink(&moved, &path).expect("a link");
        let told = disk.refused();
        assert!(
            told.contains(&format!("{inside} is refused: it is a link")),
            "{told}"
        );
    }
    let disk = Layout::two_images().in_folder();
    let outside = disk.dir.path().join("outside");
    fs::write(&outside, "secret").expect("written");
    let blob = disk.path.join("blobs/sha256").join(secret.hex());
    symlink(&outside, &blob).expect("a link");
    assert!(disk.refused().contains("it is a link"));
    fs::remove_file(&blob).expect("removed");
    // The same after it was opened.
    let bundle = disk.open();
    let there = disk
        .path
        .join("blobs/sha256")
        .join(Digest::of(SHARED).hex());
    fs::remove_file(&there).expect("removed");
    symlink(&outside, &there).expect("a link");
    let [fault] = &verify(&bundle).faults[..] else {
        panic!("one fault");
    };
    assert_eq!(fault.kind, FaultKind::Unreadable);
    // The root itself may be one: the user named it.
    let link = disk.dir.path().join("link");
    fs::remove_file(&there).expect("removed");
    symlink(&disk.path, &link).expect("a link");
    Bundle::open(camino::Utf8Path::from_path(&link).expect("UTF-8")).expect("opened");
}

#[test]
fn layouts_of_other_tools_work_by_their_names() {
    let mut layout = Layout::two_images();
    let digest = layout.entries[0].descriptor.clone();
    let row = |more: &str| {
        format!(
            r#"{{"mediaType":"{}","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"amd64"}}{more}}}"#,
            digest.media_type, digest.digest, digest.size
        )
    };
    let ref_name = |name: &str| {
        row(&format!(
            r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#
        ))
    };
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{},{},{}]}}"#,
        ref_name("registry.k8s.io/pause:3.10"),
        ref_name("latest"),
        row("")
    );
    layout
        .members
        .insert("index.json".to_owned(), index.into_bytes());
    for disk in layout.everywhere() {
        let bundle = disk.open();
        let names: Vec<String> = bundle
            .entries()
            .iter()
            .map(super::super::Entry::name)
            .collect();
        let by_digest = format!("set@{}", digest.digest);
        assert_eq!(names, ["pause:3.10", "set:latest", &by_digest]);
        assert_eq!(bundle.check(), []);
    }
}
