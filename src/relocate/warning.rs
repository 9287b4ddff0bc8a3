//! What known registries make of the names at the target.

use super::target::TargetPrefix;
use crate::oci::Reference;

/// Docker Hub knows `namespace/name` and nothing deeper.
const DOCKER_HUB_LEVELS: usize = 2;

/// One sentence for everything about `pulls` that a registry may refuse.
pub(super) fn warnings(
    target: Option<&TargetPrefix>,
    pulls: &[(Reference, Reference)],
) -> Vec<String> {
    target
        .and_then(no_project)
        .into_iter()
        .chain(too_deep(pulls))
        .collect()
}

fn no_project(target: &TargetPrefix) -> Option<String> {
    let host = target.host();
    (target.path().is_empty() && !target.is_loopback()).then(|| {
        format!(
            "{host} has no prefix, so names such as {host}/pause have one part: on Harbor a project is needed: {host}/PROJECT"
        )
    })
}

fn too_deep(pulls: &[(Reference, Reference)]) -> Option<String> {
    let deep: Vec<&Reference> = pulls
        .iter()
        .map(|(_, target)| target)
        .filter(|target| target.host() == "docker.io")
        .filter(|target| target.repository().path().split('/').count() > DOCKER_HUB_LEVELS)
        .collect();
    let first = deep.first()?;
    Some(format!(
        "Docker Hub takes names of {DOCKER_HUB_LEVELS} parts, but {} of {} images have more, such as {first}: use another registry",
        deep.len(),
        pulls.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relocate::bench::Bench;
    use crate::relocate::{Filters, Layout, Relocation};

    #[test]
    fn registries_that_may_refuse_are_warned_about() {
        let bench = Bench::new(&["v1.36.3"]);
        for (target, part) in [
            ("reg.io", "reg.io/PROJECT"),
            ("docker.io/me", "41 of 44 images"),
            ("reg.io/k8s", ""),
            ("localhost:5000", ""),
        ] {
            let warnings = bench
                .relocate(target, &Layout::KeepPath, &Filters::default())
                .warnings();
            assert_eq!(
                warnings.len(),
                usize::from(!part.is_empty()),
                "{warnings:?}"
            );
            assert!(warnings.concat().contains(part), "{warnings:?}");
        }
        let long: TargetPrefix = format!("reg.io/{}", "a".repeat(230))
            .parse()
            .expect("a target");
        let filters = Filters::default();
        let error = Relocation::new(
            &bench.sets,
            &bench.sonobuoy,
            Some(&long),
            &Layout::KeepPath,
            &filters,
        )
        .expect_err("too long");
        assert!(
            error.to_string().contains("use a shorter TARGET"),
            "{error}"
        );
    }
}
