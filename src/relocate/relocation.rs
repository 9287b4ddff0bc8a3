//! All images of a run: what they are, where they go, and what each version's repo config says.

use std::collections::{BTreeMap, BTreeSet};

use super::error::RelocateError;
use super::filter::{Filters, Sieve};
use super::layout::Layout;
use super::repo_config::{NEVER_RENAMED, RepoConfig};
use super::row::{Row, Skipped};
use super::target::TargetPrefix;
use super::warning;
use crate::catalog::{CatalogImage, ImageSet, Role, SonobuoyImages};
use crate::kube_version::KubeVersion;
use crate::oci::{Reference, TagOrDigest};

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
    /// Without a `target` no row has one, except that a custom layout names its own.
    pub fn new(
        sets: &[ImageSet],
        sonobuoy: &SonobuoyImages,
        target: Option<&TargetPrefix>,
        layout: &Layout,
        filters: &Filters,
    ) -> Result<Self, RelocateError> {
        let mut this = Self {
            rows: Vec::new(),
            notices: Vec::new(),
            target: target.cloned(),
            layout: layout.clone(),
            sonobuoy: sonobuoy.clone(),
        };
        let sets: BTreeMap<&KubeVersion, &ImageSet> =
            sets.iter().map(|set| (&set.version, set)).collect();
        this.place_tests(&sets, filters)?;
        this.place_runners(&sets)?;
        this.place_extras(&sets, filters)?;
        Ok(this)
    }

    /// Every image, skipped ones among them.
    pub fn rows(&self) -> &[Row] {
        &self.rows
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
        let tagged =
            |name: &str, source: &Reference| target.join(&format!("{name}:{}", source.reference()));
        Ok(Some(RunnerImages {
            conformance: tagged("conformance", &set.conformance_image)?,
            sonobuoy: tagged("sonobuoy/sonobuoy", &self.sonobuoy.sonobuoy)?,
            systemd_logs: tagged("sonobuoy/systemd-logs", &self.sonobuoy.systemd_logs)?,
        }))
    }

    fn place_tests(
        &mut self,
        sets: &BTreeMap<&KubeVersion, &ImageSet>,
        filters: &Filters,
    ) -> Result<(), RelocateError> {
        let extra: BTreeSet<&Reference> = filters.extra.iter().collect();
        let mut left_out = BTreeSet::new();
        let mut rows: BTreeMap<(String, Option<Reference>, Option<Skipped>), Row> = BTreeMap::new();
        for (version, set) in sets {
            for image in &set.images {
                let forbidden = Skipped::forbidden(image);
                let mut skipped = forbidden;
                let mut place = None;
                if forbidden.is_none() {
                    let kept = self.key_kept_upstream(image, set);
                    if let Some(key) = kept {
                        left_out.insert(key.to_owned());
                    }
                    if kept.is_none() {
                        place = self.place(image, set)?;
                    } else if extra.contains(&image.source) {
                        place = self.own_path(&image.source)?;
                    } else {
                        skipped = Some(Skipped::Filter);
                    }
                }
                let row = Row::of_test(image, place.clone(), skipped, version);
                match rows.entry((image.listed.clone(), place, skipped)) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(row);
                    }
                    std::collections::btree_map::Entry::Occupied(mut entry) => {
                        entry.get_mut().merge(row);
                    }
                }
            }
        }
        let mut sieve = Sieve::new(filters);
        for mut row in rows.into_values() {
            let stays = sieve.keeps(&row.source, row.conformance) || extra.contains(&row.source);
            if row.skipped.is_none() && !stays {
                row.skip();
            }
            self.push(row);
        }
        self.notices.extend(sieve.unused());
        self.notice_custom(&left_out);
        Ok(())
    }

    /// Adds a row; a skipped one joins the skipped one before it of the same image.
    fn push(&mut self, row: Row) {
        match self.rows.last_mut() {
            Some(last) if row.skipped.is_some() && same_skipped(last, &row) => {
                last.merge(row);
                last.versions.sort();
            }
            _ => self.rows.push(row),
        }
    }

    fn place_runners(
        &mut self,
        sets: &BTreeMap<&KubeVersion, &ImageSet>,
    ) -> Result<(), RelocateError> {
        let versions: Vec<KubeVersion> = sets.keys().map(|v| (*v).clone()).collect();
        let mut shared = None;
        for (version, set) in sets {
            let images = self.runner_images(set)?;
            let target = images.as_ref().map(|images| images.conformance.clone());
            self.rows.push(Row::of_other(
                Role::Conformance,
                &set.conformance_image,
                target,
                vec![(*version).clone()],
            ));
            shared = images;
        }
        let (sonobuoy, systemd_logs) =
            shared.map_or((None, None), |i| (Some(i.sonobuoy), Some(i.systemd_logs)));
        let source = self.sonobuoy.sonobuoy.clone();
        self.rows.push(Row::of_other(
            Role::Sonobuoy,
            &source,
            sonobuoy,
            versions.clone(),
        ));
        let source = self.sonobuoy.systemd_logs.clone();
        self.rows.push(Row::of_other(
            Role::SystemdLogs,
            &source,
            systemd_logs,
            versions,
        ));
        Ok(())
    }

    /// Extra images that are not in the list anyway.
    fn place_extras(
        &mut self,
        sets: &BTreeMap<&KubeVersion, &ImageSet>,
        filters: &Filters,
    ) -> Result<(), RelocateError> {
        let versions: Vec<KubeVersion> = sets.keys().map(|v| (*v).clone()).collect();
        for source in &filters.extra {
            if let Some(row) = self.rows.iter().find(|row| row.source == *source) {
                if let Some(skipped) = row.skipped {
                    self.notices.push(format!(
                        "--image {source} is not mirrored ({}): tests expect its pull to fail",
                        skipped.as_str()
                    ));
                }
                continue;
            }
            let target = self.own_path(source)?;
            self.rows
                .push(Row::of_other(Role::Extra, source, target, versions.clone()));
        }
        Ok(())
    }

    /// The image's key, when a custom layout leaves it at its upstream prefix.
    fn key_kept_upstream<'a>(&self, image: &'a CatalogImage, set: &ImageSet) -> Option<&'a str> {
        let key = image.key.as_deref()?;
        let upstream = set.registries.get(key)?;
        self.layout.keeps_upstream(key, upstream).then_some(key)
    }

    /// Where a test image goes: below its key's prefix, or with no key under its own path.
    fn place(
        &self,
        image: &CatalogImage,
        set: &ImageSet,
    ) -> Result<Option<Reference>, RelocateError> {
        let keyed = image
            .key
            .as_deref()
            .and_then(|key| Some((key, set.registries.get(key)?)));
        let Some((key, upstream)) = keyed else {
            return self.own_path(&image.source);
        };
        self.layout
            .prefix(self.target.as_ref(), key, upstream)
            .map(|prefix| prefix.join(&format!("{}:{}", image.name, image.tag)))
            .transpose()
    }

    /// TARGET and the source's repository path, for images that no key reaches: nodes find them
    /// there through a mirror of the source's host. A source by digest is tagged
    /// `sha256-<first 12 hexadecimal digits>`, so that no registry takes it for garbage; pulls by
    /// the digest itself work as well.
    fn own_path(&self, source: &Reference) -> Result<Option<Reference>, RelocateError> {
        let tag = match source.reference() {
            TagOrDigest::Tag(tag) => tag.to_string(),
            TagOrDigest::Digest(digest) => {
                let (algorithm, hex) = digest.as_str().split_once(':').unwrap_or_default();
                format!("{algorithm}-{}", hex.get(..12).unwrap_or(hex))
            }
        };
        let name = source.repository().path();
        self.target
            .as_ref()
            .map(|target| target.join(&format!("{name}:{tag}")))
            .transpose()
    }

    fn notice_custom(&mut self, left_out: &BTreeSet<String>) {
        let Layout::Custom(config) = &self.layout else {
            return;
        };
        if !left_out.is_empty() {
            let keys: Vec<&str> = left_out.iter().map(String::as_str).collect();
            self.notices.push(format!(
                "the repo config leaves these keys at their upstream prefix, their images are not mirrored: {}",
                keys.join(", ")
            ));
        }
        for key in NEVER_RENAMED.iter().filter(|key| config.get(key).is_some()) {
            self.notices.push(format!(
                "{key} is left out of the written repo config: tests expect its pulls to fail"
            ));
        }
    }
}

fn same_skipped(a: &Row, b: &Row) -> bool {
    a.listed == b.listed && a.skipped == b.skipped
}
