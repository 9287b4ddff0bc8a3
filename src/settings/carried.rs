//! What of a bundle is pushed, under which names: its record says what `mirror`'s catalogue would.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::placement::layout;
use super::{Placement, PushSettings, Release, SettingsError};
use crate::bundle::{Entry, Record};
use crate::catalog::{ImageSet, Role};
use crate::kube_version::KubeVersion;
use crate::oci::{PlatformSelection, Reference};
use crate::relocate::{Filters, Relocation, TargetPrefix};

/// A bundle's images and the releases that name them.
#[derive(Debug, Clone)]
pub struct Carried {
    /// What is pushed; none when the bundle has no record, so that only its names are known.
    placement: Option<Placement>,
    /// Names that are pushed although no release lists them.
    extra: Vec<Reference>,
    layout: crate::relocate::Layout,
    /// Everything that the bundle holds: from each of its names to the one that it is read by, its
    /// upstream name or the one inside the bundle.
    held: BTreeMap<Reference, Reference>,
    /// `--include` and `--exclude`.
    filters: Filters,
}

/// What goes to one target.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// Names and config files; none when the bundle has no record.
    pub relocation: Option<Relocation>,
    /// From the name in the bundle to the name at the target.
    pub pulls: Vec<(Reference, Reference)>,
    /// What the user should know, one sentence each.
    pub notices: Vec<String>,
    sets: Vec<ImageSet>,
}

impl Shipment {
    /// What the keys' upstream prefixes become at the target.
    pub fn prefixes(&self) -> BTreeSet<(String, String)> {
        let Some(relocation) = &self.relocation else {
            return BTreeSet::new();
        };
        let mut prefixes = BTreeSet::new();
        for set in &self.sets {
            let config = relocation.repo_config(set);
            for (key, upstream) in &set.registries {
                if let Some(prefix) = config.get(key) {
                    prefixes.insert((upstream.clone(), prefix.to_string()));
                }
            }
        }
        prefixes
    }
}

impl Carried {
    /// Finds what `settings` ask for in the bundle at `path`.
    pub fn new(
        settings: &PushSettings,
        path: &Utf8Path,
        entries: &[Entry],
        record: Option<&Record>,
    ) -> Result<Self, SettingsError> {
        let held = held(entries, record);
        let filters = Filters {
            include: settings.include.clone(),
            exclude: settings.exclude.clone(),
            ..Filters::default()
        };
        let sets = wanted_sets(&settings.versions, path, record)?;
        let layout = layout(&settings.naming, &sets)?;
        let extra = extras(entries, record, &sets);
        let placement = record.filter(|_| !sets.is_empty()).map(|record| Placement {
            release: Release {
                sets,
                unread: Vec::new(),
                sonobuoy: record.sonobuoy.clone(),
            },
            platforms: PlatformSelection::All,
            layout: layout.clone(),
            filters: Filters {
                extra: extra.clone(),
                ..Filters::default()
            },
        });
        Ok(Self {
            placement,
            extra,
            layout,
            held,
            filters,
        })
    }

    /// The releases; none when the bundle has no record of any.
    pub fn release(&self) -> Option<&Release> {
        self.placement.as_ref().map(|placement| &placement.release)
    }

    /// Where everything goes under `target`.
    pub fn shipment(&self, target: &TargetPrefix) -> Result<Shipment, SettingsError> {
        let Some(placement) = &self.placement else {
            return self.by_name(target);
        };
        let relocation = placement.relocation(Some(target))?;
        let rows = relocation.rows().iter();
        let listed: BTreeMap<&Reference, bool> = rows
            .filter(|row| row.skipped.is_none() && row.role != Role::Extra)
            .map(|row| (&row.source, row.role.is_runner()))
            .collect();
        let there = listed
            .keys()
            .filter(|source| self.held.contains_key(**source));
        let (there, all) = (there.count(), listed.len());
        let title = placement.release.title();
        let mut notices = Vec::new();
        if there < all {
            notices.push(format!(
                "The bundle holds {there} of the {all} images of {title}"
            ));
        }
        let offered = relocation.rows().iter().filter(|row| row.skipped.is_none());
        let offered = offered
            .filter(|row| self.held.contains_key(&row.source))
            .map(|row| (&row.source, row.role.is_runner()));
        let (kept, unused) = self.filters.choose(offered);
        notices.extend(unused);
        notices.extend(relocation.notices().iter().cloned());
        let chosen = relocation.pulls().into_iter();
        let chosen = chosen.filter(|(source, _)| kept.contains(source));
        let mut pulls: Vec<(Reference, Reference)> = Vec::new();
        for (source, name) in chosen {
            let pull = (self.held.get(&source).unwrap_or(&source).clone(), name);
            if !pulls.contains(&pull) {
                pulls.push(pull);
            }
        }
        Ok(Shipment {
            pulls,
            notices,
            relocation: Some(relocation),
            sets: placement.release.sets.clone(),
        })
    }

    /// Without a record: every image right under `target`, by its own name.
    fn by_name(&self, target: &TargetPrefix) -> Result<Shipment, SettingsError> {
        let (kept, mut notices) = self
            .filters
            .choose(self.extra.iter().map(|source| (source, false)));
        notices.insert(
            0,
            "The bundle does not say which Kubernetes version it is for: its images are pushed by \
             their own names, and no config files are written"
                .to_owned(),
        );
        let place = |source: &Reference| -> Result<_, SettingsError> {
            let name = name_at_target(source, &self.layout);
            Ok((source.clone(), target.join(&name)?))
        };
        let chosen = self.extra.iter().filter(|source| kept.contains(*source));
        Ok(Shipment {
            relocation: None,
            sets: Vec::new(),
            pulls: chosen.map(place).collect::<Result<_, _>>()?,
            notices,
        })
    }
}

/// Every name of what the entries are. Upstream may keep one image under two hosts, as it did when
/// k8s.gcr.io became registry.k8s.io: one entry with two rows in the record.
fn held(entries: &[Entry], record: Option<&Record>) -> BTreeMap<Reference, Reference> {
    let names = entries.iter().filter_map(name_in_bundle);
    let mut held: BTreeMap<_, _> = names.map(|name| (name.clone(), name)).collect();
    for row in record.map_or(&[][..], |record| &record.images) {
        let is_its = |entry: &&Entry| {
            row.names(entry) && row.digest.as_ref() == Some(&entry.descriptor.digest)
        };
        if let Some(name) = entries.iter().find(is_its).and_then(name_in_bundle) {
            held.entry(row.source.clone()).or_insert(name);
        }
    }
    held
}

/// The name by which an entry is read: upstream's when it is known.
fn name_in_bundle(entry: &Entry) -> Option<Reference> {
    entry.source.clone().or_else(|| entry.reference())
}

/// `path:tag`, or only the last part of the path under `--flat`.
fn name_at_target(source: &Reference, layout: &crate::relocate::Layout) -> String {
    let path = source.repository().path();
    let path = match layout {
        crate::relocate::Layout::Flat => path.rsplit('/').next().unwrap_or(path),
        _ => path,
    };
    if let Some(tag) = source.tag() {
        return format!("{path}:{tag}");
    }
    // As for any image that is mirrored by its digest.
    let digest = source.digest().map_or("", |digest| digest.hex());
    format!("{path}:sha256-{}", digest.get(..12).unwrap_or(digest))
}

/// The releases that were asked for, or all of them.
fn wanted_sets(
    versions: &[KubeVersion],
    path: &Utf8Path,
    record: Option<&Record>,
) -> Result<Vec<ImageSet>, SettingsError> {
    let all = record.map_or(&[][..], |record| &record.releases);
    if versions.is_empty() {
        return Ok(all.to_vec());
    }
    let mut wanted: Vec<ImageSet> = Vec::new();
    for version in versions {
        let matching = all.iter().filter(|set| is_meant(version, set));
        let before = wanted.len();
        for set in matching {
            if wanted.iter().all(|other| other.version != set.version) {
                wanted.push(set.clone());
            }
        }
        if wanted.len() == before && !wanted.iter().any(|set| is_meant(version, set)) {
            let held: Vec<String> = all.iter().map(|set| set.version.to_string()).collect();
            return Err(SettingsError::NotInBundle {
                bundle: path.to_owned(),
                version: version.to_string(),
                held: if held.is_empty() {
                    "it does not say which versions it is for".to_owned()
                } else {
                    format!("it holds {}", held.join(", "))
                },
            });
        }
    }
    Ok(wanted)
}

/// `1.36` means every patch of it.
fn is_meant(version: &KubeVersion, set: &ImageSet) -> bool {
    let version = version.without_vendor_suffix();
    set.version == version
        || version.patch().is_none() && version.minor_name() == set.version.minor_name()
}

/// What no release of the record lists, as far as it belongs to one of `sets`.
fn extras(entries: &[Entry], record: Option<&Record>, sets: &[ImageSet]) -> Vec<Reference> {
    let mut listed: BTreeSet<&Reference> = BTreeSet::new();
    if let Some(record) = record {
        for set in &record.releases {
            listed.extend(set.images.iter().map(|image| &image.source));
            listed.insert(&set.conformance_image);
        }
        listed.extend([&record.sonobuoy.sonobuoy, &record.sonobuoy.systemd_logs]);
    }
    let belongs = |entry: &Entry| {
        let rows = record.map_or(&[][..], |record| &record.images);
        let row = rows.iter().find(|row| row.names(entry));
        row.is_none_or(|row| {
            sets.is_empty() || sets.iter().any(|set| row.versions.contains(&set.version))
        })
    };
    entries
        .iter()
        .filter(|entry| belongs(entry))
        .filter_map(name_in_bundle)
        .filter(|name| !listed.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::bundle::ImageRecord;
    use crate::catalog::Catalog;
    use crate::cli::{Cli, Command};
    use crate::oci::{Descriptor, Digest, media_type};
    use crate::settings::Environment;

    fn settings(flags: &[&str]) -> PushSettings {
        let out = std::env::temp_dir();
        let words = ["airbuoy", "push", "set.tar", "r.io/k8s", "--out-dir"];
        let words = words
            .iter()
            .copied()
            .chain(out.to_str())
            .chain(flags.iter().copied());
        let Command::Push(args) = Cli::try_parse_from(words).expect("flags").command else {
            panic!("another verb")
        };
        PushSettings::resolve(&args, &Environment::default()).expect("settings")
    }

    fn entry(source: &str) -> Entry {
        let source: Reference = source.parse().expect("a reference");
        Entry {
            descriptor: Descriptor::new(media_type::OCI_INDEX, Digest::of(b"x"), 1),
            repository: source.repository().path().to_owned(),
            tag: source.tag().map(str::to_owned),
            source: Some(source),
        }
    }

    fn record(extra_of: &str) -> Record {
        let catalog = Catalog::embedded();
        let set = |v: &str| {
            catalog
                .resolve(&v.parse().expect("a version"))
                .expect("known")
        };
        let extra = ImageRecord {
            source: "a.io/tool:1".parse().expect("a reference"),
            repository: "tool".into(),
            tag: Some("1".into()),
            digest: None,
            role: Role::Extra,
            key: None,
            conformance: None,
            versions: vec![extra_of.parse().expect("a version")],
        };
        Record::new(
            "all".into(),
            vec![extra],
            vec![set("v1.35.4"), set("v1.36.3")],
            catalog.sonobuoy(None).expect("the default"),
        )
    }

    fn names(flags: &[&str], record: Option<&Record>) -> Vec<String> {
        let entries = [
            entry("registry.k8s.io/conformance:v1.35.4"),
            entry("registry.k8s.io/conformance:v1.36.3"),
            entry("registry.k8s.io/e2e-test-images/agnhost:2.63.0"),
            entry("a.io/tool:1"),
        ];
        let settings = settings(flags);
        let carried = Carried::new(&settings, "set.tar".into(), &entries, record);
        let shipment = carried.expect("fine").shipment(&settings.target);
        let pulls = shipment.expect("names").pulls.into_iter();
        pulls.map(|(_, target)| target.to_string()).collect()
    }

    #[test]
    fn a_version_takes_its_own_images_and_extras_along() {
        let record = record("v1.35.4");
        assert_eq!(names(&[], Some(&record)).len(), 4);
        assert_eq!(
            names(&["--kubernetes-version", "1.36"], Some(&record)),
            [
                "r.io/k8s/e2e-test-images/agnhost:2.63.0",
                "r.io/k8s/conformance:v1.36.3"
            ]
        );
        let flags = ["--kubernetes-version", "v1.35.4", "--exclude", "agnhost"];
        assert_eq!(
            names(&flags, Some(&record)),
            ["r.io/k8s/conformance:v1.35.4", "r.io/k8s/tool:1"]
        );
    }

    #[test]
    fn without_a_record_names_keep_their_paths_or_lose_them() {
        assert_eq!(
            names(&["--include", "agnhost"], None),
            ["r.io/k8s/e2e-test-images/agnhost:2.63.0"]
        );
        assert_eq!(
            names(&["--include", "agnhost", "--flat"], None),
            ["r.io/k8s/agnhost:2.63.0"]
        );
    }
}
