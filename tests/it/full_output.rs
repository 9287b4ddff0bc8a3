//! Standard output and folders that take nothing.

use std::fs::File;

use crate::bundle_pull::{numbered, pull};
use crate::support::airbuoy::Airbuoy;
use crate::support::faulty::Faulty;
use crate::support::images::mirror_only;
use crate::support::writable::Writable;

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_output_is_named() {
    let airbuoy = Airbuoy::new();
    let mut command = airbuoy.command("images --kubernetes-version v1.36.1 -o json");
    let full = File::options().write(true).open("/dev/full");
    command.stdout(full.expect("/dev/full"));
    let output = command.output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("error: cannot write to standard output: No space left"),
        "{said}"
    );
}

#[test]
fn a_copy_is_accounted_for_when_its_config_files_cannot_be_written() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let target = Writable::start(&airbuoy.home().join("registry"), &[]);
    // Nothing can be renamed over a folder.
    airbuoy.file("out/custom-repo-config.yaml/x", "");
    let to = format!("{}/k8s --out-dir out", target.host());
    let mirror = mirror_only(&["image/1:v1"], &source.host(), &to);
    let mirror = mirror.replace("-o json", "--report report.json --progress none");
    let pull = pull(&["image/1:v1"], &source.host(), "set.tar");
    airbuoy.run(&pull).exits(0);
    let push = format!("push set.tar {to} --report report.json --progress none");
    for (command, word) in [(mirror, "Mirrored 4 images"), (push, "Nothing to do")] {
        let said = airbuoy.run(&command).exits(4).stderr;
        assert!(said.contains(word), "{said}");
        let failed = "error: every image is in place, but not the config files: cannot write out/";
        assert!(said.contains(failed), "{said}");
        let report = airbuoy.home().join("report.json");
        std::fs::remove_file(report).expect("a report");
    }
}
