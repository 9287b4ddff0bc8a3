//! What a run found, as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use super::size::duration;
use super::text::{hanging, one_line};
use crate::results::{Failed, Summary, TestRun, Verdict};

/// Failed tests whose message is shown; of more only the names are.
const MESSAGES: usize = 20;

/// Lines of a message.
const LINES: usize = 12;

/// The facts of a run, then the failed tests, then the slowest. Writing to a String cannot fail.
pub fn results_table(summary: &Summary) -> String {
    let mut text = facts(summary);
    failed(&mut text, &summary.failed);
    if summary.verdict != Verdict::DryRun {
        slowest(&mut text, &summary.slowest);
    }
    text
}

fn facts(summary: &Summary) -> String {
    let (tests, sonobuoy) = (&summary.tests, &summary.sonobuoy);
    let counts = format!(
        "{} passed, {} failed, {} not selected",
        tests.passed, tests.failed, tests.skipped
    );
    let theirs = format!(
        "{} in all, {} passed, {} failed, {} skipped",
        sonobuoy.total, sonobuoy.passed, sonobuoy.failed, sonobuoy.skipped
    );
    let whole = if summary.complete { "yes" } else { "no" };
    let nodes = summary.nodes;
    let nodes = nodes.map(|nodes| format!("{} of {} healthy", nodes.healthy, nodes.total));
    let has_tests = !summary.ran.is_empty() || !summary.failed.is_empty();
    let rows: [(&str, Option<String>); 17] = [
        ("Verdict", Some(summary.verdict.as_str().to_owned())),
        ("Reason", summary.reason.clone()),
        ("Next", summary.hint.map(str::to_owned)),
        ("Tests", has_tests.then_some(counts)),
        (
            "By sonobuoy's count",
            (sonobuoy.total > 0).then_some(theirs),
        ),
        ("Complete", Some(whole.to_owned())),
        (
            "Dry run",
            (summary.verdict == Verdict::DryRun).then(|| "yes".to_owned()),
        ),
        ("Mode", summary.mode.map(|mode| mode.as_str().to_owned())),
        ("Tests chosen by", summary.focus.clone()),
        ("Tests left out by", summary.skip.clone()),
        ("Kubernetes", summary.versions.kubernetes.clone()),
        ("Test binary", summary.versions.tests.clone()),
        ("Conformance image", summary.images.conformance.clone()),
        ("Sonobuoy", summary.versions.sonobuoy.clone()),
        ("Nodes", nodes),
        ("Began", summary.started.clone()),
        ("Took", summary.seconds.map(spoken)),
    ];
    let rows: Vec<(&str, String)> = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|v| !v.trim().is_empty())?)))
        .collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let indented = format!("\n{}", " ".repeat(width));
    let mut text = String::new();
    for (name, value) in rows {
        let value = hanging(&value).replace('\n', &indented);
        let _ = writeln!(text, "{name:width$}  {value}");
    }
    text
}

fn failed(text: &mut String, failed: &[Failed]) {
    if failed.is_empty() {
        return;
    }
    text.push_str("\nFailed tests\n");
    for (number, test) in failed.iter().enumerate() {
        let _ = writeln!(
            text,
            "  {}  ({})",
            one_line(&test.name),
            spoken(test.seconds)
        );
        if let (Some(message), true) = (&test.message, number < MESSAGES) {
            text.push_str(&shortened(message));
        }
    }
}

/// The beginning of a message, indented below the test's name.
fn shortened(message: &str) -> String {
    let message = hanging(message);
    let lines: Vec<&str> = message.lines().map(str::trim_end).collect();
    let mut text = String::new();
    for line in lines.iter().take(LINES) {
        // The first line has no indent yet, the others hang below it.
        let line = line.strip_prefix("  ").unwrap_or(line);
        let _ = writeln!(text, "{}", format!("      {line}").trim_end());
    }
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        let _ = writeln!(
            text,
            "      … {more} lines more: --html FILE has the whole message"
        );
    }
    text
}

fn slowest(text: &mut String, slowest: &[TestRun]) {
    if slowest.is_empty() {
        return;
    }
    let rows: Vec<(String, String)> = slowest
        .iter()
        .map(|test| (spoken(test.seconds), one_line(&test.name)))
        .collect();
    let width = rows.iter().map(|(time, _)| time.len()).max().unwrap_or(0);
    text.push_str("\nSlowest tests\n");
    for (time, name) in rows {
        let _ = writeln!(text, "  {time:>width$}  {name}");
    }
}

/// Seconds of a foreign file, which may be any number.
fn spoken(seconds: f64) -> String {
    // A century: more is no duration of a run, and `Duration` would refuse it.
    const LONGEST: f64 = 3.2e9;
    duration(Duration::try_from_secs_f64(seconds.min(LONGEST)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::results::Results;

    fn recorded(name: &str) -> Summary {
        let root = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/sonobuoy-v0.57.5"
        );
        let path = Utf8PathBuf::from(root).join(name).join("results.tar.gz");
        Results::open(&path).expect("a recorded tarball").summary()
    }

    #[test]
    fn tables_of_recorded_runs() {
        for name in ["fail", "crash", "timeout", "real-missing-image"] {
            let name_of_snapshot = format!("results_{name}");
            insta::assert_snapshot!(name_of_snapshot, results_table(&recorded(name)));
        }
    }

    #[test]
    fn a_dry_run_names_no_slowest_tests() {
        let table = results_table(&recorded("real-dry-run"));
        assert!(
            table.starts_with("Verdict              dry-run\n"),
            "{table}"
        );
        assert!(table.contains("\nDry run              yes\n"), "{table}");
        assert!(!table.contains("Slowest"), "{table}");
    }

    #[test]
    fn foreign_text_and_numbers_do_no_harm() {
        let mut summary = recorded("fail");
        for (seconds, said) in [(f64::NAN, "Took"), (-1.0, "0.0 s"), (f64::INFINITY, " h ")] {
            summary.seconds = Some(seconds);
            assert!(results_table(&summary).contains(said), "{seconds}");
        }
        summary.failed[0].name = "a\u{1b}[2J\nb".into();
        summary.failed[0].message = Some("x\n".repeat(40) + "\u{1b}[31m");
        let table = results_table(&summary);
        assert!(!table.contains('\u{1b}'), "{table}");
        assert!(table.contains("  a\u{fffd}[2J b  ("), "{table}");
        assert!(table.contains("… 29 lines more"), "{table}");
    }
}
