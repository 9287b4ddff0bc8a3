//! Standard output that takes nothing.

use std::fs::File;

use crate::support::airbuoy::Airbuoy;

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
