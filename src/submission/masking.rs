//! Leaves the name of a private registry out of what is published.

use std::collections::BTreeSet;

use crate::results::Results;

/// Registries that everybody knows: nothing is private about them.
const PUBLIC: [&str; 9] = [
    "registry.k8s.io",
    "k8s.gcr.io",
    "gcr.io",
    "docker.io",
    "quay.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "registry.gitlab.com",
];

/// What stands for the place that the images come from.
pub(super) const PLACE: &str = "REGISTRY";

/// Texts to replace, the longest first.
#[derive(Debug, Default)]
pub(super) struct Masking {
    replacements: Vec<(String, String)>,
}

impl Masking {
    /// Masks the registries that a run used: TARGET, which is what stands before `/conformance` in
    /// the image's name, and any other host of an image or of the repo config.
    pub(super) fn of(results: &Results) -> Self {
        let mut replacements = Vec::new();
        let mut hosts = BTreeSet::new();
        let image = results.definition().and_then(|d| d.image.as_deref());
        if let Some((target, _)) = image.and_then(|image| image.rsplit_once("/conformance"))
            && let Some(host) = private_host(target)
        {
            replacements.push((target.to_owned(), PLACE.to_owned()));
            hosts.insert(host.to_owned());
        }
        let own = hosts.clone();
        for definition in results.definitions.values() {
            let images = definition.image.iter().chain(&definition.sonobuoy_image);
            hosts.extend(
                images
                    .filter_map(|image| private_host(image))
                    .map(str::to_owned),
            );
            let config = definition.repo_config().map_or("", |(_, text)| text);
            let values = config.lines().filter_map(|line| line.split_once(':'));
            let values = values.map(|(_, value)| value.trim().trim_matches(['"', '\'']));
            hosts.extend(values.filter_map(private_host).map(str::to_owned));
        }
        let mut number = 1;
        for host in hosts {
            let name = if own.contains(&host) {
                format!("{PLACE}-HOST")
            } else {
                number += 1;
                format!("{PLACE}-{number}")
            };
            // A TARGET that is a host alone stands there already.
            if replacements.iter().all(|(text, _)| *text != host) {
                replacements.push((host, name));
            }
        }
        replacements.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { replacements }
    }

    /// Nothing is replaced.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// The text without the names.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, instead) in &self.replacements {
            text = text.replace(name, instead);
        }
        text
    }

    /// Whether there is anything to leave out.
    pub(super) fn is_needed(&self) -> bool {
        !self.replacements.is_empty()
    }

    /// Whether bytes that must not be changed hold one of the names.
    pub(super) fn is_found_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.replacements
            .iter()
            .any(|(name, _)| text.contains(name))
    }
}

/// The host of an image or prefix, when it names one and not a public one. A first part without dot
/// and colon is no host but a path on Docker Hub.
fn private_host(reference: &str) -> Option<&str> {
    let host = reference.split('/').next()?;
    let is_host = host.contains(['.', ':']) || host == "localhost";
    let host = if reference.contains('/') {
        host
    } else {
        host.trim()
    };
    (is_host && !PUBLIC.contains(&host)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::PluginDefinition;

    fn results(image: &str, config: &str) -> Results {
        let mut definition = PluginDefinition {
            image: Some(image.into()),
            sonobuoy_image: Some("other.example.com/sonobuoy:v1".into()),
            ..PluginDefinition::default()
        };
        definition
            .env
            .insert("KUBE_TEST_REPO_LIST".into(), "/x/repo.yaml".into());
        definition.files.insert("repo.yaml".into(), config.into());
        let mut results = Results::default();
        results.definitions.insert("e2e".into(), definition);
        results
    }

    #[test]
    fn the_private_names_go_and_the_public_ones_stay() {
        let config = "gcRegistry: r.example.com:5000/k8s\nsigStorageRegistry: registry.k8s.io/sig-storage\n\
                      dockerLibraryRegistry: r.example.com:5000/hub\n";
        let masking = Masking::of(&results(
            "r.example.com:5000/k8s/conformance:v1.36.3",
            config,
        ));
        assert_eq!(
            masking.apply(config),
            "gcRegistry: REGISTRY\nsigStorageRegistry: registry.k8s.io/sig-storage\n\
             dockerLibraryRegistry: REGISTRY-HOST/hub\n"
        );
        assert_eq!(
            masking.apply("other.example.com/sonobuoy:v1"),
            "REGISTRY-2/sonobuoy:v1"
        );
        assert!(masking.is_found_in(b"\xff pulling r.example.com:5000/k8s/x"));
        assert!(!masking.is_found_in(b"nothing"));
    }

    #[test]
    fn a_host_alone_is_the_place() {
        let masking = Masking::of(&results(
            "localhost:5000/conformance:v1",
            "gcRegistry: localhost:5000\n",
        ));
        assert_eq!(
            masking.apply("localhost:5000/e2e-test-images"),
            "REGISTRY/e2e-test-images"
        );
        let upstream = Masking::of(&results("registry.k8s.io/conformance:v1", ""));
        assert_eq!(
            upstream.apply("registry.k8s.io/conformance:v1"),
            "registry.k8s.io/conformance:v1"
        );
        assert!(!Masking::none().is_needed());
    }
}
