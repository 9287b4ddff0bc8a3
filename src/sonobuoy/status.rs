//! What sonobuoy's aggregator says about a run: the annotation `sonobuoy.hept.io/status` of its
//! pod, which is also what `sonobuoy status --json` prints. Foreign text: whatever is missing or of
//! another kind counts as not said.

use serde_json::Value;

/// The annotation's name.
pub const STATUS_ANNOTATION: &str = "sonobuoy.hept.io/status";

/// A run as its aggregator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Status {
    /// `running`, `post-processing`, `complete`, `failed`; empty when nothing was said.
    pub status: String,
    /// One a plugin and node.
    pub plugins: Vec<PluginStatus>,
    /// The results, once they are packed.
    pub tarball: Option<TarInfo>,
}

/// One plugin on one node.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct PluginStatus {
    /// `e2e`, `systemd-logs`.
    pub plugin: String,
    /// `global` for e2e.
    pub node: String,
    /// `running`, `complete`, `failed` (no results came).
    pub status: String,
    /// Empty until post-processing; then `passed`, `failed`, `skipped`, `unknown` or other words.
    pub result_status: String,
    /// Words of the results and how often; a reached time limit is the word `timeout`.
    pub result_counts: Vec<(String, u64)>,
    /// Useless from Kubernetes 1.29 on (vmware-tanzu/sonobuoy#1966), where it stays at 0.
    pub progress: Option<PluginProgress>,
}

/// What the tests posted about themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct PluginProgress {
    /// Tests that will run.
    pub total: u64,
    /// Passed so far.
    pub completed: u64,
    /// Names of those that failed.
    pub failures: Vec<String>,
    /// The last thing said.
    pub message: String,
}

/// The packed results.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct TarInfo {
    /// A file name.
    pub name: String,
    /// In hexadecimal; empty from releases that tell none.
    pub sha256: String,
    /// In bytes; 0 when not told.
    pub size: u64,
}

/// What the run says about the cluster. The `JUnit` file has the last word on single tests.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every test that ran passed.
    Passed,
    /// Tests failed.
    Failed,
    /// `--timeout` was reached; there are no results of tests.
    TimedOut,
    /// The tests could not run, or their results did not arrive.
    NotRun,
    /// Sonobuoy came to no verdict: its word for the result, maybe empty.
    Unclear(String),
}

impl Status {
    /// From the annotation's text; none when it is no JSON object.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text.trim()).ok()?;
        value.is_object().then(|| Self::read(&value))
    }

    fn read(value: &Value) -> Self {
        let plugins = value["plugins"].as_array().into_iter().flatten();
        let tarball = TarInfo {
            name: text(&value["tar-info"]["name"]),
            sha256: text(&value["tar-info"]["sha256"]).to_ascii_lowercase(),
            size: value["tar-info"]["size"].as_u64().unwrap_or(0),
        };
        Self {
            status: text(&value["status"]),
            plugins: plugins.map(PluginStatus::read).collect(),
            tarball: (!tarball.name.is_empty()).then_some(tarball),
        }
    }

    /// Whether nothing more will happen, so that results can be retrieved.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "complete" | "failed")
    }

    /// The plugin that runs the tests.
    pub fn e2e(&self) -> Option<&PluginStatus> {
        self.plugins.iter().find(|plugin| plugin.plugin == "e2e")
    }

    /// What the run says, once the tests are over; none before. Only the plugin e2e counts.
    pub fn verdict(&self) -> Option<Verdict> {
        let Some(e2e) = self.e2e() else {
            return self.is_over().then_some(Verdict::NotRun);
        };
        let timed_out = e2e.result_counts.iter().any(|(word, _)| word == "timeout");
        match (e2e.status.as_str(), e2e.result_status.as_str()) {
            ("failed", _) if timed_out => Some(Verdict::TimedOut),
            ("failed", _) => Some(Verdict::NotRun),
            ("complete", "passed") => Some(Verdict::Passed),
            ("complete", "failed") => Some(Verdict::Failed),
            ("complete", other) if self.is_over() => Some(Verdict::Unclear(other.to_owned())),
            _ if self.is_over() => Some(Verdict::NotRun),
            _ => None,
        }
    }
}

impl PluginStatus {
    fn read(value: &Value) -> Self {
        let counts = value["result-counts"].as_object().into_iter().flatten();
        let progress = &value["progress"];
        let failures = progress["failures"].as_array().into_iter().flatten();
        Self {
            plugin: text(&value["plugin"]),
            node: text(&value["node"]),
            status: text(&value["status"]),
            result_status: text(&value["result-status"]),
            result_counts: counts
                .map(|(word, count)| (word.clone(), count.as_u64().unwrap_or(0)))
                .collect(),
            progress: progress.is_object().then(|| PluginProgress {
                total: progress["total"].as_u64().unwrap_or(0),
                completed: progress["completed"].as_u64().unwrap_or(0),
                failures: failures.map(text).collect(),
                message: text(&progress["msg"]),
            }),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(e2e: &str, top: &str) -> Status {
        let text = format!(r#"{{"plugins":[{e2e}],"status":"{top}"}}"#);
        Status::parse(&text).expect("JSON")
    }

    #[test]
    fn only_the_plugin_e2e_decides() {
        for (e2e, top, verdict) in [
            (
                r#"{"plugin":"e2e","status":"complete","result-status":"passed"}"#,
                "complete",
                Some(Verdict::Passed),
            ),
            (
                r#"{"plugin":"e2e","status":"complete","result-status":"passed"}"#,
                "post-processing",
                Some(Verdict::Passed),
            ),
            (
                r#"{"plugin":"e2e","status":"complete","result-status":"failed"}"#,
                "complete",
                Some(Verdict::Failed),
            ),
            (
                r#"{"plugin":"e2e","status":"complete","result-status":""}"#,
                "running",
                None,
            ),
            (
                r#"{"plugin":"e2e","status":"complete","result-status":"unknown"}"#,
                "complete",
                Some(Verdict::Unclear("unknown".to_owned())),
            ),
            (
                r#"{"plugin":"e2e","status":"failed","result-status":"failed","result-counts":{"timeout":1}}"#,
                "complete",
                Some(Verdict::TimedOut),
            ),
            (
                r#"{"plugin":"e2e","status":"failed","result-status":"failed","result-counts":{"failed":1}}"#,
                "running",
                Some(Verdict::NotRun),
            ),
            (r#"{"plugin":"e2e","status":"running"}"#, "running", None),
            (
                r#"{"plugin":"systemd-logs","status":"complete","result-status":"passed"}"#,
                "complete",
                Some(Verdict::NotRun),
            ),
        ] {
            assert_eq!(status(e2e, top).verdict(), verdict, "{e2e} {top}");
        }
    }

    #[test]
    fn what_is_of_another_kind_counts_as_not_said() {
        let odd = r#"{"plugins":null,"status":7,"tar-info":{"name":"","size":"big"},"new":[]}"#;
        assert_eq!(Status::parse(odd), Some(Status::default()));
        assert_eq!(Status::parse("The Sonobuoy aggregator is pending"), None);
        assert_eq!(Status::parse("[]"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[{}\\[\\]\":,a-z0-9-]{0,80}") {
            let _ = Status::parse(&text);
        }
    }
}
