//! In which order things reach the disk, and what is left when it all stops at any of them.

use std::collections::{BTreeMap, HashMap};

use camino::Utf8Path;

use super::Writer;
use super::names;
use super::recording::{Op, RecordingDisk};
use super::state::State;
use super::testing::{Images, bring, broken, folder, images, name, pull};
use crate::bundle::disk::RealDisk;
use crate::oci::Digest;

fn position(log: &[Op], wanted: impl Fn(&Op) -> bool) -> usize {
    log.iter().position(wanted).expect("it is in the log")
}

fn last(log: &[Op], wanted: impl Fn(&Op) -> bool) -> usize {
    log.iter().rposition(wanted).expect("it is in the log")
}

fn renamed_to(name: &str) -> impl Fn(&Op) -> bool {
    move |op| matches!(op, Op::Rename(_, to) if to == name)
}

fn synced(name: &str) -> impl Fn(&Op) -> bool {
    move |op| matches!(op, Op::Sync(file) if file == name)
}

fn written(name: &str) -> impl Fn(&Op) -> bool {
    move |op| matches!(op, Op::Write(file, _, _) if file == name)
}

#[tokio::test]
async fn a_tar_gets_its_name_when_all_of_it_is_on_the_disk() {
    let folder = folder();
    let disk = RecordingDisk::new(&folder.path);
    let images = images();
    let path = folder.path.join("set.tar");
    pull(&path, &images, images.options(), disk.clone(), &mut 0)
        .await
        .expect("a bundle");
    let log = disk.log();
    let partial = "set.tar.partial";
    let name = position(&log, renamed_to("set.tar"));
    assert_eq!(
        log[name],
        Op::Rename(partial.into(), "set.tar".into()),
        "in one step"
    );
    let sync = last(&log, synced(partial));
    assert!(last(&log, written(partial)) < sync && sync < name);
    assert_eq!(log[name + 1], Op::SyncDir(String::new()));
    let state = last(&log, |op| *op == Op::Remove("set.tar.partial.state".into()));
    assert!(name + 1 < state, "the state goes when the tar has come");
    assert_eq!(position(&log, |op| *op == Op::SetLen(partial.into())), {
        let created = position(&log, |op| *op == Op::Create(partial.into()));
        created + 1
    });
}

#[tokio::test]
async fn no_journal_line_comes_before_its_bytes_are_durable() {
    for split in [None, Some(100_000)] {
        let folder = folder();
        let disk = RecordingDisk::new(&folder.path);
        let images = images();
        let mut options = images.options();
        options.split = split;
        let path = folder.path.join("set.tar");
        pull(&path, &images, options, disk.clone(), &mut 0)
            .await
            .expect("a bundle");
        let log = disk.log();
        let head = log.iter().find_map(|op| match op {
            Op::Write(file, 0, bytes) if file == "set.tar.partial.state.new" => Some(bytes),
            _ => None,
        });
        let head: super::state::Head =
            serde_json::from_slice(head.expect("a state")).expect("its first line");
        let size = split.unwrap_or(u64::MAX);
        let part = |at: u64| match split {
            Some(_) => format!("set.tar.{:03}.partial", at / size + 1),
            None => "set.tar.partial".to_owned(),
        };
        // Bytes of the tar by state: 1 is written, 2 is durable.
        let mut bytes = vec![0_u8; usize::try_from(head.total).expect("small")];
        let files: BTreeMap<String, Vec<usize>> =
            (0..bytes.len()).fold(BTreeMap::new(), |mut files, at| {
                files.entry(part(at as u64)).or_default().push(at);
                files
            });
        let mut lines = 0;
        for op in &log {
            match op {
                Op::Write(file, offset, written) if files.contains_key(file) => {
                    let start = usize::try_from(*offset).expect("small");
                    for at in &files[file][start..start + written.len()] {
                        bytes[*at] = 1;
                    }
                }
                Op::Sync(file) if files.contains_key(file) => {
                    for at in &files[file] {
                        bytes[*at] = if bytes[*at] > 0 { 2 } else { 0 };
                    }
                }
                Op::Write(file, _, text) if file == "set.tar.partial.state" => {
                    let text = String::from_utf8(text.clone()).expect("lines");
                    for (digest, count) in text.lines().filter_map(|line| line.split_once(' ')) {
                        lines += 1;
                        let member = |m: &&super::state::Member| m.digest.as_str() == digest;
                        let member = head.members.iter().find(member).expect("of the map");
                        let from = usize::try_from(member.offset).expect("small");
                        let count: usize = count.parse().expect("a number");
                        assert!(bytes[from..from + count].iter().all(|state| *state == 2));
                    }
                }
                _ => {}
            }
        }
        assert!(lines >= images.plan.blobs.len(), "every blob was told");
    }
}

#[tokio::test]
async fn volumes_are_listed_when_all_of_them_have_their_names() {
    let folder = folder();
    let disk = RecordingDisk::new(&folder.path);
    let images = images();
    let mut options = images.options();
    options.split = Some(300_000);
    let path = folder.path.join("set.tar");
    pull(&path, &images, options, disk.clone(), &mut 0)
        .await
        .expect("a bundle");
    let log = disk.log();
    let commit = position(&log, |op| {
        matches!(op, Op::Write(file, _, text)
            if file == "set.tar.partial.state" && text.ends_with(b"commit\n"))
    });
    assert_eq!(log[commit + 1], Op::Sync("set.tar.partial.state".into()));
    let list = position(&log, renamed_to("set.tar.volumes"));
    let mut names = Vec::new();
    for part in 1..=3 {
        let partial = format!("set.tar.{part:03}.partial");
        assert!(last(&log, written(&partial)) < last(&log, synced(&partial)));
        assert!(last(&log, synced(&partial)) < commit);
        names.push(position(&log, renamed_to(&format!("set.tar.{part:03}"))));
    }
    assert!(names.iter().all(|name| commit + 1 < *name && *name < list));
    let folder_synced = |op: &Op| *op == Op::SyncDir(String::new());
    assert!(log[names[2]..list].iter().any(folder_synced));
    assert_eq!(log[list + 1], Op::SyncDir(String::new()));
}

#[tokio::test]
async fn a_directory_gets_its_names_last() {
    let folder = folder();
    let disk = RecordingDisk::new(&folder.path);
    let images = images();
    let path = folder.path.join("set");
    pull(&path, &images, images.options(), disk.clone(), &mut 0)
        .await
        .expect("a bundle");
    let log = disk.log();
    let mut blobs = 0;
    for (at, op) in log.iter().enumerate() {
        if let Op::Rename(from, to) = op
            && to.starts_with("set/blobs/")
        {
            blobs += 1;
            assert!(last(&log, written(from)) < last(&log, synced(from)));
            assert!(last(&log, synced(from)) < at, "{to}");
        }
    }
    assert_eq!(blobs, images.plan.blobs.len() + 2, "each written once");
    let is_blob = |op: &Op| matches!(op, Op::Rename(_, to) if to.starts_with("set/blobs/"));
    let blobs = position(&log, |op| *op == Op::SyncDir("set/blobs/sha256".into()));
    let index = position(&log, renamed_to("set/index.json"));
    let record = position(&log, renamed_to("set/airbuoy.json"));
    assert!(last(&log, is_blob) < blobs && blobs < record && record < index);
    for (name, rename) in [("index.json", index), ("airbuoy.json", record)] {
        let sync = last(&log, synced(&format!("set/{name}.new")));
        assert!(sync < rename);
    }
    assert_eq!(log[index + 1], Op::SyncDir("set".into()));
}

/// Every file below `path` but those that only serve the writing.
fn content(path: &Utf8Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in folder.read_dir_utf8().expect("a folder") {
            let entry = entry.expect("an entry").path().to_owned();
            if entry.is_dir() {
                open.push(entry);
            } else if !entry.as_str().ends_with("/.airbuoy/lock") {
                let name = entry.strip_prefix(path).expect("below").to_string();
                found.insert(name, std::fs::read(&entry).expect("a file"));
            }
        }
    }
    found
}

/// Bytes that the next run need not ask for.
fn kept(root: &Utf8Path, images: &Images) -> u64 {
    if let Some(state) = State::read(&RealDisk, &names::state(&root.join("set.tar"))) {
        return state.kept();
    }
    let sizes: HashMap<&str, u64> = images
        .plan
        .blobs
        .iter()
        .map(|blob| (blob.digest.hex(), blob.size))
        .collect();
    let files = content(root).into_iter();
    files
        .filter(|(name, _)| name.contains("blobs/") || name.contains("/partial/"))
        .filter_map(|(name, bytes)| {
            let hex = name.rsplit(['/', '-']).next()?;
            sizes.get(hex).map(|_| bytes.len() as u64)
        })
        .sum()
}

#[tokio::test]
async fn a_run_that_dies_anywhere_is_completed_by_the_next() {
    for (name, split) in [("set.tar", None), ("set.tar", Some(250_000)), ("set", None)] {
        let images = images();
        let mut options = images.options();
        options.split = split;
        let sound = folder();
        let disk = RecordingDisk::new(&sound.path);
        let mut asked = 0;
        pull(
            &sound.path.join(name),
            &images,
            options.clone(),
            disk,
            &mut asked,
        )
        .await
        .expect("a bundle");
        assert_eq!(asked, images.unique());
        let expected = content(&sound.path);

        let mut number = 0;
        loop {
            let folder = folder();
            let path = folder.path.join(name);
            let disk = RecordingDisk::dies_at(&folder.path, number);
            let first = pull(&path, &images, options.clone(), disk.clone(), &mut 0).await;
            if !disk.died() {
                assert_eq!(content(&folder.path), expected);
                break;
            }
            let left = content(&folder.path);
            let listed = if split.is_some() {
                "set.tar.volumes"
            } else {
                name
            };
            let whole = left.contains_key(listed) || left.contains_key("set/index.json");
            let kept = if whole && name != "set" {
                images.unique()
            } else {
                kept(&folder.path, &images)
            };
            let (mut asked, disk) = (0, RecordingDisk::new(&folder.path));
            pull(&path, &images, options.clone(), disk, &mut asked)
                .await
                .unwrap_or_else(|error| panic!("{name} after {number}: {error}"));
            assert!(
                content(&folder.path) == expected,
                "{name}, split {split:?}, stopped at {number} ({first:?}): {:?}",
                content(&folder.path).keys().collect::<Vec<_>>()
            );
            assert!(
                asked <= images.unique() - kept,
                "{name} stopped at {number}: {asked} asked, {kept} kept"
            );
            number += 1;
        }
        assert!(number > 20, "{name}: only {number} operations");
    }
}

/// The index at `path`, when the bundle there is whole: everything that it names is there and
/// hashes to its name.
fn whole_index(path: &Utf8Path) -> Vec<u8> {
    let mut members: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    if path.is_dir() {
        members = content(path);
    } else {
        let bytes = std::fs::read(path).expect("a tar");
        for entry in tar::Archive::new(&bytes[..]).entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a name").to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).expect("whole");
            members.insert(name, bytes);
        }
    }
    let index = members["index.json"].clone();
    let mut open: Vec<String> = vec![String::from_utf8(index.clone()).expect("JSON")];
    while let Some(text) = open.pop() {
        for named in text.split("\"sha256:").skip(1) {
            let hex = &named[..64];
            let bytes = &members[&format!("blobs/sha256/{hex}")];
            assert_eq!(Digest::of(bytes).hex(), hex);
            // Layers are noise; only manifests name something.
            open.extend(std::str::from_utf8(bytes).ok().map(str::to_owned));
        }
    }
    index
}

#[tokio::test]
async fn an_older_bundle_is_whole_until_the_new_one_is() {
    let older = images();
    let newer = Images::default()
        .with("pause", &[(1, 700_000), (4, 900)])
        .with("conformance", &[(2, 3000)]);
    for name in ["set.tar", "set"] {
        let mut seen = Vec::new();
        for number in 0.. {
            let folder = folder();
            let path = folder.path.join(name);
            let disk = RecordingDisk::new(&folder.path);
            pull(&path, &older, older.options(), disk, &mut 0)
                .await
                .expect("a bundle");
            let disk = RecordingDisk::dies_at(&folder.path, number);
            let done = pull(&path, &newer, newer.options(), disk.clone(), &mut 0).await;
            seen.push(whole_index(&path));
            if !disk.died() {
                done.expect("a newer bundle");
                break;
            }
        }
        // Which operation has a number differs a little from run to run: threads share the disk.
        let (first, last) = (seen[0].clone(), seen[seen.len() - 1].clone());
        assert_ne!(first, last, "{name}: the old one, then the new one");
        assert!(
            seen.iter().all(|index| [&first, &last].contains(&index)),
            "{name}: nothing but the two"
        );
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_called_durable() {
    let folder = folder();
    let disk = RecordingDisk::new(&folder.path);
    let images = images();
    let path = folder.path.join("set.tar");
    disk.refuse("sync set.tar.partial ", std::io::ErrorKind::Other);
    let mut asked = 0;
    let done = pull(&path, &images, images.options(), disk.clone(), &mut asked).await;
    let error = done.expect_err("what was written may be lost").to_string();
    assert!(error.contains("cannot sync"), "{error}");
    let journal = |op: &Op| matches!(op, Op::Write(file, _, _) if file == "set.tar.partial.state");
    assert!(!disk.log().iter().any(journal));
    assert!(!path.exists());
}

#[tokio::test]
async fn keeping_what_is_complete_loses_nothing_wherever_it_stops() {
    let good = Images::default().with("pause", &[(1, 300_000)]);
    let both = good.clone().with("conformance", &[(5, 400_000)]);
    let sound = folder();
    let disk = RecordingDisk::new(&sound.path);
    let path = sound.path.join("set.tar");
    pull(&path, &both, both.options(), disk, &mut 0)
        .await
        .expect("a bundle");
    let expected = content(&sound.path);
    for number in 0.. {
        let folder = folder();
        let path = folder.path.join("set.tar");
        broken(&path, &both, both.unique() - 150_000).await;
        let disk = RecordingDisk::dies_at(&folder.path, number);
        let kept = async {
            let writer = Writer::open(&path, both.options(), disk.clone()).ok()?;
            bring(&writer, &both, Some(1000), &mut 0).await.err()?;
            writer.finish(&[name("pause")]).ok()
        };
        let kept = kept.await;
        assert!(disk.died() || kept.is_some());
        let (mut asked, clean) = (0, RecordingDisk::new(&folder.path));
        pull(&path, &both, both.options(), clean, &mut asked)
            .await
            .expect("the whole of it");
        assert!(content(&folder.path) == expected, "stopped at {number}");
        assert!(asked <= both.unique() - good.unique(), "{number}: {asked}");
        if !disk.died() {
            break;
        }
    }
}
