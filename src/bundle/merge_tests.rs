//! Pulls one after the other are as one of all.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalog::{Catalog, Role, SonobuoyImages};
use crate::kube_version::KubeVersion;
use crate::oci::Digest;

/// Two patches of one list, minors that share images, and two between which upstream moved hosts.
const VERSIONS: [&str; 5] = ["v1.24.17", "v1.25.16", "v1.35.4", "v1.36.1", "v1.36.3"];

fn row(source: &Reference, role: Role, versions: &[KubeVersion]) -> ImageRecord {
    let (repository, tag) = (source.repository().path(), source.tag());
    ImageRecord {
        source: source.clone(),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest: Some(Digest::of(format!("{repository}:{tag:?}").as_bytes())),
        role,
        key: None,
        conformance: None,
        versions: versions.to_vec(),
    }
}

/// As `pull` writes it into an empty directory.
fn pull(asked: &[&str], conformance_only: bool) -> Record {
    let catalog = Catalog::embedded();
    let parse = |text: &&str| text.parse().expect("a version");
    let mut versions: Vec<KubeVersion> = asked.iter().map(parse).collect();
    let set = |version| catalog.resolve(version).expect("known");
    let releases: Vec<ImageSet> = versions.iter().map(set).collect();
    versions.sort();
    let sonobuoy = catalog.sonobuoy(None).expect("the default");
    let mut rows: BTreeMap<Reference, ImageRecord> = BTreeMap::new();
    for set in &releases {
        let tests = set.images.iter();
        let tests = tests.filter(|image| !image.flags.iter().any(|flag| flag.forbids_pull()));
        let needed = tests
            .map(|image| (&image.source, Role::Test, image.conformance))
            .chain([(&set.conformance_image, Role::Conformance, None)]);
        for (source, role, conformance) in needed {
            let row = rows
                .entry(source.clone())
                .or_insert_with(|| row(source, role, &[]));
            row.versions.push(set.version.clone());
            row.versions.sort();
            row.conformance = row.conformance.max(conformance);
        }
    }
    rows.retain(|_, row| {
        !conformance_only || row.role != Role::Test || row.conformance == Some(Conformance::Yes)
    });
    let runners = [
        (&sonobuoy.sonobuoy, Role::Sonobuoy),
        (&sonobuoy.systemd_logs, Role::SystemdLogs),
    ];
    let runners = runners.map(|(source, role)| row(source, role, &versions));
    let images = rows.into_values().chain(runners).collect();
    Record::new("all".to_owned(), images, releases, sonobuoy)
}

fn merged(pulls: impl IntoIterator<Item = Record>) -> Record {
    let mut pulls = pulls.into_iter();
    let mut record = pulls.next().expect("one pull at least");
    pulls.for_each(|newer| record.merge(newer));
    record
}

fn find<'a>(record: &'a Record, source: &str) -> &'a ImageRecord {
    let mut rows = record.images.iter();
    rows.find(|row| row.source.to_string() == source)
        .expect("a row")
}

fn versions(record: &Record, source: &str) -> Vec<String> {
    let versions = &find(record, source).versions;
    versions.iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn pulls_in_any_order_and_number_are_as_one(
        order in Just(VERSIONS.to_vec()).prop_shuffle(),
        cuts in proptest::collection::vec(any::<bool>(), VERSIONS.len() - 1),
        again in proptest::sample::select(VERSIONS.to_vec()),
        conformance_only: bool,
    ) {
        let mut groups = vec![vec![order[0]]];
        for (version, cut) in order[1..].iter().zip(cuts) {
            match groups.last_mut() {
                Some(group) if !cut => group.push(version),
                _ => groups.push(vec![version]),
            }
        }
        let one = pull(&order, conformance_only);
        let several = merged(groups.iter().map(|group| pull(group, conformance_only)));
        prop_assert_eq!(&several.images, &one.images);
        let several = merged([several, pull(&[again], conformance_only)]);
        prop_assert_eq!(&several.images, &one.images);
        let several = merged([several.clone(), several]);
        prop_assert_eq!(&several.images, &one.images);
        prop_assert_eq!(several.releases.len(), VERSIONS.len());
    }

    #[test]
    fn nothing_loses_a_version(
        pulls in proptest::collection::vec(
            (proptest::sample::subsequence(VERSIONS.to_vec(), 1..4), any::<bool>()), 1..5),
    ) {
        let pulls: Vec<Record> = pulls.iter().map(|(asked, only)| pull(asked, *only)).collect();
        let all = merged(pulls.clone());
        for old in pulls.iter().flat_map(|record| &record.images) {
            let now = find(&all, &old.source.to_string());
            prop_assert!(old.versions.iter().all(|v| now.versions.contains(v)), "{old:?} {now:?}");
        }
    }
}

#[test]
fn a_narrower_pull_leaves_what_a_wider_one_brought() {
    let nfs = "registry.k8s.io/e2e-test-images/volume/nfs:1.6.0";
    let (wide, narrow) = (pull(&["v1.36.3"], false), pull(&["v1.36.3"], true));
    assert!(narrow.images.len() < wide.images.len());
    for order in [[wide.clone(), narrow.clone()], [narrow, wide.clone()]] {
        let both = merged(order);
        assert_eq!(versions(&both, nfs), ["v1.36.3"]);
        assert_eq!(both.images, wide.images);
    }
}

#[test]
fn an_extra_image_stays_with_the_versions_it_was_asked_for() {
    let tool: Reference = "a.io/tool:1".parse().expect("a reference");
    let with_tool = |version: &str| {
        let mut record = pull(&[version], true);
        let asked = record.releases[0].version.clone();
        record.images.push(row(&tool, Role::Extra, &[asked]));
        record
    };
    let again = merged([with_tool("v1.36.3"), pull(&["v1.36.3", "v1.35.4"], true)]);
    assert_eq!(versions(&again, "a.io/tool:1"), ["v1.36.3"]);
    let both = merged([again, with_tool("v1.35.4")]);
    assert_eq!(versions(&both, "a.io/tool:1"), ["v1.35.4", "v1.36.3"]);
}

#[test]
fn a_name_that_leads_elsewhere_now_is_one_row() {
    let agnhost = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";
    let mut newer = pull(&["v1.35.4"], true);
    let mut moved = row(&agnhost.parse().expect("a reference"), Role::Test, &[]);
    moved.source = "other.io/agnhost:2.63.0".parse().expect("a reference");
    moved.digest = Some(Digest::of(b"another"));
    moved.versions = vec!["v1.35.4".parse().expect("a version")];
    newer.images.retain(|row| !row.is_named_as(&moved));
    newer.images.push(moved.clone());
    let both = merged([pull(&["v1.36.3"], true), newer]);
    let rows = both.images.iter().filter(|row| row.is_named_as(&moved));
    let rows: Vec<_> = rows.collect();
    assert_eq!((rows.len(), &rows[0].digest), (1, &moved.digest));
    assert_eq!(
        versions(&both, "other.io/agnhost:2.63.0"),
        ["v1.35.4", "v1.36.3"]
    );
}

#[test]
fn the_runner_that_is_current_belongs_to_every_version() {
    let older: SonobuoyImages = {
        let catalog = Catalog::embedded();
        catalog.sonobuoy(Some("v0.57.3")).expect("known")
    };
    let mut before = pull(&["v1.36.3"], true);
    let current = before.sonobuoy.sonobuoy.to_string();
    for image in &mut before.images {
        if image.role == Role::Sonobuoy {
            *image = row(&older.sonobuoy, Role::Sonobuoy, &image.versions.clone());
        }
    }
    before.sonobuoy = older.clone();
    let both = merged([before, pull(&["v1.35.4"], true)]);
    assert_eq!(versions(&both, &current), ["v1.35.4", "v1.36.3"]);
    // Nothing but the removal of its version takes it away.
    let older = older.sonobuoy.to_string();
    assert_ne!(older, current);
    assert_eq!(versions(&both, &older), ["v1.36.3"]);
}

#[test]
fn what_the_newer_one_does_not_know_stays() {
    let (mut old, mut newer) = (pull(&["v1.35.4"], true), pull(&["v1.36.3"], true));
    let external = |seed: &[u8]| super::super::record::External {
        digest: Digest::of(seed),
        size: 1,
        repositories: Vec::new(),
    };
    old.external = vec![external(b"a"), external(b"b")];
    newer.external = vec![external(b"b")];
    newer.platforms = "linux/amd64".to_owned();
    let both = merged([old, newer]);
    let names: Vec<String> = both.versions().map(KubeVersion::to_string).collect();
    assert_eq!(names, ["v1.35.4", "v1.36.3"]);
    assert_eq!((both.external.len(), &*both.platforms), (2, "linux/amd64"));
}
