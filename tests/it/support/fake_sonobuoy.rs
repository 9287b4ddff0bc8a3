//! The stand-in sonobuoy (`fake-sonobuoy` beside this file): a link to it in a folder of its own,
//! with what it shall do.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::registry::temp_dir;

/// Outputs of the real sonobuoy v0.57.5.
pub(crate) fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sonobuoy-v0.57.5")
}

/// A program `sonobuoy`.
pub(crate) struct FakeSonobuoy {
    folder: TempDir,
}

impl FakeSonobuoy {
    /// Release v0.57.5.
    pub(crate) fn new() -> Self {
        Self::of_release("v0.57.5")
    }

    /// Of another release; the flags stay those of v0.57.5.
    pub(crate) fn of_release(release: &str) -> Self {
        let folder = temp_dir();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/fake-sonobuoy");
        std::os::unix::fs::symlink(program, folder.path().join("sonobuoy")).expect("a link");
        let fake = Self { folder };
        fake.script(&json!({ "version": release, "recorded": recorded() }));
        fake
    }

    /// What `retrieve` brings, after it has played these recorded failures.
    pub(crate) fn brings(&self, name: &str, results: &Path, failures: &[&str]) {
        let mut script: Value = serde_json::from_str(&self.read("script.json")).expect("JSON");
        script["name"] = json!(name);
        script["results"] = json!(results);
        script["retrieve"] = json!(failures);
        self.script(&script);
    }

    fn script(&self, script: &Value) {
        let path = self.folder.path().join("script.json");
        std::fs::write(path, script.to_string()).expect("a writable folder");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Its folder, for `PATH`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it is.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("sonobuoy")
    }

    /// Every call so far: `args`, `dev_repo`, `kubeconfig`.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let lines = self.read("calls.jsonl");
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}
