//! Puts every image in its place at the target and merges the rows of several versions.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::error::RelocateError;
use super::filter::{Filters, Sieve};
use super::layout::Layout;
use super::repo_config::NEVER_RENAMED;
use super::row::{Row, Skipped};
use super::target::TargetPrefix;
use crate::catalog::{CatalogImage, ImageSet, Role, SonobuoyImages};
use crate::kube_version::KubeVersion;
use crate::oci::{Reference, TagOrDigest};

/// `TARGET/conformance:v1.36.3`.
pub(super) fn conformance(
    target: &TargetPrefix,
    set: &ImageSet,
) -> Result<Reference, RelocateError> {
    target.join(&format!("conformance:{}", set.version))
}

/// `TARGET/sonobuoy/sonobuoy:v0.57.5`.
pub(super) fn sonobuoy(
    target: &TargetPrefix,
    images: &SonobuoyImages,
) -> Result<Reference, RelocateError> {
    target.join(&format!(
        "sonobuoy/sonobuoy:{}",
        images.sonobuoy.reference()
    ))
}

/// `TARGET/sonobuoy/systemd-logs:v0.4`.
pub(super) fn systemd_logs(
    target: &TargetPrefix,
    images: &SonobuoyImages,
) -> Result<Reference, RelocateError> {
    let tag = images.systemd_logs.reference();
    target.join(&format!("sonobuoy/systemd-logs:{tag}"))
}

/// What [`super::Relocation::new`] works with.
pub(super) struct Placer<'a> {
    /// By version, so that the same one asked for twice counts once.
    sets: BTreeMap<&'a KubeVersion, &'a ImageSet>,
    target: Option<&'a TargetPrefix>,
    layout: &'a Layout,
    filters: &'a Filters,
    /// [`Filters::extra`], to look things up in.
    extra: BTreeSet<&'a Reference>,
    rows: Vec<Row>,
    notices: Vec<String>,
    /// Keys whose images a custom layout leaves upstream.
    left_out: BTreeSet<String>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(
        sets: &'a [ImageSet],
        target: Option<&'a TargetPrefix>,
        layout: &'a Layout,
        filters: &'a Filters,
    ) -> Self {
        Self {
            sets: sets.iter().map(|set| (&set.version, set)).collect(),
            target,
            layout,
            filters,
            extra: filters.extra.iter().collect(),
            rows: Vec::new(),
            notices: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Rows and notices.
    pub(super) fn place(
        mut self,
        images: &SonobuoyImages,
    ) -> Result<(Vec<Row>, Vec<String>), RelocateError> {
        let mut sieve = Sieve::new(self.filters);
        self.tests(&mut sieve)?;
        self.runners(images)?;
        self.extras()?;
        self.drop_named(&mut sieve);
        self.notices.extend(sieve.unused());
        self.notice_custom();
        Ok((self.rows, self.notices))
    }

    /// Test images: one row a source and target.
    fn tests(&mut self, sieve: &mut Sieve) -> Result<(), RelocateError> {
        let mut merged: BTreeMap<(String, Option<Reference>, Option<Skipped>), Row> =
            BTreeMap::new();
        for (version, set) in self.sets.clone() {
            for image in &set.images {
                let (target, skipped) = self.test(image, set)?;
                let row = Row::of_test(image, target.clone(), skipped, version);
                match merged.entry((image.listed.clone(), target, skipped)) {
                    Entry::Vacant(entry) => {
                        entry.insert(row);
                    }
                    Entry::Occupied(mut entry) => entry.get_mut().merge(row),
                }
            }
        }
        for mut row in merged.into_values() {
            // Asked first, so that its globs are counted for extra images as well.
            let stays =
                sieve.keeps(&row.source, row.conformance) || self.extra.contains(&row.source);
            if row.skipped.is_none() && !stays {
                row.skip();
            }
            match self.rows.last_mut() {
                // Under two targets, but left out of both.
                Some(last) if row.skipped.is_some() && last.is_same_but_for_versions(&row) => {
                    last.merge(row);
                }
                _ => self.rows.push(row),
            }
        }
        Ok(())
    }

    /// Where a test image goes, or why it does not.
    fn test(
        &mut self,
        image: &CatalogImage,
        set: &ImageSet,
    ) -> Result<(Option<Reference>, Option<Skipped>), RelocateError> {
        if let Some(skipped) = Skipped::forbidden(image) {
            return Ok((None, Some(skipped)));
        }
        let keyed = image.key.as_deref();
        let Some((key, upstream)) = keyed.and_then(|key| Some((key, set.registries.get(key)?)))
        else {
            return Ok((self.own_path(&image.source)?, None));
        };
        if self.layout.keeps_upstream(key, upstream) {
            self.left_out.insert(key.to_owned());
            return if self.extra.contains(&image.source) {
                Ok((self.own_path(&image.source)?, None))
            } else {
                Ok((None, Some(Skipped::Filter)))
            };
        }
        let name_and_tag = format!("{}:{}", image.name, image.tag);
        let target = self
            .layout
            .prefix(self.target, key, upstream)
            .map(|prefix| prefix.join(&name_and_tag))
            .transpose()?;
        Ok((target, None))
    }

    fn runners(&mut self, images: &SonobuoyImages) -> Result<(), RelocateError> {
        for (version, set) in &self.sets {
            let target = self
                .target
                .map(|target| conformance(target, set))
                .transpose()?;
            let versions = vec![(*version).clone()];
            let source = &set.conformance_image;
            self.rows
                .push(Row::of_other(Role::Conformance, source, target, versions));
        }
        let target = self
            .target
            .map(|target| sonobuoy(target, images))
            .transpose()?;
        self.other(Role::Sonobuoy, &images.sonobuoy, target);
        let target = self
            .target
            .map(|target| systemd_logs(target, images))
            .transpose()?;
        self.other(Role::SystemdLogs, &images.systemd_logs, target);
        Ok(())
    }

    /// Extra images that are not in the list anyway.
    fn extras(&mut self) -> Result<(), RelocateError> {
        for source in &self.filters.extra {
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
            self.other(Role::Extra, source, target);
        }
        Ok(())
    }

    /// Runner and extra images go past the filters, but whoever names one of them whole means it.
    fn drop_named(&mut self, sieve: &mut Sieve) {
        for row in self.rows.iter_mut().filter(|row| row.role != Role::Test) {
            if sieve.names(&row.source) {
                row.skip();
            }
        }
    }

    /// A row for all versions.
    fn other(&mut self, role: Role, source: &Reference, target: Option<Reference>) {
        let versions = self.sets.keys().map(|version| (*version).clone()).collect();
        self.rows
            .push(Row::of_other(role, source, target, versions));
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
            .map(|target| target.join(&format!("{name}:{tag}")))
            .transpose()
    }

    fn notice_custom(&mut self) {
        let Layout::Custom(config) = self.layout else {
            return;
        };
        if !self.left_out.is_empty() {
            let keys: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::relocate::bench::{Bench, row, targets};

    #[test]
    fn conformance_alone_needs_ten_or_eleven_test_images() {
        let catalog = Catalog::embedded();
        let exact = "1.29".parse().expect("a version");
        let mut releases = 0;
        for patch in catalog.read_in_full().filter(|patch| **patch >= exact) {
            let bench = Bench::new(&[&patch.to_string()]);
            let filters = Filters {
                conformance_only: true,
                ..Filters::default()
            };
            let relocation = bench.relocate("reg.io/k8s", &Layout::KeepPath, &filters);
            let pulls = relocation.pulls().len();
            assert!((13..=14).contains(&pulls), "{patch}: {pulls}");
            assert_eq!(pulls == 13, patch.minor() == 35, "{patch}: {pulls}");
            let all = bench.relocate("reg.io/k8s", &Layout::KeepPath, &Filters::default());
            assert_eq!(relocation.rows().len(), all.rows().len());
            assert_eq!(
                relocation.repo_config(&bench.sets[0]),
                all.repo_config(&bench.sets[0])
            );
            releases += 1;
        }
        assert!(releases > 50, "{releases}");
    }

    #[test]
    fn one_source_under_two_targets_has_two_rows() {
        // etcd moved from gcRegistry to gcEtcdRegistry; pause is gcRegistry's in both.
        let mut bench = Bench::new(&["v1.36.3", "v1.35.7"]);
        let pause = "registry.k8s.io/pause:3.10.2";
        for image in &mut bench.sets[1].images {
            if image.name == "pause" {
                image.key = Some("gcEtcdRegistry".to_owned());
                image.source = pause.parse().expect("a reference");
                pause.clone_into(&mut image.listed);
                "3.10.2".clone_into(&mut image.tag);
            }
        }
        let custom = bench.custom("gcRegistry: reg.io/a\ngcEtcdRegistry: reg.io/b\n");
        let relocation = bench.relocate("reg.io", &custom, &Filters::default());
        let targets: Vec<String> = relocation
            .pulls()
            .iter()
            .filter(|(source, _)| source.to_string() == pause)
            .map(|(_, target)| target.to_string())
            .collect();
        assert_eq!(targets, ["reg.io/a/pause:3.10.2", "reg.io/b/pause:3.10.2"]);
    }

    #[test]
    fn a_custom_layout_mirrors_only_its_keys() {
        let bench = Bench::new(&["v1.36.3"]);
        let custom = bench.custom(
            "promoterE2eRegistry: other.io:5000/e2e\ngcRegistry: registry.k8s.io\n\
             privateRegistry: reg.io/private\n",
        );
        let relocation = bench.relocate("reg.io/k8s", &custom, &Filters::default());
        let agnhost = row(
            &relocation,
            "registry.k8s.io/e2e-test-images/agnhost:2.63.0",
        );
        let target = agnhost.target.as_ref().map(Reference::to_string);
        assert_eq!(target.as_deref(), Some("other.io:5000/e2e/agnhost:2.63.0"));
        let skipped = |source| row(&relocation, source).skipped;
        assert_eq!(
            skipped("registry.k8s.io/pause:3.10.2"),
            Some(Skipped::Filter)
        );
        assert_eq!(
            skipped("registry.k8s.io/etcd:3.6.8-0"),
            Some(Skipped::Filter)
        );
        let private = "gcr.io/k8s-authenticated-test/agnhost:2.6";
        assert_eq!(skipped(private), Some(Skipped::NeedsCredentials));
        let notices = relocation.notices().join("\n");
        for part in [
            "gcEtcdRegistry, gcRegistry, sigStorageRegistry",
            "privateRegistry is left",
        ] {
            assert!(notices.contains(part), "{part}: {notices}");
        }
        assert_eq!(
            relocation.repo_config(&bench.sets[0]).to_yaml(""),
            "gcRegistry: registry.k8s.io\npromoterE2eRegistry: other.io:5000/e2e\n"
        );
        assert!(targets(&relocation).contains(&"reg.io/k8s/conformance:v1.36.3".to_owned()));
    }

    #[test]
    fn extra_images_come_last_and_past_the_filters() {
        let bench = Bench::new(&["v1.36.3"]);
        let digest = format!("quay.io/x/y@sha256:{}", "0123456789abcdef".repeat(4));
        let nfs = "registry.k8s.io/e2e-test-images/volume/nfs:1.6.0";
        let private = "gcr.io/k8s-authenticated-test/agnhost:2.6";
        let texts = ["nginx:1.27", &digest, nfs, private, "nginx:1.27"];
        let filters = Filters {
            conformance_only: true,
            include: vec![globset::Glob::new("agnhost*").expect("a glob")],
            exclude: vec![globset::Glob::new("nothing-like-it").expect("a glob")],
            extra: texts
                .iter()
                .map(|t| t.parse().expect("a reference"))
                .collect(),
        };
        let relocation = bench.relocate("reg.io/k8s", &Layout::Flat, &filters);
        assert_eq!(
            targets(&relocation),
            [
                "reg.io/k8s/agnhost:2.55",
                "reg.io/k8s/agnhost:2.63.0",
                "reg.io/k8s/volume/nfs:1.6.0",
                "reg.io/k8s/conformance:v1.36.3",
                "reg.io/k8s/sonobuoy/sonobuoy:v0.57.5",
                "reg.io/k8s/sonobuoy/systemd-logs:v0.4",
                "reg.io/k8s/library/nginx:1.27",
                "reg.io/k8s/x/y:sha256-0123456789ab",
            ]
        );
        assert_eq!(row(&relocation, nfs).role, Role::Test);
        assert_eq!(row(&relocation, &digest).role, Role::Extra);
        let sonobuoy = "docker.io/sonobuoy/sonobuoy:v0.57.5";
        let mut without = filters;
        without.exclude = vec![globset::Glob::new(sonobuoy).expect("a glob")];
        let without = bench.relocate("reg.io/k8s", &Layout::Flat, &without);
        assert_eq!(row(&without, sonobuoy).skipped, Some(Skipped::Filter));
        assert_eq!(targets(&without).len(), targets(&relocation).len() - 1);
        assert!(!without.notices().join("\n").contains("matches no image"));

        let notices = relocation.notices().join("\n");
        for part in [private, "--exclude nothing-like-it matches no image"] {
            assert!(notices.contains(part), "{part}: {notices}");
        }
    }
}
