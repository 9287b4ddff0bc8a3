//! What a writer says when the disk does not take a bundle.

use std::fs;
use std::io;

use super::recording::RecordingDisk;
use super::testing::{Trouble, bring, bring_blobs, files, folder, images, pull, sound};
use super::{Preview, WriteOptions, Writer};
use crate::content::{Code, Retry, Target as _};

#[tokio::test]
async fn a_disk_that_fills_up_keeps_what_is_durable() {
    for (file, write) in [
        ("set.tar", "write set.tar.partial"),
        ("set", "write set/.airbuoy"),
    ] {
        let folder = folder();
        let path = folder.path.join(file);
        let images = images();
        let disk = RecordingDisk::new(&folder.path);
        let writer = Writer::open(&path, images.options(), disk.clone()).expect("a writer");
        bring(&writer, &images, Some(450_000), &mut 0)
            .await
            .expect_err("the source breaks");
        disk.refuse(write, io::ErrorKind::StorageFull);
        let mut asked = 0;
        let failure = bring_blobs(&writer, &images, None, &mut asked)
            .await
            .expect_err("full");
        assert_eq!(failure.code(), Code::Local, "{failure}");
        assert_eq!(failure.retry_class(), Retry::Never);
        assert!(failure.to_string().contains(file), "{failure}");
        assert!(
            failure
                .hint_text()
                .is_some_and(|hint| hint.contains("make room"))
        );
        let home = images.plan.roots[0].0.repository().clone();
        let next = writer.begin(&home, &images.plan.blobs[0], None).await;
        assert!(next.is_err(), "nothing else is fetched to find out");
        let error = writer.finish(&images.names()).expect_err("it is not whole");
        assert!(error.to_string().contains(file), "{error}");
        drop(writer);
        let asked = sound(&path, &images, None).await;
        assert!(asked < images.unique() - 300_000, "{file}: {asked}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_said_before_a_byte_is_fetched() {
    let folder = folder();
    let told = |error: &Trouble| match error {
        Trouble::Bundle(error) => (error.to_string(), error.hint()),
        Trouble::Copy(failure) => (failure.to_string(), failure.hint_text().map(str::to_owned)),
    };
    let attempt = async |file: &str, disk: RecordingDisk, change: fn(&mut WriteOptions)| {
        let images = images();
        let mut options = images.options();
        change(&mut options);
        let mut asked = 0;
        let path = folder.path.join(file);
        let error = pull(&path, &images, options, disk, &mut asked).await;
        assert_eq!(asked, 0, "{file}");
        told(&error.expect_err(file))
    };
    let disk = || RecordingDisk::new(&folder.path);

    for file in ["set.tar", "small"] {
        let small = RecordingDisk::with_free(&folder.path, Some(9999));
        let (message, hint) = attempt(file, small, |_| {}).await;
        assert!(message.contains("9999 bytes free"), "{message}");
        assert!(hint.is_some());
    }
    let fat = disk();
    fat.refuse("size set.tar.partial", io::ErrorKind::FileTooLarge);
    let (message, hint) = attempt("set.tar", fat, |_| {}).await;
    assert!(message.contains("set.tar.partial"), "{message}");
    assert!(hint.is_some_and(|hint| hint.contains("--split-size")));
    let locked = disk();
    locked.refuse("create set.tar.partial", io::ErrorKind::ReadOnlyFilesystem);
    let (_, hint) = attempt("set.tar", locked, |_| {}).await;
    assert!(hint.is_some_and(|hint| hint.contains("read-only")));
    assert_eq!(files(&folder.path), ["small"], "nothing is left behind");

    let (message, _) = attempt("set.tar.gz", disk(), |_| {}).await;
    assert!(message.contains("compressed"), "{message}");
    let (message, _) = attempt("parts", disk(), |options| options.split = Some(9)).await;
    assert!(message.contains("no volumes"), "{message}");
    let (message, hint) = attempt("set.tar", disk(), |options| options.split = Some(512)).await;
    assert!(
        message.contains("volumes of 512, more than 999"),
        "{message}"
    );
    assert!(hint.is_some_and(|hint| hint.contains("--split-size")));
    fs::create_dir(folder.path.join("home")).expect("a folder");
    fs::write(folder.path.join("home/letter.txt"), "x").expect("a file");
    let (message, _) = attempt("home", disk(), |_| {}).await;
    assert!(message.contains("no image layout"), "{message}");
    let (message, _) = attempt("home/letter.txt", disk(), |_| {}).await;
    assert!(message.contains("not named NAME.tar"), "{message}");
}

#[test]
fn a_preview_tells_the_same_and_writes_nothing() {
    let folder = folder();
    let images = images();
    let takes = |file: &str, free: Option<u64>, split: Option<u64>| {
        let disk = RecordingDisk::with_free(&folder.path, free);
        let options = WriteOptions {
            split,
            ..images.options()
        };
        let path = folder.path.join(file);
        Preview::open(&path, options, disk)?.takes(&images.plan)
    };
    for file in ["set.tar", "set", "new/folder/set.tar"] {
        let error = takes(file, Some(9999), None).expect_err(file);
        assert!(error.to_string().contains("9999 bytes free"), "{error}");
        takes(file, Some(images.unique() + 100_000), None).expect("room enough");
    }
    let error = takes("set.tar", None, Some(512)).expect_err("too many");
    assert!(error.to_string().contains("more than 999"), "{error}");
    let error = takes("set", None, Some(100_000)).expect_err("a folder");
    assert!(error.to_string().contains("no volumes"), "{error}");
    assert!(files(&folder.path).is_empty());
}

#[tokio::test]
async fn a_preview_counts_what_an_earlier_run_has_taken() {
    let folder = folder();
    let images = images();
    let path = folder.path.join("set.tar");
    let disk = RecordingDisk::new(&folder.path);
    let writer = Writer::open(&path, images.options(), disk).expect("a writer");
    bring(&writer, &images, Some(450_000), &mut 0)
        .await
        .expect_err("the source breaks");
    drop(writer);
    let takes = |free| {
        let disk = RecordingDisk::with_free(&folder.path, Some(free));
        let preview = Preview::open(&path, images.options(), disk).expect("a path");
        preview.takes(&images.plan)
    };
    takes(images.unique() - 300_000).expect("the rest has room");
    takes(1000).expect_err("the rest has none");
}
