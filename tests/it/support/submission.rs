//! `airbuoy submission` in tests: a home for it, what it left there and what it said.

use std::path::PathBuf;

use serde_json::Value;

use super::airbuoy::Airbuoy;
use super::run::{PRODUCT, Run};

/// A home with the tarball of a run and a product's file.
pub(crate) fn home(run: &Run) -> Airbuoy {
    let airbuoy = Airbuoy::new();
    airbuoy.file("product.yaml", PRODUCT);
    std::fs::write(airbuoy.home().join("results.tar.gz"), run.gzip()).expect("written");
    airbuoy
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("a name")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// The checks that failed: the bot's number or our name, and every reason.
pub(crate) fn failed(report: &Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().expect("checks");
    let failed = checks.iter().filter(|check| check["outcome"] == "fail");
    failed
        .map(|check| {
            let number = check["number"].as_u64();
            let name = check["name"].as_str().expect("a name").to_owned();
            (
                number.map_or(name, |number| number.to_string()),
                check["details"].to_string(),
            )
        })
        .collect()
}
