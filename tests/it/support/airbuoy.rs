//! Running the program under test, in a home of its own and without the caller's environment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::registry::temp_dir;

/// A home folder from which the program is run.
pub(crate) struct Airbuoy {
    home: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Airbuoy {
    /// A fresh home.
    pub(crate) fn new() -> Self {
        Self { home: temp_dir() }
    }

    /// The folder in which it runs, which is its home too.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the home and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        let folder = path.parent().expect("below the home");
        std::fs::create_dir_all(folder).expect("a writable home");
        std::fs::write(&path, text).expect("a writable home");
        path
    }

    /// Saves a login for `host`, as `docker login` does.
    pub(crate) fn log_in(&self, host: &str, user: &str, password: &str) {
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let path = self.home().join(".docker/config.json");
        let old = std::fs::read_to_string(path).unwrap_or_else(|_| "{}".to_owned());
        let mut config: Value = serde_json::from_str(&old).expect("what was written before");
        config["auths"][host] = serde_json::json!({ "auth": auth });
        self.file(".docker/config.json", &config.to_string());
    }

    /// The command `airbuoy WORDS`, words divided by spaces, ready for more.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airbuoy"));
        command
            .args(words.split_whitespace())
            .current_dir(self.home())
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs `airbuoy WORDS` to its end, at most two minutes.
    pub(crate) fn run(&self, words: &str) -> Outcome {
        let output = assert_cmd::Command::from_std(self.command(words))
            .timeout(Duration::from_mins(2))
            .output()
            .expect("the program starts and ends in time");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Starts `airbuoy WORDS` and does not wait; its output is dropped.
    pub(crate) fn start(&self, words: &str) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program starts")
    }
}

impl Outcome {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        assert_eq!(self.code, code, "\n{stdout}\n{stderr}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = &self.stdout;
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}:\n{text}\n{}", self.stderr))
    }
}

/// `value` as an unsigned number; a report's counts.
#[track_caller]
pub(crate) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no count: {value}"))
}

/// The requests of a report's `side`, as `METHOD` ▶ count, without token and redirect hops.
pub(crate) fn requests(report: &Value, side: &str) -> std::collections::BTreeMap<String, u64> {
    let rows = report["requests"].as_array().expect("rows of requests");
    let mut counts = std::collections::BTreeMap::new();
    for row in rows {
        let apart = ["token", "redirect"].iter().any(|k| row["kind"] == *k);
        if row["side"] == side && !apart {
            let method = row["method"].as_str().expect("a method").to_owned();
            *counts.entry(method).or_default() += number(&row["count"]);
        }
    }
    counts
}
