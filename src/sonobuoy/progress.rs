//! How far the tests are, from the bytes of e2e.log as ginkgo's default reporter writes them
//! (onsi/ginkgo v2, `reporters/default_reporter.go`). A test that passed is one character without
//! a newline; a test that failed is a block that begins with a heading and its name.
//!
//! Bytes may be cut anywhere: the outcome does not depend on where.

use super::log_line::{Outcome, closing, failed_set_up, heading, run_id, test_name, total};

/// Longer lines are dumps; what is looked for stands at the beginning.
const LINE_KEPT: usize = 4096;

/// Something that the log told for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// The suite begins; so many tests will run.
    Total(u32),
    /// A test failed.
    Failed(String),
    /// A test passed, but not at its first try.
    Flaky(String),
    /// The suite ended, and whether it passed.
    Ended {
        /// The suite's own verdict.
        passed: bool,
    },
}

/// What the log has told so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many tests will run; none before the log says it.
    pub total: Option<u32>,
    /// Passed so far.
    pub passed: u32,
    /// Names of those that failed, in order.
    pub failed: Vec<String>,
    /// Names of those that passed, but not at the first try.
    pub flaky: Vec<String>,
    /// The suite's identity: the label `e2e-run` of the namespaces that its tests make.
    pub run: Option<String>,
    /// The closing counts: passed and failed.
    pub closing: Option<(u32, u32)>,
    /// Whether the suite passed; none before its end.
    pub ended: Option<bool>,
}

impl Tally {
    /// Tests with an outcome.
    pub fn done(&self) -> u32 {
        let failed = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
        self.passed.saturating_add(failed)
    }
}

/// Reads a log from its beginning, piece by piece.
#[derive(Debug, Default)]
pub struct LogReader {
    tally: Tally,
    line: Vec<u8>,
    /// The line so far is outcomes and nothing else.
    stream: Stream,
    /// A heading has been read; the next line is the name.
    heading: Option<Heading>,
    escape: Escape,
}

/// Where in a line of outcome characters we are.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Stream {
    /// Only outcomes so far.
    #[default]
    Outcomes,
    /// The line's first character is a dot: its follower tells whether it is a heading.
    FirstDot,
    /// `• ` at the beginning: `[` makes it a heading.
    FirstDotAndSpace,
    /// Something else.
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heading {
    Failed,
    Flaky,
}

/// Colours (`ESC [ … m`) are dropped.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Escape {
    #[default]
    None,
    Begun,
    Inside,
}

const DOT: &[u8] = "•".as_bytes();
const RETRIED: &[u8] = "↺".as_bytes();

impl LogReader {
    /// What the log has told so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes the next bytes, and says what is new in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<LogEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            if self.is_colour(byte) || byte == b'\r' {
                continue;
            }
            if byte == b'\n' {
                self.end_line(&mut events);
            } else {
                self.byte(byte);
            }
        }
        events
    }

    fn is_colour(&mut self, byte: u8) -> bool {
        let (inside, next) = match (self.escape, byte) {
            (_, 0x1b) => (true, Escape::Begun),
            (Escape::Begun, b'[') | (Escape::Inside, b'0'..=b'9' | b';') => (true, Escape::Inside),
            (Escape::Inside, b'm') => (true, Escape::None),
            _ => (false, Escape::None),
        };
        self.escape = next;
        inside
    }

    fn byte(&mut self, byte: u8) {
        if self.line.len() < LINE_KEPT || self.stream == Stream::Outcomes {
            self.line.push(byte);
        }
        match self.stream {
            Stream::Text => {}
            Stream::FirstDotAndSpace => {
                if byte != b'[' {
                    self.tally.passed += 1;
                }
                self.stream = Stream::Text;
            }
            Stream::FirstDot if byte == b' ' => self.stream = Stream::FirstDotAndSpace,
            Stream::FirstDot => {
                self.tally.passed += 1;
                self.stream = Stream::Outcomes;
                self.outcome(byte);
            }
            Stream::Outcomes => self.outcome(byte),
        }
    }

    /// One more byte of a line that was nothing but outcomes before it.
    fn outcome(&mut self, byte: u8) {
        match byte {
            b'S' | b'P' => {}
            0x80.. => {
                let tail = tail_of_character(&self.line);
                if tail == DOT && self.line.len() == DOT.len() {
                    self.stream = Stream::FirstDot;
                } else if tail == DOT {
                    self.tally.passed += 1;
                } else if !DOT.starts_with(tail) && !RETRIED.starts_with(tail) {
                    self.stream = Stream::Text;
                }
            }
            _ => self.stream = Stream::Text,
        }
        // A run of outcomes can be long; only its last character matters.
        if self.stream == Stream::Outcomes && self.line.len() > 64 {
            let kept = self.line.len() - 8;
            self.line.drain(..kept);
        }
    }

    fn end_line(&mut self, events: &mut Vec<LogEvent>) {
        if matches!(self.stream, Stream::FirstDot | Stream::FirstDotAndSpace) {
            self.tally.passed += 1;
        }
        let line = std::mem::take(&mut self.line);
        self.stream = Stream::Outcomes;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if let Some(heading) = self.heading.take() {
            let name = test_name(line);
            let list = match heading {
                Heading::Failed => &mut self.tally.failed,
                Heading::Flaky => &mut self.tally.flaky,
            };
            list.push(name.clone());
            events.push(match heading {
                Heading::Failed => LogEvent::Failed(name),
                Heading::Flaky => LogEvent::Flaky(name),
            });
            return;
        }
        self.whole_line(line, events);
    }

    fn whole_line(&mut self, line: &str, events: &mut Vec<LogEvent>) {
        if let Some(rest) = line.strip_prefix("• [") {
            match heading(rest) {
                Outcome::Passed => self.tally.passed += 1,
                Outcome::Flaky => {
                    self.tally.passed += 1;
                    self.heading = Some(Heading::Flaky);
                }
                Outcome::Failed => self.heading = Some(Heading::Failed),
            }
        } else if line.starts_with("↺ [FLAKEY") {
            self.tally.passed += 1;
            self.heading = Some(Heading::Flaky);
        } else if let Some(node) = failed_set_up(line) {
            self.tally.failed.push(node.to_owned());
            events.push(LogEvent::Failed(node.to_owned()));
        } else if let Some(total) = total(line) {
            if self.tally.total.is_none() {
                self.tally.total = Some(total);
                events.push(LogEvent::Total(total));
            }
        } else if let Some(id) = run_id(line) {
            self.tally.run = Some(id.to_owned());
        } else if line.starts_with("SUCCESS! -- ") || line.starts_with("FAIL!") {
            self.tally.closing = closing(line).or(self.tally.closing);
        } else if line == "Test Suite Passed" || line == "Test Suite Failed" {
            let passed = line.ends_with("Passed");
            self.tally.ended = Some(passed);
            events.push(LogEvent::Ended { passed });
        }
    }
}

/// The bytes since the last one that begins a character (RFC 3629).
fn tail_of_character(line: &[u8]) -> &[u8] {
    let begin = line
        .iter()
        .rposition(|byte| byte & 0xc0 != 0x80)
        .unwrap_or(0);
    &line[begin..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "  I1123 09:23:53.9 22 e2e.go:109] Starting e2e run \"7dea-1\" on Ginkgo node 1\n\
        Running Suite: Kubernetes e2e suite - /usr/local/bin\n\n\
        Will run 9 of 7579 specs\n\
        SSSSS•SS•SSSPSS\n\
        ------------------------------\n\
        • [FAILED] [300.473 seconds]\n\
        [sig-node] Runtime [It] should report [NodeConformance] [Conformance] [sig-node, NodeConformance, Conformance]\n\
        k8s.io/kubernetes/test/e2e/common/node/runtime.go:217\n\n\
        \x20 Timeline >>\n\
        \x20 • [FAILED] not a heading: it is indented\n\
        \x20 << Timeline\n\
        ------------------------------\n\
        •\n\
        ------------------------------\n\
        • [12.5 seconds]\n\
        [sig-apps] slow [It] but fine [Conformance]\n\
        ------------------------------\n\
        ↺ [FLAKEY TEST - TOOK 2 ATTEMPTS TO PASS] [3.1 seconds]\n\
        [sig-network] flaky [It] one [Conformance]\n\
        ------------------------------\n\
        \x1b[38;5;10m•\x1b[0mS\x1b[38;5;10m•\x1b[0m\n\
        ------------------------------\n\
        • [PANICKED] [0.1 seconds]\n\
        [sig-x] panics [It] always [Conformance]\n\
        ------------------------------\n\
        SS\n\n\
        Summarizing 2 Failures:\n\
        \x20 [FAIL] [sig-node] Runtime [It] should report\n\n\
        Ran 9 of 7579 Specs in 305.833 seconds\n\
        FAIL! -- 7 Passed | 2 Failed | 1 Flaked | 0 Pending | 7570 Skipped\n\
        --- FAIL: TestE2E (306.83s)\nFAIL\n\nGinkgo ran 1 suite in 5m8.6s\n\nTest Suite Failed\n";

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Tally, Vec<LogEvent>) {
        let mut reader = LogReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            events.extend(reader.feed(piece));
        }
        (reader.tally().clone(), events)
    }

    #[test]
    fn every_outcome_is_counted_once() {
        let (tally, events) = read([LOG.as_bytes()]);
        assert_eq!(tally.total, Some(9));
        assert_eq!(tally.passed, 7);
        assert_eq!(
            tally.failed,
            [
                "[sig-node] Runtime should report [NodeConformance] [Conformance]",
                "[sig-x] panics always [Conformance]"
            ]
        );
        assert_eq!(tally.flaky, ["[sig-network] flaky one [Conformance]"]);
        assert_eq!(tally.run.as_deref(), Some("7dea-1"));
        assert_eq!(tally.closing, Some((7, 2)));
        assert_eq!(tally.ended, Some(false));
        assert_eq!(tally.done(), 9);
        assert_eq!(events.first(), Some(&LogEvent::Total(9)));
        assert_eq!(events.last(), Some(&LogEvent::Ended { passed: false }));
        assert_eq!(events.len(), 5);
    }

    #[test]
    fn a_dot_counts_before_its_line_ends() {
        let (tally, _) = read([b"Will run 3 of 9 specs\nSS\xe2\x80".as_slice(), b"\xa2S"]);
        assert_eq!(tally.passed, 1);
        // The first of a line may be a heading until the next character is there.
        let (tally, _) = read(["•".as_bytes()]);
        assert_eq!(tally.passed, 0);
        let (tally, _) = read(["•S".as_bytes()]);
        assert_eq!(tally.passed, 1);
        let (tally, _) = read(["•I1123 text after it •\n".as_bytes()]);
        assert_eq!(tally.passed, 1);
    }

    #[test]
    fn a_set_up_that_fails_is_a_failure() {
        let line = "[SynchronizedBeforeSuite] [FAILED] [0.1 seconds]\n";
        let (tally, _) = read([line.as_bytes()]);
        assert_eq!(tally.failed, ["[SynchronizedBeforeSuite]"]);
        let (tally, _) = read([b"[SynchronizedBeforeSuite] PASSED [0.1 seconds]\n".as_slice()]);
        assert_eq!(tally, Tally::default());
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same(
            text in "(Will run [0-9]{1,3} of 9 specs\n|[SP•↺]{0,90}|\n|• \\[(FAILED|1\\.0 seconds|FLAKEY)\\] x\n|\\[sig\\] [a-z ]{1,9}\\[It\\] x\n|\x1b\\[3[0-9]m|• ?|  [a-z• ]{0,9}\n|Test Suite Passed\n|[é\u{7f}-\u{fff}]){0,40}",
            cuts in proptest::collection::vec(0_usize..4000, 0..30),
        ) {
            let bytes = text.as_bytes();
            let whole = read([bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(&read(pieces), &whole);
            prop_assert_eq!(&read(bytes.chunks(1)), &whole);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            read([bytes.as_slice()]);
        }
    }
}
