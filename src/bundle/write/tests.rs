//! What a writer makes of sound runs and of those that broke off.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::Writer;
use camino::Utf8Path;

use super::recording::{Op, RecordingDisk};
use super::testing::{Images, bring, broken, files, folder, images, name, pull, sound};
use crate::bundle::disk::RealDisk;
use crate::bundle::{BundleError, Record};
use crate::content::Target as _;
use crate::oci::Digest;

#[tokio::test]
async fn one_set_is_one_sequence_of_bytes() {
    let (a, b) = (folder(), folder());
    assert_eq!(
        sound(&a.path.join("set.tar"), &images(), None).await,
        images().unique()
    );
    sound(&b.path.join("other.tar"), &images().reversed(), None).await;
    let bytes = fs::read(a.path.join("set.tar")).expect("a tar");
    assert!(bytes == fs::read(b.path.join("other.tar")).expect("a tar"));
    assert_eq!(files(&a.path), ["set.tar"], "nothing else is left");

    for split in [700, 512, 100_000, 1 << 30] {
        let parts = folder();
        let disk = RecordingDisk::new(&parts.path);
        let mut options = images().options();
        options.split = Some(split.max(bytes.len() as u64 / 900));
        let done = pull(&parts.path.join("v.tar"), &images(), options, disk, &mut 0)
            .await
            .expect("volumes");
        let (list, volumes) = done.files.split_last().expect("files");
        assert_eq!(list.file_name(), Some("v.tar.volumes"));
        let joined: Vec<u8> = volumes
            .iter()
            .flat_map(|volume| fs::read(volume).expect("a volume"))
            .collect();
        assert!(joined == bytes, "cut every {split} bytes");
        assert_eq!(done.bytes, bytes.len() as u64);
    }
}

#[tokio::test]
async fn the_tar_program_reads_what_is_written() {
    let folder = folder();
    let tar = folder.path.join("set.tar");
    sound(&tar, &images(), None).await;
    let out = folder.path.join("out");
    fs::create_dir(&out).expect("a folder");
    let run = |arguments: &[&str]| {
        let mut tar = std::process::Command::new("tar");
        let done = tar.args(arguments).output().expect("tar runs");
        assert!(done.status.success(), "{done:?}");
        assert!(done.stderr.is_empty(), "{done:?}");
        String::from_utf8(done.stdout).expect("UTF-8")
    };
    let listed = run(&["-tvf", tar.as_str()]);
    let count = 3 + images().plan.manifests.len() + images().plan.blobs.len();
    assert_eq!(listed.lines().count(), count);
    for line in listed.lines() {
        assert!(line.starts_with("-rw-r--r-- 0/0 "), "{line}");
    }
    run(&["-xf", tar.as_str(), "-C", out.as_str()]);
    let layout = fs::read(out.join("oci-layout")).expect("the version file");
    assert_eq!(layout, br#"{"imageLayoutVersion":"1.0.0"}"#);
    let blobs = out.join("blobs/sha256");
    for hex in files(&blobs) {
        let bytes = fs::read(blobs.join(&hex)).expect("a blob");
        assert_eq!(Digest::of(&bytes).hex(), hex);
    }
    assert_eq!(files(&blobs).len(), count - 3);
    let record = fs::read(out.join("airbuoy.json")).expect("a record");
    let record = Record::parse(&record, "set.tar").expect("a record");
    assert!(record.images.iter().all(|image| image.digest.is_some()));
}

#[tokio::test]
async fn the_second_writer_is_refused_by_name() {
    let folder = folder();
    for name in ["set.tar", "set"] {
        let path = folder.path.join(name);
        let first = Writer::open(&path, images().options(), RealDisk).expect("a writer");
        let Err(error) = Writer::open(&path, images().options(), RealDisk) else {
            panic!("two writers of {name}");
        };
        assert!(matches!(&error, BundleError::Locked { bundle } if *bundle == path));
        assert!(error.to_string().contains(name) && error.hint().is_some());
        drop(first);
        Writer::open(&path, images().options(), RealDisk).expect("free again");
    }
    assert_eq!(
        files(&folder.path),
        ["set"],
        "nothing came, nothing is left"
    );
}

#[tokio::test]
async fn a_run_goes_on_inside_a_blob() {
    for name in ["set.tar", "set"] {
        let folder = folder();
        let path = folder.path.join(name);
        let images = images();
        broken(&path, &images, 450_000).await;
        let asked = sound(&path, &images, None).await;
        let again = images.unique() - asked;
        assert!((300_000..450_000).contains(&again), "{name}: {again} kept");
        assert_eq!(sound(&path, &images, None).await, 0, "{name}");
    }
}

#[tokio::test]
async fn damage_since_the_last_run_is_found_and_fetched_anew() {
    let reference = folder();
    sound(&reference.path.join("set.tar"), &images(), None).await;
    let expected = fs::read(reference.path.join("set.tar")).expect("a tar");
    let large = images().largest().digest;

    let folder = folder();
    let path = folder.path.join("set.tar");
    broken(&path, &images(), 450_000).await;
    let partial = fs::File::options()
        .write(true)
        .open(folder.path.join("set.tar.partial"))
        .expect("partial");
    // The layer lies in the last third, and in the front every header is written anew.
    let state = fs::read_to_string(folder.path.join("set.tar.partial.state")).expect("a state");
    let head = state.lines().next().expect("a line").to_owned();
    let member = head.split(large.as_str()).nth(1).expect("the layer");
    let offset = member.split("\"offset\":").nth(1).expect("its place");
    let offset: u64 = offset
        .split(['}', ','])
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    partial.write_all_at(b"!!", offset + 5).expect("written");
    partial.write_all_at(b"!!", 3).expect("written");
    // The journal is torn as well.
    fs::write(
        folder.path.join("set.tar.partial.state"),
        state.trim_end().to_owned() + "\nsha256:0123",
    )
    .expect("written");
    let asked = sound(&path, &images(), None).await;
    assert!(asked > 700_000, "the layer came once more: {asked}");
    assert!(fs::read(&path).expect("a tar") == expected);

    let directory = folder.path.join("set");
    broken(&directory, &images(), 450_000).await;
    let held = format!(".airbuoy/partial/sha256-{}", large.hex());
    let held = fs::File::options().write(true).open(directory.join(held));
    held.expect("partial")
        .write_all_at(b"!", 9)
        .expect("written");
    sound(&directory, &images(), None).await;
    let blob = directory.join("blobs/sha256").join(large.hex());
    assert!(large.matches(&fs::read(blob).expect("the layer")));
    assert_eq!(files(&directory.join(".airbuoy/partial")), [""; 0]);
}

#[tokio::test]
async fn another_plan_takes_over_what_there_is() {
    let folder = folder();
    let path = folder.path.join("set.tar");
    broken(&path, &images(), 702_000).await;
    let more = images().with("sonobuoy", &[(9, 5000)]);
    let asked = sound(&path, &more, None).await;
    assert!(asked < more.unique() - 600_000, "{asked}");
    assert_eq!(files(&folder.path), ["set.tar"]);
    let fresh = folder.path.join("fresh.tar");
    sound(&fresh, &more, None).await;
    assert!(fs::read(&path).expect("a tar") == fs::read(&fresh).expect("a tar"));

    // A whole bundle gives what it has, and stays until the new one is whole.
    let before = fs::read(&path).expect("a tar");
    let newer = Images::default().with("sonobuoy", &[(9, 5000), (10, 80_000)]);
    broken(&path, &newer, 2000).await;
    assert!(fs::read(&path).expect("a tar") == before);
    let asked = sound(&path, &newer, None).await;
    assert!(asked <= 80_000, "{asked}");
    assert!(fs::metadata(&path).expect("a tar").len() < before.len() as u64);
}

#[tokio::test]
async fn a_bundle_that_is_complete_is_left_alone() {
    for (file, split) in [("set.tar", None), ("set.tar", Some(200_000)), ("set", None)] {
        let folder = folder();
        let path = folder.path.join(file);
        sound(&path, &images(), split).await;
        let disk = RecordingDisk::new(&folder.path);
        let mut options = images().options();
        options.split = split;
        let mut asked = 0;
        let done = pull(&path, &images(), options, disk.clone(), &mut asked).await;
        done.expect("it is there");
        assert_eq!(asked, 0);
        let writes = |op: &&Op| matches!(op, Op::Write(..) | Op::Rename(..) | Op::SetLen(_));
        assert_eq!(disk.log().iter().find(writes), None, "{file}");
    }
}

#[tokio::test]
async fn volumes_and_tars_replace_each_other() {
    let folder = folder();
    let path = folder.path.join("set.tar");
    sound(&path, &images(), Some(150_000)).await;
    let five = [
        "set.tar.001",
        "set.tar.002",
        "set.tar.003",
        "set.tar.004",
        "set.tar.005",
    ];
    assert_eq!(files(&folder.path)[..5], five);
    assert_eq!(sound(&path, &images(), Some(400_000)).await, 0);
    assert_eq!(
        files(&folder.path),
        ["set.tar.001", "set.tar.002", "set.tar.volumes"]
    );
    assert_eq!(sound(&path, &images(), None).await, 0);
    assert_eq!(files(&folder.path), ["set.tar"]);
    assert_eq!(sound(&path, &images(), Some(400_000)).await, 0);
    assert_eq!(
        files(&folder.path),
        ["set.tar.001", "set.tar.002", "set.tar.volumes"]
    );
}

#[tokio::test]
async fn what_is_complete_can_be_kept_without_the_rest() {
    let good = Images::default().with("pause", &[(1, 3000)]);
    let both = good.clone().with("conformance", &[(1, 3000), (5, 400_000)]);
    for (file, split) in [("set.tar", None), ("set.tar", Some(2048)), ("set", None)] {
        let reference = folder();
        sound(&reference.path.join(file), &good, split).await;

        let folder = folder();
        let path = folder.path.join(file);
        let mut options = both.options();
        options.split = split;
        let writer = Writer::open(&path, options, RealDisk).expect("a writer");
        let limit = both.unique() - 100_000;
        bring(&writer, &both, Some(limit), &mut 0)
            .await
            .expect_err("the last layer does not come");
        for manifest in &good.plan.manifests {
            let at = name("pause");
            writer.put_manifest(&at, manifest).await.expect("planned");
        }
        writer.finish(&[name("pause")]).expect("what there is");
        drop(writer);
        let part = if split.is_some() { "set.tar.001" } else { file };
        if file == "set" {
            for name in ["index.json", "airbuoy.json"] {
                let read = |folder: &Utf8Path| fs::read(folder.join(name)).expect("a file");
                assert_eq!(read(&path), read(&reference.path.join(file)));
            }
        } else {
            let read = |folder: &Utf8Path| fs::read(folder.join(part)).expect("a file");
            assert!(read(&folder.path) == read(&reference.path));
            assert_eq!(files(&folder.path), files(&reference.path));
        }
        let Err(error) = Writer::open(&path, both.options(), RealDisk)
            .expect("a writer")
            .finish(&[name("nothing")])
        else {
            assert_eq!(file, "set");
            continue;
        };
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[tokio::test]
async fn what_the_receiver_has_is_named_and_left_out() {
    let images = images();
    let large = images.largest();
    let mut options = images.options();
    let stranger = crate::oci::Descriptor::new("x", Digest::of(b"stranger"), 8);
    options.external = vec![Images::external(&large), Images::external(&stranger)];
    for file in ["set.tar", "set"] {
        let folder = folder();
        let path = folder.path.join(file);
        let disk = RecordingDisk::new(&folder.path);
        let mut asked = 0;
        let done = pull(&path, &images, options.clone(), disk, &mut asked).await;
        assert!(done.expect("a delta").bytes < 20_000);
        assert_eq!(asked, images.unique() - large.size);
        if file == "set" {
            let record = fs::read(path.join("airbuoy.json")).expect("a record");
            let record = Record::parse(&record, "set").expect("a record");
            assert_eq!(record.external, [Images::external(&large)]);
            // The whole later: the names are there and their content is not.
            assert_eq!(sound(&path, &images, None).await, large.size);
            let record = fs::read(path.join("airbuoy.json")).expect("a record");
            let record = Record::parse(&record, "set").expect("a record");
            assert_eq!(record.external, []);
        }
    }
}
