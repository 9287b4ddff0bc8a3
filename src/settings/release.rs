//! Which releases are meant, and what the catalogue says about them.

use super::{SettingsError, live};
use crate::catalog::{Catalog, ImageSet, SonobuoyImages};
use crate::cli::CatalogArgs;
use crate::kube_version::KubeVersion;

/// Resolved `--kubernetes-version`, `--sonobuoy-version` and `--catalog`.
#[derive(Debug, Clone)]
pub struct Release {
    /// One set a version, in the order in which they were asked for, each once; never empty.
    pub sets: Vec<ImageSet>,
    /// Which of [`Self::sets`] are only assumed: their lists are to be read from their conformance
    /// images and put in place, before anything else is made of them.
    pub unread: Vec<usize>,
    /// The sonobuoy release.
    pub sonobuoy: SonobuoyImages,
}

impl Release {
    /// Reads the catalogue. Without a version it is the newest known one.
    pub fn resolve(versions: &[String], args: &CatalogArgs) -> Result<Self, SettingsError> {
        let CatalogArgs {
            sonobuoy_version,
            catalog,
            live: live_args,
        } = args;
        let catalog = match catalog {
            Some(dir) => Catalog::from_dir(dir)?,
            None => Catalog::embedded(),
        };
        let mut sets: Vec<ImageSet> = Vec::with_capacity(versions.len().max(1));
        let mut unread = Vec::new();
        for version in versions {
            let version = version.trim().parse::<KubeVersion>()?;
            let (set, assumed) = live::image_set(&catalog, &version, live_args)?;
            if sets.iter().all(|s| s.version != set.version) {
                unread.extend(assumed.then_some(sets.len()));
                sets.push(set);
            }
        }
        live::check_image(live_args, &sets)?;
        if sets.is_empty() {
            sets.push(catalog.resolve(&catalog.newest())?);
        }
        let sonobuoy = catalog.sonobuoy(sonobuoy_version.as_deref())?;
        Ok(Self {
            sets,
            unread,
            sonobuoy,
        })
    }

    /// `Kubernetes v1.36.3`, `Kubernetes v1.35.4, v1.36.3`.
    pub fn title(&self) -> String {
        let versions: Vec<String> = self.sets.iter().map(|s| s.version.to_string()).collect();
        format!("Kubernetes {}", versions.join(", "))
    }

    /// What the user should know about how the lists were found, one sentence each.
    pub fn notices(&self) -> impl Iterator<Item = &str> {
        let sets = self.sets.iter().flat_map(|set| &set.notices);
        sets.chain(&self.sonobuoy.notices).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::LiveArgs;

    const DEFAULTS: CatalogArgs = CatalogArgs {
        sonobuoy_version: None,
        catalog: None,
        live: LiveArgs {
            live: false,
            conformance_image: None,
            cache_dir: None,
        },
    };

    fn resolve(versions: &[&str]) -> Result<Release, SettingsError> {
        let versions: Vec<String> = versions.iter().map(|&v| v.to_owned()).collect();
        Release::resolve(&versions, &DEFAULTS)
    }

    #[test]
    fn a_version_named_twice_counts_once() {
        let release = resolve(&["v1.36.1", "1.35.4", "1.36.1"]).expect("known");
        assert_eq!(release.title(), "Kubernetes v1.36.1, v1.35.4");
        assert_eq!(resolve(&[]).expect("the newest").sets.len(), 1);
    }

    #[test]
    fn what_is_not_known_waits_to_be_read() {
        let args = CatalogArgs {
            live: LiveArgs {
                live: true,
                ..LiveArgs::default()
            },
            ..DEFAULTS
        };
        let versions = ["1.36.1", "1.99.0", "1.36", "1.99.0", "1.98.1"].map(str::to_owned);
        let release = Release::resolve(&versions, &args).expect("known or assumed");
        assert_eq!(release.unread, [1, 3]);
        assert_eq!(
            release.title(),
            "Kubernetes v1.36.1, v1.99.0, v1.36.3, v1.98.1"
        );
        assert_eq!(Release::resolve(&[], &args).expect("known").unread, [0; 0]);
    }

    #[test]
    fn what_is_no_version_is_wrong_usage() {
        for bad in ["", "latest", "1.36.1.1", "v1.99.0"] {
            let error = resolve(&[bad]).expect_err(bad);
            assert!(!error.is_local(), "{error}");
        }
        let missing = CatalogArgs {
            catalog: Some("/nonexistent/catalogue".into()),
            ..DEFAULTS
        };
        let error = Release::resolve(&[], &missing).expect_err("no such folder");
        assert!(
            error.to_string().contains("/nonexistent/catalogue"),
            "{error}"
        );
    }
}
