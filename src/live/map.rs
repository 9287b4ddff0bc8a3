//! Printed references ▶ [`ImageSet`]: which registry key renames each image. A program does not
//! tell its keys (`e2e.test` has no flag for them), so those of a known release are assumed.

use super::list::Listed;
use crate::catalog::{CatalogImage, Conformance, Flag, ImageSet, Role};
use crate::oci::Digest;

/// Tests expect an anonymous pull of their images to fail.
const LOCKED_KEYS: &[&str] = &["privateRegistry", "gcAuthenticatedRegistry"];

/// Tests expect the pull of its images to fail.
const INVALID_KEY: &str = "invalidRegistry";

/// The set of a release that printed `listed`; `assumed` has its version, and keys and list of a
/// known release. `digest` is that of the conformance image.
pub(super) fn image_set(assumed: &ImageSet, digest: &Digest, listed: Vec<Listed>) -> ImageSet {
    let version = &assumed.version;
    let mut notices = assumed.notices.clone();
    notices.push(format!(
        "{version}: {} images, as printed by the e2e.test of {} ({digest})",
        listed.len(),
        assumed.conformance_image,
    ));
    notices.push(format!(
        "{version}: the registry keys of {} are assumed; which images conformance needs is not \
         known, so --conformance-only keeps them all",
        assumed.listed_as.minor_name(),
    ));
    let images = listed.into_iter().map(|l| image(l, assumed)).collect();
    ImageSet {
        listed_as: version.clone(),
        images,
        notices,
        ..assumed.clone()
    }
}

fn image(listed: Listed, assumed: &ImageSet) -> CatalogImage {
    let Listed { text, source } = listed;
    let keyed = keyed(&text, assumed);
    let host_is_invalid = source.host().starts_with("invalid.");
    let key = keyed.map(|(key, ..)| key);
    let mut flags = Vec::new();
    if host_is_invalid || key == Some(INVALID_KEY) {
        flags.push(Flag::Unpullable);
    } else if key.is_some_and(|key| LOCKED_KEYS.contains(&key)) {
        flags.push(Flag::NeedsCredentials);
    }
    let (name, tag) = match keyed {
        Some((_, name, tag)) => (name.to_owned(), tag.to_owned()),
        None => (
            source.repository().path().to_owned(),
            source.reference().to_string(),
        ),
    };
    CatalogImage {
        role: Role::Test,
        key: key.map(str::to_owned),
        name,
        tag,
        conformance: Some(Conformance::Unknown),
        flags,
        source,
        listed: text,
    }
}

/// Key, name and tag of a printed `<prefix>/<name>:<tag>`. None when no key reaches it, and for a
/// digest, which no `<name>:<tag>` can say.
///
/// The longest prefix wins, unless the known release has an image of this name under another key.
/// Keys may share a prefix, as `gcEtcdRegistry` and `gcRegistry` do: the shorter, more general one
/// takes what is new.
fn keyed<'a>(text: &'a str, assumed: &'a ImageSet) -> Option<(&'a str, &'a str, &'a str)> {
    if text.contains('@') {
        return None;
    }
    let fits = assumed.registries.iter().filter_map(|(key, prefix)| {
        let rest = text.strip_prefix(prefix.as_str())?.strip_prefix('/')?;
        let (name, tag) = rest.rsplit_once(':')?;
        Some((key.as_str(), name, tag))
    });
    // The shorter the name that is left, the longer the prefix.
    fits.min_by_key(|(key, name, _)| (!is_known(assumed, key, name), name.len(), key.len()))
}

fn is_known(assumed: &ImageSet, key: &str, name: &str) -> bool {
    let mut images = assumed.images.iter();
    images.any(|image| image.key.as_deref() == Some(key) && image.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::live::list;

    fn set(version: &str, output: &str) -> ImageSet {
        let assumed = Catalog::embedded().assume(&version.parse().expect("a version"));
        let listed = list::parse(output.as_bytes()).expect("a list");
        image_set(&assumed.expect("keys"), &Digest::of(b"x"), listed)
    }

    #[test]
    fn every_known_list_gets_its_own_keys_back() {
        let catalog = Catalog::embedded();
        for patch in catalog.read_in_full() {
            let known = catalog.resolve(patch).expect("known");
            let listed: Vec<&str> = known.images.iter().map(|i| i.listed.as_str()).collect();
            let set = set(&patch.to_string(), &listed.join("\n"));
            assert_eq!(set.registries, known.registries);
            assert_eq!(set.images.len(), known.images.len(), "{patch}");
            for (ours, theirs) in set.images.iter().zip(&known.images) {
                let parts = |i: &CatalogImage| {
                    let (key, name, tag) = (i.key.clone(), i.name.clone(), i.tag.clone());
                    (i.listed.clone(), i.source.clone(), key, name, tag)
                };
                assert_eq!(parts(ours), parts(theirs), "{patch}");
                let forbidden = |i: &CatalogImage| -> Vec<Flag> {
                    let flags = i.flags.iter().copied();
                    flags.filter(|flag| flag.forbids_pull()).collect()
                };
                assert_eq!(
                    forbidden(ours),
                    forbidden(theirs),
                    "{patch}: {}",
                    ours.listed
                );
                assert_eq!(ours.conformance, Some(Conformance::Unknown));
            }
        }
    }

    #[test]
    fn what_is_new_is_placed_by_prefix() {
        let digest = Digest::of(b"y");
        let output = format!(
            "registry.k8s.io/e2e-test-images/volume/new:9.9\nregistry.k8s.io/etcd:9\n\
             registry.k8s.io/novelty/x:1\nregistry.k8s.io.example.com/x:1\nquay.io/a/b:1\n\
             invalid.example.com/x:1\ngcr.io/k8s-authenticated-test/y:1\nregistry.k8s.io/d@{digest}\n"
        );
        let set = set("v1.99.0", &output);
        let found = |listed: &str| {
            let image = set.images.iter().find(|i| i.listed.starts_with(listed));
            let image = image.expect(listed);
            let key = image.key.clone().unwrap_or_default();
            (key, image.name.clone(), image.flags.clone())
        };
        for (listed, key, name, flags) in [
            (
                "registry.k8s.io/e2e",
                "promoterE2eRegistry",
                "volume/new",
                vec![],
            ),
            ("registry.k8s.io/etcd", "gcEtcdRegistry", "etcd", vec![]),
            ("registry.k8s.io/novelty", "gcRegistry", "novelty/x", vec![]),
            ("registry.k8s.io.example.com", "", "x", vec![]),
            ("registry.k8s.io/d@", "", "d", vec![]),
            ("quay.io", "", "a/b", vec![]),
            ("invalid.", "", "x", vec![Flag::Unpullable]),
            (
                "gcr.io/k8s-auth",
                "privateRegistry",
                "y",
                vec![Flag::NeedsCredentials],
            ),
        ] {
            let expected = (key.to_owned(), name.to_owned(), flags);
            assert_eq!(found(listed), expected, "{listed}");
        }
        assert_eq!(set.version.to_string(), "v1.99.0");
        assert_eq!(set.listed_as, set.version);
        let notices = set.notices.join("\n");
        assert!(notices.contains("keys of 1.37 are assumed"), "{notices}");
    }
}
