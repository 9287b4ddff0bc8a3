//! Paths that cannot be meant: each is one error with exit code 2, before anything moves.

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
