//! The list of images as people read it.

use std::collections::BTreeSet;

use super::size::count;
use super::table::Table;
use crate::catalog::{Conformance, Role};
use crate::relocate::{Row, Skipped};

/// The table of `airbuoy images`. Columns that would say nothing are left out.
pub fn images_table(rows: &[Row]) -> String {
    let targets = rows.iter().any(|row| row.target.is_some());
    let versions: BTreeSet<_> = rows.iter().flat_map(|row| &row.versions).collect();
    let versions = versions.len() > 1;
    let skipped = rows.iter().any(|row| row.skipped.is_some());
    let columns = [
        ("KEY", true),
        ("SOURCE", true),
        ("TARGET", targets),
        ("CONFORMANCE", true),
        ("VERSIONS", versions),
        ("SKIPPED", skipped),
    ];
    let shown = |cells: [String; 6]| -> Vec<String> {
        let cells = cells.into_iter().zip(columns);
        cells
            .filter_map(|(cell, (_, on))| on.then_some(cell))
            .collect()
    };
    let header: Vec<&str> = columns
        .iter()
        .filter_map(|&(name, on)| on.then_some(name))
        .collect();
    let mut table = Table::new(&header);
    for row in rows {
        let versions: Vec<String> = row.versions.iter().map(ToString::to_string).collect();
        table.row(shown([
            row.key.clone().unwrap_or_else(|| "-".to_owned()),
            row.listed.clone(),
            row.target
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
            use_of(row).to_owned(),
            versions.join(","),
            row.skipped.map_or("", Skipped::as_str).to_owned(),
        ]));
    }
    table.render()
}

fn use_of(row: &Row) -> &'static str {
    match row.conformance {
        Some(conformance) => conformance.as_str(),
        None if row.role.is_runner() => "runner",
        None => "extra",
    }
}

/// The counts under the list: how many are mirrored, what is left out and why, and how little a
/// certification needs. One sentence a line.
pub fn images_summary(rows: &[Row]) -> Vec<String> {
    let mirrored: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.skipped.is_none())
        .map(|row| row.listed.as_str())
        .collect();
    let mut first = format!("{} to mirror", count(mirrored.len(), "image"));
    let forbidden = |row: &&Row| {
        matches!(
            row.skipped,
            Some(Skipped::Unpullable | Skipped::NeedsCredentials)
        )
    };
    let left_out: Vec<&Row> = rows.iter().filter(forbidden).collect();
    if !left_out.is_empty() {
        let keys: BTreeSet<&str> = left_out.iter().filter_map(|r| r.key.as_deref()).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let keys = keys.join(", ");
        let number = left_out.len();
        first = format!("{first}, {number} left out: tests expect these pulls to fail ({keys})");
    }
    let mut lines = vec![first];
    let filtered = rows
        .iter()
        .filter(|row| row.skipped == Some(Skipped::Filter))
        .count();
    if filtered > 0 {
        lines.push(format!(
            "{} left out by filters or the repo config",
            count(filtered, "image")
        ));
    }
    let needed: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.skipped.is_none() && row.role != Role::Extra)
        .filter(|row| row.conformance != Some(Conformance::No))
        .map(|row| row.listed.as_str())
        .collect();
    if needed.len() < mirrored.len() {
        lines.push(format!(
            "Certification alone needs {} of them: --conformance-only",
            needed.len()
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::relocate::{Filters, Layout, Relocation};

    fn relocation(versions: &[&str], target: Option<&str>, conformance_only: bool) -> Relocation {
        let catalog = Catalog::embedded();
        let set = |v: &&str| {
            catalog
                .resolve(&v.parse().expect("a version"))
                .expect("known")
        };
        let sets: Vec<_> = versions.iter().map(set).collect();
        let target = target.map(|t| t.parse().expect("a target"));
        let filters = Filters {
            conformance_only,
            ..Filters::default()
        };
        let sonobuoy = catalog.sonobuoy(None).expect("the default release");
        Relocation::new(
            &sets,
            &sonobuoy,
            target.as_ref(),
            &Layout::KeepPath,
            &filters,
        )
        .expect("a place for all")
    }

    fn whole(relocation: &Relocation) -> String {
        let summary = images_summary(relocation.rows()).join("\n");
        format!("{}{summary}\n", images_table(relocation.rows()))
    }

    #[test]
    fn a_release_at_a_target() {
        let to = Some("registry.example.com/k8s");
        insta::assert_snapshot!(whole(&relocation(&["v1.36.1"], to, false)));
    }

    #[test]
    fn two_releases_for_certification_alone() {
        insta::assert_snapshot!(whole(&relocation(&["v1.36.1", "v1.35.4"], None, true)));
    }
}
