//! Single lines of e2e.log: what ginkgo's default reporter writes on a line of its own.

/// What a heading says of a test.
pub(super) enum Outcome {
    Passed,
    Flaky,
    Failed,
}

/// What follows `• [`: `12.3 seconds]`, `FAILED] [12.3 seconds]`, `FLAKEY TEST - …]`,
/// `SLOW TEST:12.3 seconds]` (ginkgo v1).
pub(super) fn heading(rest: &str) -> Outcome {
    if rest.starts_with("FLAKEY") {
        Outcome::Flaky
    } else if rest.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("SLOW TEST") {
        Outcome::Passed
    } else {
        Outcome::Failed
    }
}

/// `[SynchronizedBeforeSuite] [FAILED] [0.1 seconds]`: no test can run.
pub(super) fn failed_set_up(line: &str) -> Option<&str> {
    let (node, state) = line.split_once(' ')?;
    let is_node = node.starts_with('[') && node.ends_with("Suite]");
    let words = [
        "[FAILED]",
        "[PANICKED]",
        "[TIMEDOUT]",
        "[INTERRUPTED]",
        "[ABORTED]",
    ];
    (is_node && words.iter().any(|word| state.starts_with(word))).then_some(node)
}

/// `Will run 446 of 7579 specs`
pub(super) fn total(line: &str) -> Option<u32> {
    let rest = line.strip_prefix("Will run ")?;
    let (number, rest) = rest.split_once(" of ")?;
    rest.ends_with(" specs").then(|| number.parse().ok())?
}

/// `… Starting e2e run "b32e008e-…" on Ginkgo node 1`
pub(super) fn run_id(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("Starting e2e run \"")?;
    let (id, _) = rest.split_once('"')?;
    (!id.is_empty()).then_some(id)
}

/// `FAIL! -- 3 Passed | 1 Failed | 0 Pending | 7575 Skipped`
pub(super) fn closing(line: &str) -> Option<(u32, u32)> {
    let (_, counts) = line.split_once(" -- ")?;
    let count = |word: &str| {
        let parts = counts.split(" | ");
        let found = parts
            .filter_map(|part| part.split_once(' '))
            .find(|(_, w)| *w == word);
        found.and_then(|(number, _)| number.parse::<u32>().ok())
    };
    Some((count("Passed")?, count("Failed")?))
}

/// The name as people know it: without ginkgo's `[It]` and without the list of labels at the end.
pub(super) fn test_name(line: &str) -> String {
    let name = line.trim().replacen("[It] ", "", 1);
    match name.rfind(" [") {
        Some(at) if name.ends_with(']') && name[at..].contains(", ") => name[..at].to_owned(),
        _ => name,
    }
}
