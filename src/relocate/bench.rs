//! What the room's tests share.

use super::{Filters, Layout, Relocation, RepoConfig, Row};
use crate::catalog::{Catalog, ImageSet, SonobuoyImages};

/// Versions of the embedded catalogue, ready to be relocated.
pub(super) struct Bench {
    pub(super) sets: Vec<ImageSet>,
    pub(super) sonobuoy: SonobuoyImages,
}

impl Bench {
    pub(super) fn new(versions: &[&str]) -> Self {
        let catalog = Catalog::embedded();
        let set = |v: &&str| catalog.resolve(&v.parse().expect(v)).expect(v);
        Self {
            sets: versions.iter().map(set).collect(),
            sonobuoy: catalog.sonobuoy(None).expect("the default"),
        }
    }

    pub(super) fn relocate(&self, target: &str, layout: &Layout, filters: &Filters) -> Relocation {
        let target = target.parse().expect("a target");
        Relocation::new(&self.sets, &self.sonobuoy, Some(&target), layout, filters)
            .expect("a relocation")
    }

    pub(super) fn custom(&self, text: &str) -> Layout {
        Layout::Custom(RepoConfig::parse("f.yaml", text, &self.sets).expect("a config"))
    }
}

pub(super) fn targets(relocation: &Relocation) -> Vec<String> {
    relocation
        .pulls()
        .iter()
        .map(|(_, t)| t.to_string())
        .collect()
}

pub(super) fn row<'a>(relocation: &'a Relocation, source: &str) -> &'a Row {
    let mut rows = relocation.rows().iter().filter(|row| row.listed == source);
    let row = rows.next().expect(source);
    assert_eq!(rows.next(), None, "{source} has one row");
    row
}
