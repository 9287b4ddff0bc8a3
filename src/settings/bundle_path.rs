//! Where a bundle lies, told from what names a registry.

use camino::Utf8Path;

/// Whether `text` names a bundle rather than a registry: a file or folder of that name is there,
/// or the name is one that only a bundle has.
pub(super) fn names_bundle(text: &str) -> bool {
    let path = Utf8Path::new(text);
    matches!(path.extension(), Some("tar" | "volumes"))
        || is_volume(path)
        || text.starts_with(['/', '.', '~'])
        || text.ends_with('/')
        || path.exists()
}

/// `NAME.tar.001`.
fn is_volume(path: &Utf8Path) -> bool {
    let counted = |number: &str| number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit());
    let tar = path.file_stem().map(Utf8Path::new);
    path.extension().is_some_and(counted) && tar.and_then(Utf8Path::extension) == Some("tar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_known_by_its_name_or_by_being_there() {
        let here = tempfile::tempdir().expect("a folder");
        let here = here.path().to_str().expect("UTF-8");
        for bundle in [
            "k8s.tar",
            "k8s.tar.volumes",
            "k8s.tar.002",
            "/media/k8s",
            "./registry.example.com",
            here,
        ] {
            assert!(names_bundle(bundle), "{bundle}");
        }
        for registry in [
            "registry.example.com/k8s",
            "10.0.0.5:5000",
            "localhost:5000/k8s.1",
            "r.io/x.002",
        ] {
            assert!(!names_bundle(registry), "{registry}");
        }
    }
}
