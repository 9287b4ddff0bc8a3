//! Names inside a layer (OCI image-spec, layer.md): the one program that is wanted, and what hides
//! the one of a lower layer.

use tar::EntryType;

/// Where the conformance image keeps the program (kubernetes/test/conformance/image/Dockerfile).
pub(super) const PROGRAM: &str = "usr/local/bin/e2e.test";

/// What an entry of a layer means for [`PROGRAM`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It has the program's name.
    Program,
    /// The program of every lower layer is gone.
    Hides,
    /// Nothing.
    Nothing,
}

/// Reads an entry's name as it stands in the archive; a `./` in front is none. A name that only
/// leads to the program (`usr/../usr/local/…`, `/usr/…`) is another name.
pub(super) fn meaning(name: &[u8], kind: EntryType) -> Meaning {
    let Ok(name) = std::str::from_utf8(name) else {
        return Meaning::Nothing;
    };
    let name = name.strip_prefix("./").unwrap_or(name);
    let name = name.trim_end_matches('/');
    if name == PROGRAM {
        return Meaning::Program;
    }
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let hides = match last.strip_prefix(".wh.") {
        // An opaque whiteout: nothing below stays in this folder.
        Some(".wh..opq") => leads_to_program(folder),
        Some(removed) if folder.is_empty() => is_or_leads_to_program(removed),
        Some(removed) => is_or_leads_to_program(&format!("{folder}/{removed}")),
        None => leads_to_program(name) && !name.is_empty() && kind != EntryType::Directory,
    };
    if hides {
        Meaning::Hides
    } else {
        Meaning::Nothing
    }
}

fn is_or_leads_to_program(path: &str) -> bool {
    path == PROGRAM || (!path.is_empty() && leads_to_program(path))
}

/// Whether `path` is a folder above the program; the root, written as nothing, is.
fn leads_to_program(path: &str) -> bool {
    path.is_empty()
        || PROGRAM
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_is_the_program() {
        let of = |name: &str| meaning(name.as_bytes(), EntryType::Regular);
        assert_eq!(of("usr/local/bin/e2e.test"), Meaning::Program);
        assert_eq!(of("./usr/local/bin/e2e.test"), Meaning::Program);
        for other in [
            "/usr/local/bin/e2e.test",
            "../usr/local/bin/e2e.test",
            "usr/local/bin/../bin/e2e.test",
            "usr/local/bin/e2e.test.old",
            "usr/local/bin/ginkgo",
            "e2e.test",
            "",
            "./",
            "usr/local/binary",
            ".wh.",
            "usr/local/bin/.wh.ginkgo",
            "usr/share/.wh..wh..opq",
        ] {
            assert_eq!(of(other), Meaning::Nothing, "{other}");
        }
        assert_eq!(meaning(b"\xff", EntryType::Regular), Meaning::Nothing);
    }

    #[test]
    fn whiteouts_and_non_folders_hide_what_is_below() {
        let of = |name: &str| meaning(name.as_bytes(), EntryType::Regular);
        for hides in [
            "usr/local/bin/.wh.e2e.test",
            "./usr/local/bin/.wh.e2e.test",
            "usr/local/.wh.bin",
            ".wh.usr",
            ".wh..wh..opq",
            "usr/local/bin/.wh..wh..opq",
            "usr/local/bin",
        ] {
            assert_eq!(of(hides), Meaning::Hides, "{hides}");
        }
        for folder in ["usr/", "usr/local/bin/", "./"] {
            let meaning = meaning(folder.as_bytes(), EntryType::Directory);
            assert_eq!(meaning, Meaning::Nothing, "{folder}");
        }
        let link = meaning(b"usr/local/bin", EntryType::Symlink);
        assert_eq!(link, Meaning::Hides);
    }
}
