//! The few lines of e2e.log that count: how many specs were to run, how many did, how it ended.
//! Matched by substring, because what stands before them (a time, `INFO:`) differs between releases.

use std::collections::BTreeMap;

/// Longest line that is looked at: the lines that count are short, test output need not be.
const LINE: usize = 4096;

/// What e2e.log says about the run as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSummary {
    /// `Will run 446 of 7579 specs`.
    pub will_run: Option<u64>,
    /// `Ran 446 of 7579 Specs`.
    pub ran: Option<u64>,
    /// `in 22.123 seconds`, of the same line.
    pub seconds: Option<f64>,
    /// `SUCCESS! -- …` or `FAIL! -- …`.
    pub closing: Option<Closing>,
    /// `Test Suite Passed` or `Test Suite Failed`, the last line.
    pub suite_passed: Option<bool>,
    /// `kube-apiserver version: v1.28.1`; releases from about 1.30 on do not write it.
    pub server_version: Option<String>,
    /// `e2e test version: v1.28.1`; likewise.
    pub test_version: Option<String>,
}

/// `SUCCESS! -- 446 Passed | 0 Failed | 0 Pending | 7133 Skipped`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closing {
    /// `SUCCESS!` rather than `FAIL!`.
    pub success: bool,
    /// `passed`, `failed`, `pending`, `skipped`, and `flaked` where it is written.
    pub counts: BTreeMap<String, u64>,
}

impl Closing {
    /// The number before `word`, such as `passed`; 0 when it is not written.
    pub fn count(&self, word: &str) -> u64 {
        self.counts.get(word).copied().unwrap_or(0)
    }
}

impl LogSummary {
    /// Scans a log. Of a line that comes twice the last one counts.
    pub fn scan(log: &[u8]) -> Self {
        let mut summary = Self::default();
        for line in log.split(|&b| b == b'\n') {
            if line.len() <= LINE {
                summary.line(&without_colour(&String::from_utf8_lossy(line)));
            }
        }
        summary
    }

    fn line(&mut self, line: &str) {
        if let Some((_, rest)) = line.split_once("Will run ") {
            self.will_run = number_before(rest, " of ").or(self.will_run);
        } else if let Some((_, rest)) = line.split_once("Ran ")
            && line.contains(" Specs in ")
        {
            self.ran = number_before(rest, " of ").or(self.ran);
            let seconds = rest
                .split_once(" Specs in ")
                .and_then(|(_, s)| s.split(' ').next());
            self.seconds = seconds.and_then(|s| s.parse().ok()).or(self.seconds);
        } else if let Some((word, rest)) = line.split_once("! -- ") {
            let word = word.rsplit(' ').next().unwrap_or(word);
            if rest.contains(" Passed") && matches!(word, "SUCCESS" | "FAIL") {
                self.closing = Some(closing(word == "SUCCESS", rest));
            }
        } else if line.contains("Test Suite Passed") {
            self.suite_passed = Some(true);
        } else if line.contains("Test Suite Failed") {
            self.suite_passed = Some(false);
        } else if let Some((_, version)) = line.split_once("kube-apiserver version: ") {
            self.server_version = Some(version.trim().to_owned());
        } else if let Some((_, version)) = line.split_once("e2e test version: ") {
            self.test_version = Some(version.trim().to_owned());
        }
    }
}

fn closing(success: bool, rest: &str) -> Closing {
    let counts = rest.split('|').filter_map(|part| {
        let (number, word) = part.trim().split_once(' ')?;
        Some((word.trim().to_ascii_lowercase(), number.parse().ok()?))
    });
    Closing {
        success,
        counts: counts.collect(),
    }
}

fn number_before(text: &str, separator: &str) -> Option<u64> {
    text.split_once(separator)?.0.trim().parse().ok()
}

/// The line without ECMA-48 colour sequences: ginkgo writes them unless told not to.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |at| &after[at + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_log_of_today() {
        let log = "\nWill run 12 of 7579 specs\nSSS\u{2022}SS\n\nRan 12 of 7579 Specs in 22.123 seconds\n\
                   SUCCESS! -- 12 Passed | 0 Failed | 0 Pending | 7567 Skipped\nPASS\n\n\
                   Ginkgo ran 1 suite in 26.7s\nTest Suite Passed\n";
        let summary = LogSummary::scan(log.as_bytes());
        assert_eq!((summary.will_run, summary.ran), (Some(12), Some(12)));
        assert_eq!(summary.seconds, Some(22.123));
        assert_eq!(summary.suite_passed, Some(true));
        let closing = summary.closing.expect("a closing line");
        assert!(closing.success);
        assert_eq!(
            (closing.count("passed"), closing.count("skipped")),
            (12, 7567)
        );
        assert_eq!((closing.count("failed"), closing.count("flaked")), (0, 0));
    }

    #[test]
    fn reads_prefixes_colours_and_old_versions() {
        let log = "Mar  1 10:00:00.000: INFO: e2e test version: v1.24.0\n\
                   Mar  1 10:00:00.000: INFO: kube-apiserver version: v1.24.3\n\
                   \x1b[1m\x1b[31mFAIL!\x1b[0m -- \x1b[32m340 Passed\x1b[0m | \x1b[31m1 Failed\x1b[0m | 2 Flaked | 0 Pending\n";
        let summary = LogSummary::scan(log.as_bytes());
        assert_eq!(summary.test_version.as_deref(), Some("v1.24.0"));
        assert_eq!(summary.server_version.as_deref(), Some("v1.24.3"));
        let closing = summary.closing.expect("a closing line");
        assert!(!closing.success);
        assert_eq!((closing.count("failed"), closing.count("flaked")), (1, 2));
    }

    #[test]
    fn a_log_that_breaks_off_has_no_closing() {
        let summary = LogSummary::scan(b"Will run 446 of 7579 specs\nSSSSS\xe2\x80");
        assert_eq!((summary.will_run, summary.ran), (Some(446), None));
        assert_eq!((summary.closing, summary.suite_passed), (None, None));
        assert_eq!(LogSummary::scan(b""), LogSummary::default());
    }
}
