//! Paths and sizes that cannot be meant: each is one error with exit code 2, before anything moves.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bundle_pull::{numbered, pull};
use crate::support::airbuoy::Airbuoy;
use crate::support::faulty::Faulty;
use crate::support::images::VERSION;

#[test]
fn a_bundle_that_is_not_there_is_wrong_usage_for_every_verb() {
    let airbuoy = Airbuoy::new();
    airbuoy.file("notes", "a file");
    let version = "--kubernetes-version 1.36";
    for path in [
        "nothing",
        "no/thing",
        "nothing.tar",
        "nothing.tar.001",
        "nothing.tar.volumes",
        "notes/nothing",
    ] {
        for command in [
            format!("bundle ls {path}"),
            format!("bundle rm {path} {version}"),
            format!("verify ./{path}"),
            format!("push {path} 127.0.0.1:1/k8s"),
            format!("serve {path}"),
            format!("pull new.tar {version} --base {path}"),
        ] {
            let said = airbuoy.run(&command).exits(2).stderr;
            assert!(
                said.contains("there is no bundle here"),
                "{command}: {said}"
            );
            assert!(said.contains("hint: check the path"), "{command}: {said}");
        }
    }
    let nameless = ["bundle", "ls", ""];
    let mut nameless = assert_cmd::Command::from_std({
        let mut command = airbuoy.command("");
        command.args(nameless);
        command
    });
    let said = nameless.output().expect("it runs").stderr;
    let said = String::from_utf8(said).expect("UTF-8");
    assert!(said.contains("the path of a bundle is needed"), "{said}");
    let said = airbuoy.run("verify Nothing").exits(2).stderr;
    assert!(said.contains("no file or directory of that name"), "{said}");
    let left: Vec<_> = fs::read_dir(airbuoy.home()).expect("a home").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_folder_of_other_things_takes_no_bundle() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    airbuoy.file("holiday/beach.jpg", "x");
    let command = pull(&["image/1:v1"], &source.host(), "holiday");
    let said = airbuoy.run(&command).exits(2).stderr;
    assert!(said.contains("is no image layout"), "{said}");
    airbuoy.file("notes", "x");
    let command = pull(&["image/1:v1"], &source.host(), "notes");
    airbuoy.run(&command).exits(2);
}

#[test]
fn too_many_volumes_are_one_error_that_names_the_size() {
    let mut content = numbered(&[1]);
    let layers = [content.layer("image/2", 2, 12_000_000)];
    let image = content.image("image/2", "image/2", "linux/amd64", &layers);
    content.tag("image/2", "v1", &image);
    let source = Faulty::start(content);
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1", "image/2:v1"], &source.host(), "set.tar");
    let command = command.replace("-o json", "") + " --split-size";
    let said = airbuoy.run(&format!("{command} 1")).exits(2).stderr;
    assert!(said.contains("at least 10240 bytes"), "{said}");
    assert_eq!(source.log().len(), 0);

    let said = airbuoy.run(&format!("{command} 10240")).exits(2).stderr;
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    assert!(said.contains("volumes of 10240, more than 999"), "{said}");
    assert!(said.contains("--split-size 13k is the least"), "{said}");
    let log = source.log();
    let blobs = log.iter().filter(|r| r.target.contains("/blobs/"));
    assert_eq!(blobs.count(), 0, "{log:#?}");
    let left: Vec<_> = fs::read_dir(airbuoy.home()).expect("a home").collect();
    assert!(left.is_empty(), "{left:?}");
    let planned = airbuoy.run(&format!("{command} 10240 --dry-run")).exits(2);
    assert_eq!(planned.stderr, said);
    airbuoy.run(&format!("{command} 13k --dry-run")).exits(0);
    airbuoy.run(&format!("{command} 13k")).exits(0);
}

#[test]
fn a_dry_run_refuses_what_the_run_refuses() {
    let source = Faulty::start(numbered(&[1, 2]));
    let airbuoy = Airbuoy::new();
    let pull = |images: &[&str], bundle: &str| {
        pull(images, &source.host(), bundle).replace("-o json", "--progress none")
    };
    let both = ["image/1:v1", "image/2:v1"];
    airbuoy.run(&pull(&both, "set.tar")).exits(0);
    airbuoy.file("holiday/beach.jpg", "x");
    airbuoy.file("notes", "x");
    airbuoy.file("notes.tar", "x");
    let half = fs::read(airbuoy.home().join("set.tar")).expect("a tar");
    fs::write(airbuoy.home().join("half.tar"), &half[..half.len() / 2]).expect("written");
    fs::create_dir(airbuoy.home().join("linked")).expect("a folder");
    airbuoy.file("linked/oci-layout", "{}");
    let link = airbuoy.home().join("linked/blobs");
    std::os::unix::fs::symlink(airbuoy.home(), link).expect("a link");
    let files = || {
        let mut files: Vec<_> = walk(airbuoy.home());
        files.sort();
        files
    };
    let before = files();
    for (command, code) in [
        (pull(&both, "set.tar").replace(VERSION, "v1.35.4"), 2),
        (pull(&both, "set.tar") + " --platform linux/amd64", 2),
        (pull(&both, "set.tar") + " --base ./set.tar", 2),
        (pull(&both, "set.tar") + " --base set.tar.volumes", 2),
        (pull(&both, "holiday"), 2),
        (pull(&both, "notes"), 2),
        (pull(&both, "notes.tar"), 2),
        (pull(&both, "half.tar"), 4),
        (pull(&both, "linked"), 4),
    ] {
        let real = airbuoy.run(&command).exits(code);
        let planned = airbuoy.run(&format!("{command} --dry-run")).exits(code);
        assert_eq!(planned.stderr, real.stderr, "{command}");
        assert!(real.stderr.contains("error: "), "{}", real.stderr);
        assert_eq!(files(), before, "{command}");
    }
    // What lies there already is no reason to refuse.
    airbuoy
        .run(&(pull(&both, "set.tar") + " --dry-run"))
        .exits(0);
    airbuoy.run(&(pull(&both, "new") + " --dry-run")).exits(0);
    assert_eq!(files(), before);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            let below = if path.is_dir() && !path.is_symlink() {
                walk(&path)
            } else {
                Vec::new()
            };
            std::iter::once(path).chain(below)
        })
        .collect()
}
