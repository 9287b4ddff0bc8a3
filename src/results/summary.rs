//! The JSON document and the ground of every table: numbers and names, no bytes.

use serde::Serialize;

use super::found::{E2E, Results};
use super::junit::{Case, Outcome};
use super::mode::RunMode;
use super::verdict::{Verdict, cases, tests};

/// How many of the slowest tests are told.
const SLOWEST: usize = 10;

/// What a run said, as `results -o json` prints it. Fields may be added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The document's version: 1.
    pub format: u32,
    /// The answer.
    pub verdict: Verdict,
    /// Why, where the numbers alone do not tell.
    pub reason: Option<String>,
    /// What to do next.
    pub hint: Option<&'static str>,
    /// Whether the run came to its end, with both files whole.
    pub complete: bool,
    /// How the tests were chosen; null when nothing tells.
    pub mode: Option<RunMode>,
    /// The expression that chose them.
    pub focus: Option<String>,
    /// The expression that left some out; empty for none.
    pub skip: Option<String>,
    /// Tests, without the suite's own set-up and tear-down unless it failed.
    pub tests: TestCounts,
    /// The numbers of `sonobuoy results`, which counts these as well.
    pub sonobuoy: SonobuoyCounts,
    /// Tests that failed.
    pub failed: Vec<Failed>,
    /// The ten that took longest.
    pub slowest: Vec<TestRun>,
    /// Every test that ran, in the order of the `JUnit` file.
    pub ran: Vec<TestRun>,
    /// When the suite began, as the `JUnit` file says it.
    pub started: Option<String>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Versions.
    pub versions: Versions,
    /// Images that really ran.
    pub images: Images,
    /// The cluster's nodes.
    pub nodes: Option<Nodes>,
    /// Members that hold a login in clear.
    pub credentials: Vec<String>,
    /// What is odd.
    pub warnings: Vec<String>,
}

/// How many tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TestCounts {
    /// Without `<skipped>`, `<failure>`, `<error>`.
    pub passed: u64,
    /// With `<failure>` or `<error>`.
    pub failed: u64,
    /// With `<skipped>`: for the most part tests outside conformance.
    pub skipped: u64,
}

/// `Total:`, `Passed:`, `Failed:`, `Skipped:` of `sonobuoy results`, and its status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SonobuoyCounts {
    /// `passed`, `failed`, `unknown`, …; null when sonobuoy wrote none.
    pub status: Option<String>,
    /// All, skipped ones included: not the number of tests that ran.
    pub total: u64,
    /// Suite nodes included.
    pub passed: u64,
    /// Without results: 1.
    pub failed: u64,
    /// Not selected.
    pub skipped: u64,
}

/// A failed test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// Without `[It] `.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// What it said, at most 16 KiB.
    pub message: Option<String>,
}

/// A test that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestRun {
    /// Without `[It] `.
    pub name: String,
    /// Passed or failed.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
}

/// Versions, as each part states its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Versions {
    /// The API server.
    pub kubernetes: Option<String>,
    /// Sonobuoy.
    pub sonobuoy: Option<String>,
    /// The test binary; older releases write it into their log.
    pub tests: Option<String>,
}

/// Images that really ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Images {
    /// The e2e plugin's.
    pub conformance: Option<String>,
    /// The worker beside it.
    pub sonobuoy: Option<String>,
}

/// Nodes at the end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Nodes {
    /// Ready.
    pub healthy: u64,
    /// All.
    pub total: u64,
}

impl Summary {
    pub(super) fn of(results: &Results) -> Self {
        let ruling = results.ruling();
        let selection = results.selection().unzip();
        let ran: Vec<TestRun> = tests(results)
            .filter(|case| case.outcome != Outcome::Skipped)
            .map(run)
            .collect();
        let mut slowest = ran.clone();
        slowest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        slowest.truncate(SLOWEST);
        let failed = cases(results).filter(|case| case.outcome == Outcome::Failed);
        let definition = results.definition();
        let log = &results.log_summary;
        Self {
            format: 1,
            complete: matches!(ruling.verdict, Verdict::Passed | Verdict::Failed)
                && log.closing.is_some()
                && results.junit.iter().all(|file| file.junit.defect.is_none()),
            verdict: ruling.verdict,
            reason: ruling.reason,
            hint: ruling.hint,
            mode: results.mode(),
            focus: selection.0,
            skip: selection.1,
            tests: counts(results),
            sonobuoy: sonobuoy(results),
            failed: failed.map(failure).collect(),
            slowest,
            ran,
            started: results.junit.first().and_then(|f| f.junit.started.clone()),
            seconds: results
                .junit
                .first()
                .and_then(|f| f.junit.seconds)
                .or(log.seconds),
            versions: Versions {
                kubernetes: results
                    .server_version
                    .clone()
                    .or_else(|| log.server_version.clone()),
                sonobuoy: results.sonobuoy_version.clone(),
                tests: log.test_version.clone(),
            },
            images: Images {
                conformance: definition.and_then(|d| d.image.clone()),
                sonobuoy: definition.and_then(|d| d.sonobuoy_image.clone()),
            },
            nodes: results.nodes,
            credentials: results.credentials.iter().cloned().collect(),
            warnings: warnings(results),
        }
    }
}

fn run(case: &Case) -> TestRun {
    TestRun {
        name: case.short_name().to_owned(),
        outcome: case.outcome,
        seconds: case.seconds,
    }
}

fn failure(case: &Case) -> Failed {
    Failed {
        name: case.short_name().to_owned(),
        seconds: case.seconds,
        message: case.message.clone(),
    }
}

fn counts(results: &Results) -> TestCounts {
    let mut counts = TestCounts::default();
    for case in cases(results) {
        match case.outcome {
            Outcome::Failed => counts.failed += 1,
            _ if case.is_suite_node() => {}
            Outcome::Passed => counts.passed += 1,
            Outcome::Skipped => counts.skipped += 1,
        }
    }
    counts
}

/// As `sonobuoy results` counts the leaves of its own file: what has neither word is failed there
/// (v0.57.5), an error and a timeout among it.
fn sonobuoy(results: &Results) -> SonobuoyCounts {
    let Some(status) = results.statuses.get(E2E) else {
        return SonobuoyCounts::default();
    };
    let count = |word| status.counts.get(word).copied().unwrap_or(0);
    let total = status.counts.values().sum();
    let (passed, skipped) = (count("passed"), count("skipped"));
    SonobuoyCounts {
        status: Some(status.status.clone()),
        total,
        passed,
        failed: total - passed - skipped,
        skipped,
    }
}

/// The archive's oddities, and those of the run.
fn warnings(results: &Results) -> Vec<String> {
    let mut warnings = results.warnings.clone();
    for (plugin, error) in &results.errors {
        if plugin != E2E {
            let error = error.trim();
            let error = &error[..error.floor_char_boundary(300)];
            warnings.push(format!(
                "plugin {plugin} failed, which does not count for the verdict: {error}"
            ));
        }
    }
    for place in &results.credentials {
        warnings.push(format!(
            "{place} holds a login in clear: do not publish this tarball"
        ));
    }
    if results.junit.len() > 1 {
        let files = results.junit.len();
        warnings.push(format!(
            "there are {files} JUnit files; a submission holds one"
        ));
    }
    if results
        .mode()
        .is_some_and(|mode| mode != RunMode::CertifiedConformance)
    {
        warnings
            .push("not the whole conformance suite was asked for: this cannot be submitted".into());
    }
    let (image, server) = (
        results.definition().and_then(|d| d.image.as_deref()),
        results.kubernetes(),
    );
    if let (Some(image), Some(server)) = (image, server)
        && let Some((_, tag)) = image.rsplit_once(':')
        && let Ok(tag) = tag.parse::<crate::kube_version::KubeVersion>()
        && tag.minor_name() != server.minor_name()
    {
        warnings.push(format!(
            "the tests were those of {tag}, the cluster runs {server}"
        ));
    }
    warnings
}
