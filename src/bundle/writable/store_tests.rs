//! The store on a real disk, and what it refuses.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use futures_util::TryStreamExt;
use tempfile::TempDir;

use super::open::read_index;
use super::testing::{Act, MemoryDisk, World, image, litter};
use super::{DirectoryStore, StoreOptions};
use crate::bundle::index::Entry;
use crate::bundle::{BundleError, index};
use crate::content::{BlobReader, Store, StoreError};
use crate::oci::{Algorithm, Digest, Hasher, RawManifest, media_type};

const DAY: Duration = Duration::from_hours(24);

struct Folder {
    _root: TempDir,
    path: Utf8PathBuf,
}

impl Folder {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(root.path()).expect("UTF-8");
        let path = path.join("bundle");
        Self { _root: root, path }
    }

    fn open(&self) -> DirectoryStore {
        DirectoryStore::open(&self.path, &StoreOptions::default()).expect("a bundle")
    }

    fn uploads(&self) -> usize {
        let uploads = self.path.join(".airbuoy/uploads");
        fs::read_dir(uploads).expect("a folder").count()
    }
}

/// Pseudo-random bytes, so that no piece equals another.
fn content(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

async fn push(
    store: &DirectoryStore,
    bytes: &[u8],
    chunk: usize,
    digest: &Digest,
) -> Result<(), StoreError> {
    let mut upload = store.begin("a", Algorithm::Sha256).await?;
    store.expect(&mut upload, bytes.len() as u64).await?;
    for chunk in bytes.chunks(chunk) {
        let chunk = Bytes::copy_from_slice(chunk);
        store.append(&mut upload, chunk).await?;
    }
    store.commit(upload, digest).await
}

async fn read(store: &DirectoryStore, digest: &Digest, offset: u64, length: u64) -> Vec<u8> {
    let blob = store.blob("a", digest).await.expect("readable");
    let blob = blob.expect("the blob");
    let chunks: Vec<Bytes> = blob
        .read(offset, length)
        .try_collect()
        .await
        .expect("bytes");
    chunks.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_of_every_size_come_back() {
    let folder = Folder::new();
    let store = folder.open();
    for (length, chunk) in [
        (0, 1),
        (1, 1),
        (5000, 7),
        (1 << 20, 1 << 16),
        (3_333_333, 100_000),
    ] {
        let bytes = content(length);
        let mut sha512 = Hasher::new(Algorithm::Sha512);
        sha512.update(&bytes);
        for digest in [Digest::of(&bytes), sha512.finish()] {
            push(&store, &bytes, chunk, &digest).await.expect("sound");
            let length = length as u64;
            assert!(read(&store, &digest, 0, length).await == bytes);
            assert!(read(&store, &digest, length / 3, length).await == bytes[bytes.len() / 3..]);
            let mut wrong = bytes.clone();
            wrong.push(b'x');
            let refused = push(&store, &wrong, chunk, &digest).await;
            assert!(matches!(refused, Err(StoreError::DigestMismatch(d)) if d == digest));
        }
    }
    drop(store);
    assert_eq!(folder.uploads(), 0);
    let bytes = content(3_333_333);
    let again = folder.open();
    assert!(read(&again, &Digest::of(&bytes), 0, 3_333_333).await == bytes);
    let layout = fs::read_to_string(folder.path.join("oci-layout")).expect("a file");
    assert_eq!(layout, r#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_leaves_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    for length in [10, 1 << 20, 5 << 20] {
        let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
        let append = store.append(&mut upload, content(length).into());
        append.await.expect("room");
        drop(upload);
    }
    // A piece may still be on its way to a file that is not there yet.
    let mut quiet = 0;
    for _ in 0..1000 {
        quiet = if folder.uploads() == 0 { quiet + 1 } else { 0 };
        if quiet == 50 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(quiet, 50);
    // What a killed process left goes when the next one begins.
    drop(store);
    fs::write(folder.path.join(".airbuoy/uploads/0123"), "partial").expect("written");
    drop(folder.open());
    assert_eq!(folder.uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_blob_can_be_read_by_who_has_it_open() {
    let folder = Folder::new();
    let store = folder.open();
    let bytes = content(2 << 20);
    let digest = Digest::of(&bytes);
    push(&store, &bytes, 1 << 16, &digest).await.expect("sound");
    let open = store.blob("a", &digest).await.expect("readable");
    assert!(store.delete_blob("a", &digest).await.expect("unneeded"));
    assert!(store.blob("a", &digest).await.expect("readable").is_none());
    let file = folder.path.join("blobs/sha256").join(digest.hex());
    assert!(!file.exists());
    let open = open.expect("the blob");
    let chunks: Vec<Bytes> = open
        .read(0, open.size())
        .try_collect()
        .await
        .expect("bytes");
    assert!(chunks.concat() == bytes);
}

#[test]
fn only_one_may_have_it() {
    let folder = Folder::new();
    let store = folder.open();
    let options = StoreOptions::default();
    let second = DirectoryStore::open(&folder.path, &options)
        .err()
        .expect("locked");
    assert!(matches!(second, BundleError::Locked { .. }), "{second}");
    drop(store);
    drop(folder.open());
}

#[test]
fn what_is_no_bundle_directory_is_left_alone() {
    let folder = Folder::new();
    let options = StoreOptions::default();
    let refused = |path: &Utf8Path| {
        let refused = DirectoryStore::open(path, &options).err();
        refused.expect("refused").to_string()
    };
    fs::create_dir_all(&folder.path).expect("made");
    let file = folder.path.join("holiday.jpg");
    fs::write(&file, "x").expect("written");
    assert!(refused(&folder.path).contains("no bundle"));
    assert!(refused(&file).contains("this is a file"));
    assert_eq!(fs::read_dir(&folder.path).expect("a folder").count(), 1);
    fs::remove_file(&file).expect("removed");
    fs::create_dir(folder.path.join("lost+found")).expect("made");
    drop(folder.open());
}

/// The store of a world with one image at `a:t`.
async fn one_image(disk: &MemoryDisk) -> World {
    let (world, store) = (World::new(), disk.open(DAY));
    for act in [Act::Push(0, 0), Act::Push(0, 1), Act::Put(0, 0, vec![0])] {
        world.act(&store, &act).await.expect("allowed");
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_counts_as_missing_and_can_be_pushed_again() {
    let disk = MemoryDisk::new();
    let world = one_image(&disk).await;
    let (digest, bytes) = &world.blobs[1];
    disk.tamper(&disk.files().blob(digest), |bytes| bytes.truncate(2));
    let store = disk.open(DAY);
    assert!(store.blob("a", digest).await.expect("readable").is_none());
    let put = world.act(&store, &Act::Put(0, 0, vec![1])).await;
    assert!(matches!(put, Err(StoreError::Missing(d)) if d == *digest));
    push(&store, bytes, 1, digest).await.expect("sound");
    world
        .act(&store, &Act::Put(0, 0, vec![1]))
        .await
        .expect("complete");
    world.look(&store).await;
    drop(store);

    let manifest = world.manifests[0].digest();
    disk.tamper(&disk.files().blob(manifest), |bytes| bytes[0] = b' ');
    let options = StoreOptions::default();
    let refused = DirectoryStore::start(disk.files(), &options, None);
    let refused = refused.err().expect("damaged");
    let hint = refused.hint().expect("a way out");
    assert!(refused.to_string().contains("a:t is damaged"), "{refused}");
    assert!(hint.contains("--repair"), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_or_cut_behind_its_back_is_written_again() {
    let disk = MemoryDisk::new();
    let world = one_image(&disk).await;
    let store = disk.open(DAY);
    let files = disk.files();
    let (blob, bytes) = &world.blobs[0];
    let path = files.blob(blob);
    for damage in ["removed", "cut"] {
        match damage {
            "cut" => disk.tamper(&path, |bytes| bytes.truncate(1)),
            _ => files.disk().remove(&path).expect("there"),
        }
        world.act(&store, &Act::Push(0, 0)).await.expect("taken");
        let found = read(&store, blob, 0, bytes.len() as u64).await;
        assert_eq!(&found[..], &bytes[..], "{damage}");
    }
    let manifest = files.blob(world.manifests[0].digest());
    files.disk().remove(&manifest).expect("there");
    let put = Act::Put(0, 0, vec![]);
    world.act(&store, &put).await.expect("taken");
    assert!(files.disk().size(&manifest).expect("a disk").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_named_as_another_type_is_what_it_says_itself() {
    let disk = MemoryDisk::new();
    let files = disk.files();
    drop(disk.open(DAY));
    let child = br#"{"schemaVersion":2,"mediaType":"TYPE","manifests":[]}"#;
    let child = String::from_utf8_lossy(child).replace("TYPE", media_type::DOCKER_LIST);
    let child = RawManifest::new(child.into(), None).expect("an index");
    let parent = format!(
        r#"{{"schemaVersion":2,"mediaType":"{0}","manifests":[{{"mediaType":"{0}","digest":"{1}","size":{2}}}]}}"#,
        media_type::OCI_INDEX,
        child.digest(),
        child.bytes().len()
    );
    let parent = RawManifest::new(parent.into(), None).expect("an index");
    let entry = Entry {
        descriptor: parent.descriptor(),
        source: None,
        repository: "a".to_owned(),
        tag: Some("t".to_owned()),
    };
    for manifest in [&child, &parent] {
        let path = files.blob(manifest.digest());
        files.replace(&path, manifest.bytes()).expect("written");
    }
    let index = index::to_bytes(&[entry]);
    files.replace(&files.index(), &index).expect("written");
    let store = disk.open(DAY);
    let found = store.manifest("a", &child.digest().into()).await;
    assert_eq!(found.expect("readable"), Some(child));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_nobody_would_read_is_not_written() {
    let disk = MemoryDisk::new();
    let world = one_image(&disk).await;
    let store = disk.open(DAY);
    let before = store.entries();
    let tags: Vec<Arc<str>> = (0..200_000)
        .map(|tag| format!("{tag:0128}").into())
        .collect();
    let refused = store.put_manifest("a", world.manifests[0].clone(), &tags);
    assert!(matches!(refused.await, Err(StoreError::NoSpace)));
    assert_eq!(store.entries(), before);
    let put = Act::Put(0, 0, vec![1]);
    world.act(&store, &put).await.expect("room for one");
    let after = store.entries();
    drop(store);
    assert_eq!(disk.open(DAY).entries(), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_nobody_needs_go_when_their_time_is_over() {
    let disk = MemoryDisk::new();
    let world = one_image(&disk).await;
    let store = disk.open(DAY);
    for act in [Act::Push(1, 2), Act::Push(0, 3), Act::Put(0, 2, vec![])] {
        world.act(&store, &act).await.expect("allowed");
    }
    world.act(&store, &Act::Remove(0, 2)).await.expect("there");
    let stray = Digest::of(b"stray");
    let files = disk.files();
    let path = files.blob(&stray);
    files.replace(&path, b"stray").expect("written");
    store.sweep().await.expect("swept");
    // A day is not over. The stray file was never verified: nobody may mount it.
    let shown = async |store: &DirectoryStore, repository: &str, blob: usize| {
        let digest = &world.blobs[blob].0;
        store
            .blob(repository, digest)
            .await
            .expect("readable")
            .is_some()
    };
    assert!(shown(&store, "b/c", 2).await && shown(&store, "a", 3).await);
    assert_eq!(litter(&disk), [stray.to_string()]);
    assert!(!store.mount("a", &stray, None).await.expect("an answer"));
    drop(store);
    drop(disk.open(DAY));
    assert_eq!(litter(&disk), [stray.to_string()]);

    let store = disk.open(Duration::ZERO);
    assert!(!shown(&store, "b/c", 2).await && !shown(&store, "a", 3).await);
    assert!(shown(&store, "a", 0).await && shown(&store, "a", 1).await);
    assert!(litter(&disk).is_empty());
    assert_eq!(files.list_blobs().expect("a list").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_before_the_bytes_and_while_they_come() {
    let disk = MemoryDisk::new();
    let store = disk.open(DAY);
    disk.set_available(Some((16 << 20) + 1000));
    let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
    let announced = store.expect(&mut upload, 1001).await;
    assert!(matches!(announced, Err(StoreError::NoSpace)));
    store.expect(&mut upload, 1000).await.expect("room");
    let mut other = store.begin("a", Algorithm::Sha256).await.expect("open");
    let announced = store.expect(&mut other, 1).await;
    assert!(matches!(announced, Err(StoreError::NoSpace)));
    disk.set_available(Some(1000));
    let bytes = content(1000);
    store
        .append(&mut upload, bytes.clone().into())
        .await
        .expect("gathered");
    let refused = store.commit(upload, &Digest::of(&bytes)).await;
    assert!(matches!(refused, Err(StoreError::NoSpace)));
    drop(other);
    assert!(litter(&disk).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_at_once_share_their_syncs_and_meet_in_one_blob() {
    let disk = MemoryDisk::new();
    let store = Arc::new(disk.open(DAY));
    let before = disk.log().len();
    disk.set_slow(Duration::from_millis(5));
    let shared = Bytes::from_static(b"shared");
    let config = Digest::of(&shared);
    let pushing = (0..24).map(|number: usize| {
        let (store, shared, config) = (Arc::clone(&store), shared.clone(), config.clone());
        tokio::spawn(async move {
            let repository = format!("r{}", number % 3);
            let bytes = Bytes::from(format!("layer {number}"));
            let layer = Digest::of(&bytes);
            for (bytes, digest) in [(shared, &config), (bytes, &layer)] {
                let mut upload = store.begin(&repository, Algorithm::Sha256).await?;
                store.append(&mut upload, bytes).await?;
                store.commit(upload, digest).await?;
            }
            let manifest = image(&config, &[layer], None);
            let tag = format!("t{number}").into();
            store.put_manifest(&repository, manifest, &[tag]).await
        })
    });
    for pushed in pushing.collect::<Vec<_>>() {
        pushed.await.expect("no panic").expect("pushed");
    }
    let log = disk.log().split_off(before);
    let count = |what: &str| log.iter().filter(|line| line.ends_with(what)).count();
    let rewrites = count("index.json.new /bundle/index.json");
    assert!(
        (1..20).contains(&rewrites),
        "{rewrites} rewrites for 24 manifests"
    );
    assert_eq!(count(&format!("/blobs/sha256/{}", config.hex())), 1);
    drop(store);
    let store = disk.after(super::testing::Crash::Power).open(DAY);
    for number in 0..24 {
        let tags = store
            .tags(&format!("r{}", number % 3))
            .await
            .expect("a list");
        assert!(tags.contains(&format!("t{number}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_on_the_disk_before_its_name_is() {
    let disk = MemoryDisk::new();
    drop(disk.open(DAY));
    let before = disk.log().len();
    let world = one_image(&disk).await;
    let log = disk.log().split_off(before);
    let manifest = world.manifests[0].digest().hex();
    let place = |ends: &str| {
        let found = log.iter().rposition(|line| line.ends_with(ends));
        found.unwrap_or_else(|| panic!("{ends} is not in {log:#?}"))
    };
    let placed = place(&format!("/bundle/blobs/sha256/{manifest}"));
    let upload = log[placed].split(' ').nth(1).expect("a name").to_owned();
    let order = [
        place(&format!("sync {upload}")),
        placed,
        place("sync /bundle/blobs/sha256"),
        place("sync /bundle/index.json.new"),
        place("rename /bundle/index.json.new /bundle/index.json"),
        place("sync /bundle"),
    ];
    assert!(order.is_sorted(), "{order:?} of {log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_a_carried_directory_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    drop(folder.open());
    let secret = folder.path.with_file_name("secret");
    fs::write(&secret, "secret").expect("written");

    // A new file takes the place of a link, and what the link led to stays as it is.
    symlink(&secret, folder.path.join("index.json.new")).expect("a link");
    let store = folder.open();
    let world = World::new();
    for act in [Act::Push(0, 0), Act::Push(0, 1), Act::Put(0, 0, vec![0])] {
        world.act(&store, &act).await.expect("allowed");
    }
    drop(store);
    assert_eq!(fs::read(&secret).expect("a file"), b"secret");
    let index = fs::read_to_string(folder.path.join("index.json")).expect("a file");
    assert!(
        index.contains(&world.manifests[0].digest().to_string()),
        "{index}"
    );

    let refused = |inside: &str| {
        let told = DirectoryStore::open(&folder.path, &StoreOptions::default())
            .err()
            .expect(inside)
            .to_string();
        assert!(told.contains("is a link"), "{inside}: {told}");
    };
    let blob = format!("blobs/sha256/{}", Digest::of(b"secret").hex());
    for (inside, target) in [
        (&*blob, "secret"),
        (".airbuoy/uploads", ""),
        ("blobs/sha512", ""),
    ] {
        let path = folder.path.join(inside);
        if path.is_dir() {
            fs::remove_dir(&path).expect("empty");
        }
        symlink(folder.path.with_file_name(target), &path).expect("a link");
        refused(inside);
        fs::remove_file(&path).expect("the link");
    }
    assert_eq!(fs::read(&secret).expect("a file"), b"secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_or_swept_where_a_child_manifest_is_damaged() {
    let disk = MemoryDisk::new();
    let (world, store) = (World::new(), disk.open(DAY));
    for blob in [0, 1, 2, 4] {
        world.act(&store, &Act::Push(0, blob)).await.expect("new");
    }
    for manifest in [0, 1, 3] {
        let put = Act::Put(0, manifest, vec![0]);
        world.act(&store, &put).await.expect("complete");
    }
    drop(store);
    // Only the index leads to the child.
    let files = disk.files();
    let mut entries = read_index(&files).expect("readable").expect("an index");
    entries.retain(|entry| entry.descriptor.digest == *world.manifests[3].digest());
    let bytes = index::to_bytes(&entries);
    files.replace(&files.index(), &bytes).expect("written");
    let path = files.blob(world.manifests[0].digest());
    let names = disk.names();
    disk.tamper(&path, |bytes| bytes[3] ^= 1);
    let options = StoreOptions {
        sync: true,
        keep: Duration::ZERO,
    };
    let refused = DirectoryStore::start(disk.files(), &options, None)
        .err()
        .expect("damaged");
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    assert_eq!(disk.names(), names);

    // What was never there is no damage: some tools leave platforms out.
    files.disk().remove(&path).expect("removed");
    drop(DirectoryStore::start(files, &options, None).expect("tolerated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_again_takes_no_room_twice() {
    let disk = MemoryDisk::new();
    let store = disk.open(DAY);
    disk.set_available(Some(50 << 20));
    let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
    for _ in 0..10 {
        let expect = store.expect(&mut upload, 30 << 20);
        expect.await.expect("the room that it had");
    }
    let mut other = store.begin("a", Algorithm::Sha256).await.expect("open");
    let refused = store.expect(&mut other, 10 << 20).await;
    assert!(matches!(refused, Err(StoreError::NoSpace)));
    store.expect(&mut upload, 0).await.expect("less");
    let expect = store.expect(&mut other, 30 << 20);
    expect.await.expect("the room that was given back");
}

/// What the store leaves free.
const RESERVE: u64 = 16 << 20;

/// Appends chunks of `size` until one is refused or `most` bytes are taken; gives how many were.
async fn stream(
    store: &DirectoryStore,
    upload: &mut <DirectoryStore as Store>::Upload,
    size: usize,
    most: usize,
) -> (usize, Result<(), StoreError>) {
    let chunk = Bytes::from(content(size));
    let mut taken = 0;
    while taken < most {
        if let Err(error) = store.append(upload, chunk.clone()).await {
            return (taken, Err(error));
        }
        taken += size;
    }
    (taken, Ok(()))
}

/// Waits until no file of an upload is left.
async fn no_uploads(disk: &MemoryDisk) {
    for _ in 0..1000 {
        if disk.names().iter().all(|name| !name.contains("/uploads/")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", disk.names());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_that_nobody_announced_never_take_the_reserve() {
    let disk = MemoryDisk::new();
    let store = Arc::new(disk.open(DAY));
    let room: usize = 6 << 20;
    disk.set_capacity(RESERVE + room as u64);
    for (streams, size) in [(1, 7000), (2, 100_000), (5, 1 << 20)] {
        let sending = (0..streams).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
                let (taken, end) = stream(&store, &mut upload, size, 64 << 20).await;
                // Also what was announced for the rest of a broken body is not asked for.
                let again = store.expect(&mut upload, 0).await;
                (upload, taken, end, again)
            })
        });
        let mut taken = 0;
        let mut uploads = Vec::new();
        for sent in sending.collect::<Vec<_>>() {
            let (upload, bytes, end, again) = sent.await.expect("no panic");
            assert!(matches!(end, Err(StoreError::NoSpace)), "{end:?}");
            assert!(matches!(again, Err(StoreError::NoSpace)), "{again:?}");
            taken = taken.max(bytes);
            uploads.push(upload);
        }
        let least = disk.least().expect("written");
        assert!(least >= RESERVE, "{streams} streams left {least}");
        // One alone gets what there is, and is told while it still sends.
        assert!(taken <= room + (3 << 20), "{taken}");
        assert!(streams > 1 || taken > room - (1 << 20), "{taken}");
        drop(uploads);
        no_uploads(&disk).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_streams_do_not_use_is_given_back() {
    let disk = MemoryDisk::new();
    let store = disk.open(DAY);
    disk.set_capacity(RESERVE + (8 << 20));
    let mut first = store.begin("a", Algorithm::Sha256).await.expect("open");
    let (_, sent) = stream(&store, &mut first, 512 << 10, 5 << 20).await;
    sent.expect("room");
    // An end of its body comes to the same as a break: what is written is all that it holds.
    store.expect(&mut first, 0).await.expect("nothing");
    let mut second = store.begin("a", Algorithm::Sha256).await.expect("open");
    let used = disk.files();
    let free = used.disk().available(used.root()).expect("a capacity") - RESERVE;
    assert!((2 << 20..=3 << 20).contains(&free), "{free}");
    store.expect(&mut second, free).await.expect("all the rest");
    let (_, sent) = stream(&store, &mut first, 1 << 20, 1 << 20).await;
    sent.expect("gathered");
    let bytes = content(1 << 20);
    let refused = store.commit(first, &Digest::of(&bytes)).await;
    assert!(matches!(refused, Err(StoreError::NoSpace)), "{refused:?}");
    drop(second);
    no_uploads(&disk).await;
    assert!(disk.least() >= Some(RESERVE));
    let mut third = store.begin("a", Algorithm::Sha256).await.expect("open");
    let expect = store.expect(&mut third, 7 << 20);
    expect.await.expect("the room of both");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_things_can_be_deleted() {
    let disk = MemoryDisk::new();
    let world = one_image(&disk).await;
    let store = disk.open(DAY);
    disk.set_capacity(RESERVE + (3 << 20));
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
        let (_, sent) = stream(&store, &mut upload, 300_000, 2_200_000).await;
        held.push((upload, sent.is_ok()));
    }
    assert!(held.iter().any(|(_, sent)| !sent));
    let untag = world.act(&store, &Act::Untag(0, 0)).await;
    assert!(untag.expect("room for the lists"));
    let remove = world.act(&store, &Act::Remove(0, 0)).await;
    assert!(remove.expect("room for the lists"));
    let put = world.act(&store, &Act::RemoveBlob(0, 0)).await;
    assert!(put.expect("room for the lists"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_free_space_is_looked_at_once_in_a_while() {
    let disk = MemoryDisk::new();
    let store = disk.open(DAY);
    disk.set_available(Some(1 << 40));
    let bytes = content(1 << 20);
    let before = disk.looks();
    let pushed = push(&store, &bytes, 8 << 10, &Digest::of(&bytes)).await;
    pushed.expect("room");
    assert_eq!(disk.looks() - before, 1);
    let before = disk.looks();
    let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
    let (_, sent) = stream(&store, &mut upload, 8 << 10, 12 << 20).await;
    sent.expect("room");
    let looks = disk.looks() - before;
    assert!((1..=3).contains(&looks), "{looks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_all_sizes_make_one_blob() {
    let disk = MemoryDisk::new();
    let store = disk.open(DAY);
    let bytes = content(3_333_333);
    let digest = Digest::of(&bytes);
    let mut upload = store.begin("a", Algorithm::Sha256).await.expect("open");
    let sizes = [1, 70_000, 3, 0, 65_536, 65_535, 300_000, 17, 17, 1 << 20];
    let mut rest = Bytes::from(bytes.clone());
    for size in sizes.into_iter().cycle() {
        let chunk = rest.split_to(size.min(rest.len()));
        store.append(&mut upload, chunk).await.expect("room");
        if rest.is_empty() {
            break;
        }
    }
    store.commit(upload, &digest).await.expect("sound");
    assert!(read(&store, &digest, 0, 3_333_333).await == bytes);
}
