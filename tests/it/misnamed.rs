//! Paths and sizes that cannot be meant: each is one error with exit code 2, before anything moves.

use std::fs;

use crate::bundle_pull::{numbered, pull};
use crate::support::airbuoy::Airbuoy;
use crate::support::faulty::Faulty;

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
    airbuoy.run(&format!("{command} 13k")).exits(0);
}
