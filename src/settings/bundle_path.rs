//! Where a bundle lies, told from what names a registry.

use camino::Utf8Path;

/// Whether `text` names a bundle rather than a registry: a file or folder of that name is there,
/// or the name ends as only a bundle's does.
pub(super) fn names_bundle(text: &str) -> bool {
    let ending = |ending: &&str| text.ends_with(ending);
    [".tar", ".tar.volumes", ".volumes", "/"]
        .iter()
        .any(|e| ending(&e))
        || is_volume(text)
        || text.starts_with(['/', '.', '~'])
        || Utf8Path::new(text).exists()
}

/// `NAME.tar.001`.
fn is_volume(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(tar, number)| {
        tar.ends_with(".tar") && number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())
    })
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
