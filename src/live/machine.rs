//! The platform of this machine, as Go and so images name it.

use std::env::consts::{ARCH, OS};

use crate::oci::Platform;

/// What a program must be built for to run here.
pub(super) fn platform() -> Platform {
    Platform {
        os: os(OS).to_owned(),
        architecture: architecture(ARCH, cfg!(target_endian = "little")).to_owned(),
        variant: None,
    }
}

/// Rust's name of an operating system ▶ Go's.
fn os(name: &str) -> &str {
    match name {
        "macos" => "darwin",
        same => same,
    }
}

/// Rust's name of an architecture ▶ Go's.
fn architecture(name: &str, little_endian: bool) -> &str {
    match (name, little_endian) {
        ("x86_64", _) => "amd64",
        ("x86", _) => "386",
        ("aarch64", _) => "arm64",
        ("powerpc64", true) => "ppc64le",
        ("powerpc64", false) => "ppc64",
        ("loongarch64", _) => "loong64",
        ("mips64", true) => "mips64le",
        (same, _) => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_images() {
        for (rust, go) in [
            ("x86_64", "amd64"),
            ("aarch64", "arm64"),
            ("arm", "arm"),
            ("s390x", "s390x"),
            ("riscv64", "riscv64"),
            ("powerpc64", "ppc64le"),
        ] {
            assert_eq!(architecture(rust, true), go);
        }
        assert_eq!(architecture("powerpc64", false), "ppc64");
        assert_eq!((os("macos"), os("linux")), ("darwin", "linux"));
        assert!(platform().to_string().parse::<Platform>().is_ok());
    }
}
