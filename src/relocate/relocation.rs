//! All images of a run: what they are, where they go, and what each version's repo config says.

use std::collections::{BTreeMap, BTreeSet};

use super::error::RelocateError;
use super::filter::Filters;
use super::layout::Layout;
use super::place::{self, Placer};
use super::repo_config::RepoConfig;
use super::row::Row;
use super::target::TargetPrefix;
use super::warning;
use crate::catalog::{ImageSet, SonobuoyImages};
use crate::oci::Reference;

/// Source references ▶ target references, for all versions that share a TARGET.
#[derive(Debug, Clone)]
pub struct Relocation {
    rows: Vec<Row>,
    notices: Vec<String>,
    target: Option<TargetPrefix>,
    layout: Layout,
    sonobuoy: SonobuoyImages,
}

/// Different sources that would share a name at the target. Only their digests tell whether that
/// is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The shared name.
    pub target: Reference,
    /// Two or more.
    pub sources: Vec<Reference>,
}

/// The runner images of one version at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerImages {
    /// `TARGET/conformance:v1.36.3`.
    pub conformance: Reference,
    /// `TARGET/sonobuoy/sonobuoy:v0.57.5`.
    pub sonobuoy: Reference,
    /// `TARGET/sonobuoy/systemd-logs:v0.4`.
    pub systemd_logs: Reference,
}

impl Relocation {
    /// Places the images of `sets`, the runner images and the extra ones.
    ///
    /// Rows come sorted: test images by source, then conformance, sonobuoy, systemd-logs, extra.
    /// Without a `target` no row has one.
    pub fn new(
        sets: &[ImageSet],
        sonobuoy: &SonobuoyImages,
        target: Option<&TargetPrefix>,
        layout: &Layout,
        filters: &Filters,
    ) -> Result<Self, RelocateError> {
        let placer = Placer::new(sets, target, layout, filters);
        let (rows, notices) = placer.place(sonobuoy)?;
        Ok(Self {
            rows,
            notices,
            target: target.cloned(),
            layout: layout.clone(),
            sonobuoy: sonobuoy.clone(),
        })
    }

    /// Every image, skipped ones among them.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How names are laid out.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// TARGET.
    pub fn target(&self) -> Option<&TargetPrefix> {
        self.target.as_ref()
    }

    /// What the user should know, one sentence each.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// What may go wrong at the target, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        warning::warnings(self.target.as_ref(), &self.pulls())
    }

    /// What is copied where, each pair once, in the order of the rows. Empty without a TARGET.
    pub fn pulls(&self) -> Vec<(Reference, Reference)> {
        let mut seen = BTreeSet::new();
        self.rows
            .iter()
            .filter(|row| row.skipped.is_none())
            .filter_map(|row| Some((row.source.clone(), row.target.clone()?)))
            .filter(|pair| seen.insert(pair.clone()))
            .collect()
    }

    /// Names at the target that several sources would share.
    pub fn collisions(&self) -> Vec<Collision> {
        let mut by_target: BTreeMap<Reference, Vec<Reference>> = BTreeMap::new();
        for (source, target) in self.pulls() {
            by_target.entry(target).or_default().push(source);
        }
        by_target
            .into_iter()
            .filter(|(_, sources)| sources.len() > 1)
            .map(|(target, sources)| Collision { target, sources })
            .collect()
    }

    /// The repo config of one of the versions; see [`Layout::repo_config`]. Filters do not narrow
    /// it.
    pub fn repo_config(&self, set: &ImageSet) -> RepoConfig {
        self.layout.repo_config(self.target.as_ref(), set)
    }

    /// The images that sonobuoy is told to run for one of the versions; none without a TARGET.
    pub fn runner_images(&self, set: &ImageSet) -> Result<Option<RunnerImages>, RelocateError> {
        let Some(target) = &self.target else {
            return Ok(None);
        };
        Ok(Some(RunnerImages {
            conformance: place::conformance(target, set)?,
            sonobuoy: place::sonobuoy(target, &self.sonobuoy)?,
            systemd_logs: place::systemd_logs(target, &self.sonobuoy)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Role};
    use crate::relocate::bench::{Bench, row, targets};
    use crate::relocate::repo_config::NEVER_RENAMED;

    /// What e2e.test will ask for, by the written file, is where the image goes.
    #[test]
    fn targets_and_repo_config_agree_for_every_known_patch() {
        let catalog = Catalog::embedded();
        let sonobuoy = catalog.sonobuoy(None).expect("the default");
        let target: TargetPrefix = "registry.example.com/k8s".parse().expect("a target");
        for patch in catalog.read_in_full() {
            let sets = [catalog.resolve(patch).expect("known")];
            for layout in [Layout::KeepPath, Layout::Flat] {
                let relocation = Relocation::new(
                    &sets,
                    &sonobuoy,
                    Some(&target),
                    &layout,
                    &Filters::default(),
                )
                .expect("a relocation");
                let config = relocation.repo_config(&sets[0]);
                for key in sets[0].registries.keys() {
                    let renamed = !NEVER_RENAMED.contains(&key.as_str());
                    assert_eq!(config.get(key).is_some(), renamed, "{patch} {key}");
                }
                let mut tests = 0;
                for image in &sets[0].images {
                    let row = row(&relocation, &image.listed);
                    tests += 1;
                    let asked = match &image.key {
                        Some(key) => config
                            .get(key)
                            .map(|prefix| format!("{prefix}/{}:{}", image.name, image.tag)),
                        None => Some(format!("{target}/{}:{}", image.name, image.tag)),
                    };
                    if row.skipped.is_none() {
                        assert_eq!(row.target.as_ref().map(Reference::to_string), asked);
                    } else {
                        assert_eq!((&row.target, asked), (&None, None), "{patch}");
                    }
                }
                let listed = relocation.rows().iter().filter(|r| r.role == Role::Test);
                assert_eq!(listed.count(), tests);
            }
        }
    }

    #[test]
    fn keep_path_keeps_upstream_paths() {
        let bench = Bench::new(&["v1.36.3"]);
        let relocation = bench.relocate("reg.io/k8s", &Layout::KeepPath, &Filters::default());
        assert_eq!(relocation.pulls().len(), 44);
        assert_eq!(relocation.collisions(), []);
        let targets = targets(&relocation);
        for target in [
            "reg.io/k8s/e2e-test-images/volume/nfs:1.6.0",
            "reg.io/k8s/pause:3.10.2",
            "reg.io/k8s/sig-storage/csi-resizer:v2.1.0",
        ] {
            assert!(targets.contains(&target.to_owned()), "{target}");
        }
        assert_eq!(
            targets[41..],
            [
                "reg.io/k8s/conformance:v1.36.3",
                "reg.io/k8s/sonobuoy/sonobuoy:v0.57.5",
                "reg.io/k8s/sonobuoy/systemd-logs:v0.4",
            ]
        );
        let images = relocation.runner_images(&bench.sets[0]).expect("names");
        assert_eq!(
            images.expect("a target").conformance.to_string(),
            targets[41]
        );
        let yaml = relocation.repo_config(&bench.sets[0]).to_yaml("");
        assert_eq!(
            yaml,
            "buildImageRegistry: reg.io/k8s/build-image\n\
             cloudProviderGcpRegistry: reg.io/k8s/cloud-provider-gcp\n\
             dockerLibraryRegistry: reg.io/k8s/library\n\
             gcEtcdRegistry: reg.io/k8s\n\
             gcRegistry: reg.io/k8s\n\
             promoterE2eRegistry: reg.io/k8s/e2e-test-images\n\
             sigStorageRegistry: reg.io/k8s/sig-storage\n"
        );
    }

    #[test]
    fn a_shared_name_is_a_collision() {
        let bench = Bench::new(&["v1.36.3"]);
        let filters = Filters {
            extra: vec![
                "quay.io/library/x:1".parse().expect("a reference"),
                "x:1".parse().expect("a reference"),
            ],
            ..Filters::default()
        };
        let relocation = bench.relocate("reg.io/k8s", &Layout::KeepPath, &filters);
        let collisions = relocation.collisions();
        assert_eq!(collisions.len(), 1);
        assert_eq!(collisions[0].target.to_string(), "reg.io/k8s/library/x:1");
        let sources: Vec<String> = collisions[0]
            .sources
            .iter()
            .map(Reference::to_string)
            .collect();
        assert_eq!(sources, ["quay.io/library/x:1", "docker.io/library/x:1"]);
    }

    #[test]
    fn without_a_target_nothing_has_one() {
        let bench = Bench::new(&["v1.36.3"]);
        for layout in [
            Layout::KeepPath,
            Layout::Flat,
            bench.custom("gcRegistry: reg.io"),
        ] {
            let filters = Filters::default();
            let relocation = Relocation::new(&bench.sets, &bench.sonobuoy, None, &layout, &filters)
                .expect("a relocation");
            assert!(relocation.rows().iter().all(|row| row.target.is_none()));
            assert_eq!(relocation.rows().len(), 46);
            assert!(relocation.pulls().is_empty() && relocation.warnings().is_empty());
            assert!(relocation.repo_config(&bench.sets[0]).is_empty());
            assert_eq!(
                relocation.runner_images(&bench.sets[0]).expect("names"),
                None
            );
        }
    }
}
