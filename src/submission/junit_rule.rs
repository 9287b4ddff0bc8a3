//! How the bot reads a `JUnit` file (kubernetes-sigs/verify-conformance): which cases count, and in
//! which form names are compared.

use std::collections::BTreeSet;

use crate::results::{Junit, Outcome};

/// A test's name as the bot compares it: references that were escaped twice, and one pair of tests
/// whose quotes differ between the sources and the file.
pub(super) fn comparable(name: &str) -> String {
    name.replace("&#39;", "'")
        .replace("&#34;", "\"")
        .replace("&gt;", ">")
        .replace("'cat /tmp/health'", "\"cat /tmp/health\"")
        .trim_start_matches("[It] ")
        .to_owned()
}

/// The conformance tests of a file.
#[derive(Debug, Default)]
pub(super) struct Conformance {
    /// Those that passed.
    pub(super) passed: BTreeSet<String>,
    /// Those that failed.
    pub(super) failed: BTreeSet<String>,
    /// Those that were left out.
    pub(super) skipped: BTreeSet<String>,
}

impl Conformance {
    pub(super) fn of(junit: &Junit) -> Self {
        let mut tests = Self::default();
        for case in junit
            .cases
            .iter()
            .filter(|c| c.name.contains("[Conformance]"))
        {
            let tests = match case.outcome {
                Outcome::Passed => &mut tests.passed,
                Outcome::Failed => &mut tests.failed,
                Outcome::Skipped => &mut tests.skipped,
            };
            tests.insert(comparable(&case.name));
        }
        // A test that ran twice and failed once has failed.
        for name in &tests.failed {
            tests.passed.remove(name);
        }
        tests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_into_one_form() {
        assert_eq!(
            comparable("[It] a exec 'cat /tmp/health' &#39;b&#39; &#34;c&#34; -&gt; [Conformance]"),
            "a exec \"cat /tmp/health\" 'b' \"c\" -> [Conformance]"
        );
    }

    #[test]
    fn only_conformance_tests_count() {
        let junit = Junit::parse(
            b"<testsuite><testcase name='[It] a [Conformance]'/><testcase name='[It] b'><failure/></testcase>\
              <testcase name='[It] c [Conformance]'><skipped/></testcase>\
              <testcase name='[It] a [Conformance]'><error/></testcase></testsuite>",
        );
        let tests = Conformance::of(&junit);
        assert_eq!(
            (tests.passed.len(), tests.failed.len(), tests.skipped.len()),
            (0, 1, 1)
        );
    }
}
