//! Tests whose program is not on this machine: named, counted, and never mistaken for passed.

use std::io::Write as _;
use std::path::PathBuf;

/// Ends the test as skipped unless the [`Result`] holds.
macro_rules! require {
    ($found:expr) => {
        match $found {
            Ok(found) => found,
            Err(reason) => {
                $crate::support::skip::record(&reason);
                return;
            }
        }
    };
}
pub(crate) use require;

/// Says that the running test is skipped, on the terminal and in the file that
/// `AIRBUOY_TEST_SKIPS` names (one line each; `scripts/test` counts them).
pub(crate) fn record(reason: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {reason}\n", thread.name().unwrap_or("a test"));
    let mut terminal = std::io::stderr();
    let _ = write!(terminal, "SKIPPED {line}");
    if let Some(file) = std::env::var_os("AIRBUOY_TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .expect("the file of skips can be written");
        file.write_all(line.as_bytes()).expect("a line is written");
    }
}

/// The program `name` from `PATH` or where `go install` puts it; else why the test is skipped.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(std::env::var_os("GOBIN").map(PathBuf::from));
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.extend(std::env::home_dir().map(|home| home.join("go/bin")));
    let mut paths = folders.into_iter().map(|folder| folder.join(name));
    paths
        .find(|path| path.is_file())
        .ok_or_else(|| format!("`{name}` is not installed"))
}

/// The program that the variable `name` names; else why the test is skipped.
pub(crate) fn named(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os(name).map(PathBuf::from);
    path.ok_or_else(|| format!("{name} names no program"))
}
