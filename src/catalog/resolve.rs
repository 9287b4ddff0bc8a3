//! Kubernetes version ▶ [`ImageSet`]: which known patch's list stands for the one asked for, and
//! what the user is told about it.

use super::error::CatalogError;
use super::image::ImageSet;
use super::store::Catalog;
use crate::kube_version::KubeVersion;
use crate::oci::Reference;

/// Where upstream publishes the conformance image; older names of it are frozen or moved here.
const CONFORMANCE_REPOSITORY: &str = "registry.k8s.io/conformance";

impl Catalog {
    /// The images of `requested`.
    ///
    /// A patch that is not known by itself gets the list of the newest known one at or below it, or
    /// of the first known one when there is none, with a notice. A minor alone is its newest known
    /// patch. A minor that is not known is an error.
    pub fn resolve(&self, requested: &KubeVersion) -> Result<ImageSet, CatalogError> {
        let unknown = || CatalogError::UnknownVersion {
            requested: requested.to_string(),
            range: self.range().to_string(),
            facts_date: self.facts_date().to_string(),
        };
        let minor = self
            .minors
            .get(&(requested.major(), requested.minor()))
            .ok_or_else(unknown)?;
        let known = &minor.file().read_in_full;
        let (Some(first), Some(newest)) = (known.first(), known.last()) else {
            return Err(unknown());
        };

        let mut notices: Vec<String> = dropped_suffix(requested).into_iter().collect();
        let upstream = requested.without_vendor_suffix();
        let version = match upstream.patch() {
            Some(_) => upstream,
            None => newest.clone(),
        };
        let at_or_below = known.iter().rfind(|known| **known <= version);
        let listed_as = at_or_below.unwrap_or(first);
        if *listed_as != version {
            notices.push(explain(&version, listed_as, first, newest));
        }
        let list = minor.list_of(listed_as)?;
        let conformance_image: Reference = format!("{CONFORMANCE_REPOSITORY}:{version}")
            .parse()
            .map_err(|_| unknown())?;
        Ok(ImageSet {
            requested: requested.clone(),
            version,
            listed_as: listed_as.clone(),
            conformance_image,
            images: list.images,
            registries: list.registries,
            notices,
        })
    }

    /// Whether the list of `requested` is known by itself: nothing has to stand for it.
    pub fn knows(&self, requested: &KubeVersion) -> bool {
        let upstream = requested.without_vendor_suffix();
        match upstream.patch() {
            Some(_) => self.read_in_full().any(|known| *known == upstream),
            None => self
                .minors
                .contains_key(&(upstream.major(), upstream.minor())),
        }
    }

    /// What can be said of a release whose list is not known: its own version and conformance
    /// image, and, until it is read elsewhere, keys and list of the newest minor at or below it;
    /// `listed_as` says of which release. A version below every known one is an error.
    pub fn assume(&self, requested: &KubeVersion) -> Result<ImageSet, CatalogError> {
        let minor = (requested.major(), requested.minor());
        let nearest = match self.minors.range(..=minor).next_back() {
            Some((&below, _)) if below != minor => {
                self.resolve(&KubeVersion::minor_release(below.0, below.1))?
            }
            _ => self.resolve(requested)?,
        };
        let version = requested.without_vendor_suffix();
        Ok(ImageSet {
            requested: requested.clone(),
            conformance_image: nearest.conformance_image.with_tag(&version.to_string()),
            version,
            notices: dropped_suffix(requested).into_iter().collect(),
            ..nearest
        })
    }
}

/// What is said of a vendor's version.
fn dropped_suffix(requested: &KubeVersion) -> Option<String> {
    let suffix = requested.vendor_suffix()?;
    let upstream = requested.without_vendor_suffix();
    Some(format!(
        "{requested}: the vendor suffix {suffix} is dropped, upstream's images are those of {upstream}"
    ))
}

/// Why the list of `listed_as` stands for `version`.
fn explain(
    version: &KubeVersion,
    listed_as: &KubeVersion,
    first: &KubeVersion,
    newest: &KubeVersion,
) -> String {
    let why = if version.pre_release().is_some() {
        "is a pre-release, whose own list is not in the catalogue"
    } else if version > newest {
        "is newer than the catalogue"
    } else if version < first {
        "is older than the first patch in the catalogue"
    } else {
        "lies between two patches in the catalogue"
    };
    format!("{version} {why}: using the image list of {listed_as}; a few tags may differ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<ImageSet, CatalogError> {
        Catalog::embedded().resolve(&text.parse().expect("a version"))
    }

    #[test]
    fn every_known_patch_resolves_without_a_notice() {
        let catalog = Catalog::embedded();
        let mut count = 0;
        for patch in catalog.read_in_full() {
            let set = catalog.resolve(patch).expect("known");
            assert_eq!((&set.version, &set.listed_as), (patch, patch));
            assert!(set.notices.is_empty(), "{patch}: {:?}", set.notices);
            assert!(set.images.len() > 35 && set.registries.len() > 8, "{patch}");
            for image in set.images.iter().filter(|i| i.key.is_some()) {
                assert_eq!(image.listed, image.source.to_string());
            }
            count += 1;
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn another_patch_takes_the_nearest_list_and_says_so() {
        for (asked, version, listed_as, notice) in [
            ("v1.36.1", "v1.36.1", "v1.36.1", ""),
            ("1.36", "v1.36.3", "v1.36.3", ""),
            ("v1.35.6", "v1.35.6", "v1.35.4", "lies between"),
            (
                "v1.36.9",
                "v1.36.9",
                "v1.36.3",
                "is newer than the catalogue",
            ),
            ("v1.27.0", "v1.27.0", "v1.27.1", "is older than the first"),
            (
                "v1.37.0-rc.1",
                "v1.37.0-rc.1",
                "v1.37.2",
                "is a pre-release",
            ),
            (
                "v1.36.3-rc.0",
                "v1.36.3-rc.0",
                "v1.36.2",
                "is a pre-release",
            ),
            (
                "v1.31.2+k3s1",
                "v1.31.2",
                "v1.31.2",
                "suffix +k3s1 is dropped",
            ),
            (
                "v1.31.2-eks-abc",
                "v1.31.2",
                "v1.31.2",
                "suffix -eks-abc is dropped",
            ),
        ] {
            let set = resolve(asked).expect(asked);
            assert_eq!(set.version.to_string(), version);
            assert_eq!(set.listed_as.to_string(), listed_as);
            let conformance = format!("registry.k8s.io/conformance:{version}");
            assert_eq!(set.conformance_image.to_string(), conformance);
            assert_eq!(
                set.notices.len(),
                usize::from(!notice.is_empty()),
                "{asked}"
            );
            assert!(set.notices.concat().contains(notice), "{:?}", set.notices);
        }
    }

    #[test]
    fn keys_of_what_is_not_known_are_those_below() {
        let catalog = Catalog::embedded();
        for (asked, known, version, listed_as) in [
            ("v1.36.1", true, "v1.36.1", "v1.36.1"),
            ("v1.36.1+k3s1", true, "v1.36.1", "v1.36.1"),
            ("v1.36.9", false, "v1.36.9", "v1.36.3"),
            ("v1.99.0", false, "v1.99.0", "v1.37.2"),
            ("v1.38.0-rc.1", false, "v1.38.0-rc.1", "v1.37.2"),
            ("v2.0.0+x1", false, "v2.0.0", "v1.37.2"),
        ] {
            let version_asked = asked.parse().expect("a version");
            assert_eq!(catalog.knows(&version_asked), known, "{asked}");
            let set = catalog.assume(&version_asked).expect(asked);
            assert_eq!(set.version.to_string(), version);
            assert_eq!(set.listed_as.to_string(), listed_as);
            let conformance = format!("registry.k8s.io/conformance:{version}");
            assert_eq!(set.conformance_image.to_string(), conformance);
            assert_eq!(set.notices.len(), usize::from(asked.contains('+')));
        }
        assert!(catalog.knows(&"1.36".parse().expect("a version")));
        assert!(!catalog.knows(&"1.99".parse().expect("a version")));
        let error = catalog.assume(&"1.16.3".parse().expect("a version"));
        assert!(
            error
                .expect_err("below all")
                .to_string()
                .contains("1.17 to")
        );
    }

    #[test]
    fn an_unknown_minor_names_the_range() {
        for asked in ["1.16", "1.99", "v1.38.0-alpha.1", "2.36.0"] {
            let error = resolve(asked).expect_err(asked).to_string();
            assert!(error.contains("1.17 to 1.37 as of 2026-"), "{error}");
        }
    }

    #[test]
    fn a_change_moves_the_list() {
        let has = |version: &str, listed: &str| {
            let set = resolve(version).expect(version);
            set.images.iter().any(|image| image.listed == listed)
        };
        let old = "registry.k8s.io/build-image/distroless-iptables:v0.9.3";
        let new = "registry.k8s.io/build-image/distroless-iptables:v0.9.6";
        assert!(has("1.36.2", old) && !has("1.36.2", new));
        assert!(!has("1.36.3", old) && has("1.36.3", new));
        assert!(has("1.24.0", "alpine/socat:1.0.3"));
        let set = resolve("1.18.10").expect("known");
        assert!(set.registries.contains_key("sigStorageRegistry"));
        assert!(!set.registries.contains_key("quayIncubator"));
    }

    #[test]
    fn a_folder_replaces_the_embedded_catalogue() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = camino::Utf8Path::from_path(dir.path()).expect("UTF-8");
        let empty = Catalog::from_dir(path).expect_err("empty").to_string();
        assert!(empty.contains("such as 1.36.yaml"), "{empty}");

        let own = "kubernetes: '1.40'\nfacts_date: '2027-01-01'\nread_in_full: [1.40.0]\n\
                   registries: {a: example.com/x}\nimages:\n\
                   - {key: a, name: b, tag: c, conformance: 'yes'}\n";
        std::fs::write(path.join("1.40.yaml"), own).expect("written");
        std::fs::write(path.join("README"), "not a catalogue").expect("written");
        let catalog = Catalog::from_dir(path).expect("a catalogue");
        assert_eq!(catalog.range().to_string(), "1.40");
        assert_eq!(catalog.newest().to_string(), "v1.40.0");
        assert_eq!(catalog.facts_date().to_string(), "2027-01-01");
        assert_eq!(catalog.sonobuoy(None).expect("embedded").version, "v0.57.5");

        let broken = own.replace("conformance: 'yes'", "conformance: 'yes', colour: red");
        std::fs::write(path.join("1.40.yaml"), broken).expect("written");
        let error = Catalog::from_dir(path)
            .expect_err("unknown key")
            .to_string();
        for part in [
            "1.40.yaml",
            "unknown field `colour`, expected one of",
            "line 6",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let missing = Catalog::from_dir(&path.join("nowhere")).expect_err("missing");
        assert!(missing.to_string().contains("nowhere"), "{missing}");
    }
}
