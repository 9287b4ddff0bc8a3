//! What is said when versions were removed from a bundle.

use camino::Utf8Path;

use super::size::{bytes, count};
use crate::bundle::Removed;

/// What went, what it freed, and what is left.
pub fn removed(bundle: &Utf8Path, removed: &Removed) -> Vec<String> {
    let names = |versions: &[crate::kube_version::KubeVersion]| {
        let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let mut lines: Vec<String> = removed
        .images
        .iter()
        .map(|image| format!("Removed {image}"))
        .collect();
    lines.push(format!(
        "Removed Kubernetes {} from {bundle}: {}, {} in {} blobs and manifests freed",
        names(&removed.versions),
        count(removed.images.len(), "image"),
        bytes(removed.bytes),
        removed.blobs,
    ));
    if removed.shared > 0 {
        lines.push(format!(
            "{} more stay: other versions need them",
            count(removed.shared, "image")
        ));
    }
    lines.push(if removed.left.is_empty() {
        "No version is left in it".to_owned()
    } else {
        format!("Left in it: Kubernetes {}", names(&removed.left))
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_freed_and_what_is_left() {
        let version = |text: &str| text.parse().expect("a version");
        let mut what = Removed {
            versions: vec![version("v1.34.2")],
            images: vec!["pause:3.9".to_owned()],
            shared: 30,
            blobs: 12,
            bytes: 1_200_000_000,
            left: vec![version("v1.35.4"), version("v1.36.3")],
        };
        insta::assert_snapshot!(removed("k8s".into(), &what).join("\n"), @r"
        Removed pause:3.9
        Removed Kubernetes v1.34.2 from k8s: 1 image, 1.2 GB in 12 blobs and manifests freed
        30 images more stay: other versions need them
        Left in it: Kubernetes v1.35.4, v1.36.3
        ");
        what.left.clear();
        let lines = removed("k8s".into(), &what);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("No version is left in it")
        );
    }
}
