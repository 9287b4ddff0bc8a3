//! Image layouts that other tools wrote are bundles too.

use std::path::Path;
use std::process::Command;

use airbuoy::bundle::{Bundle, Entry};
use airbuoy::event::Silent;
use camino::Utf8Path;

use crate::support::faulty::Faulty;
use crate::support::images;
use crate::support::registry::temp_dir;
use crate::support::skip::{self, require};

const NAME: &str = "kinds/index:attested";

/// Runs a tool without the caller's settings.
fn run(program: &Path, home: &Path, arguments: &[&str]) {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .args(arguments);
    let output = command.output().expect("an installed tool starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

/// Everything in it is sound, and its one image is the one of the registry.
fn sound(path: &Utf8Path, digest: &str, name: &str) {
    let bundle = Bundle::open(path).expect("a bundle");
    assert_eq!(bundle.check(), [], "{path}");
    let verified = bundle.verify(&Silent, &tokio_util::sync::CancellationToken::new());
    assert_eq!(verified.expect("verified").faults, [], "{path}");
    let names: Vec<String> = bundle.entries().iter().map(Entry::name).collect();
    assert_eq!(names, [name], "{path}");
    let found = &bundle.entries()[0].descriptor.digest;
    assert_eq!(found.as_str(), digest, "{path}");
}

#[test]
fn what_skopeo_writes_is_read() {
    let skopeo = require!(skip::program("skopeo"));
    let (content, _) = images::kinds();
    let source = Faulty::start(content.clone());
    let digest = &content.repositories["kinds/index"].tags["attested"];
    let home = temp_dir();
    let root = Utf8Path::from_path(home.path()).expect("UTF-8");
    let from = format!("docker://{}/{NAME}", source.host());
    for (to, path) in [
        ("oci-archive", root.join("set.tar")),
        ("oci", root.join("set")),
    ] {
        for (given, expected) in [
            (
                "registry.k8s.io/kinds/index:attested",
                "kinds/index:attested",
            ),
            ("latest", "set:latest"),
        ] {
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir_all(&path);
            let to = format!("{to}:{path}:{given}");
            let arguments = [
                "copy",
                "--all",
                "--preserve-digests",
                "--insecure-policy",
                "--src-tls-verify=false",
                &from,
                &to,
            ];
            run(&skopeo, home.path(), &arguments);
            sound(&path, digest, expected);
        }
    }
}

#[test]
fn what_crane_and_tar_write_is_read() {
    let crane = require!(skip::program("crane"));
    let tar = require!(skip::program("tar"));
    let (content, _) = images::kinds();
    let source = Faulty::start(content.clone());
    let digest = &content.repositories["kinds/index"].tags["attested"];
    let home = temp_dir();
    let root = Utf8Path::from_path(home.path()).expect("UTF-8");
    let folder = root.join("set");
    let from = format!("{}/{NAME}", source.host());
    let arguments = ["pull", "--insecure", "--format=oci", &from, folder.as_str()];
    run(&crane, home.path(), &arguments);
    // crane names nothing: it is known by its digest, under the name of the file.
    sound(&folder, digest, &format!("set@{digest}"));
    for format in ["gnu", "pax", "ustar"] {
        let packed = root.join(format!("{format}.tar"));
        let format_of = format!("--format={format}");
        let arguments = [
            &*format_of,
            "-C",
            folder.as_str(),
            "-cf",
            packed.as_str(),
            ".",
        ];
        run(&tar, home.path(), &arguments);
        sound(&packed, digest, &format!("{format}@{digest}"));
    }
}
