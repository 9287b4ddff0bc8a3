//! Reads a `JUnit` file as ginkgo and sonobuoy write it: a pull parser, so that a file without end,
//! with entities of its own or cut in the middle costs nothing and still gives what stands before.

use std::collections::BTreeMap;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// Longest text of a failure that is kept, in bytes. Ginkgo's own message has some hundred; a whole
/// log pasted into one does not belong in a summary.
const MESSAGE: usize = 16 << 10;

/// Elements below each other: `testsuites/testsuite/testcase/failure` are four.
const DEPTH: usize = 32;

/// What became of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Neither skipped nor failed.
    Passed,
    /// With `<skipped>`: not selected, or left by itself.
    Skipped,
    /// With `<failure>` or `<error>`.
    Failed,
}

/// One `<testcase>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// As written; from Kubernetes 1.25 on tests begin with `[It] `.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
    /// The text of the failure, at most 16 KiB.
    pub message: Option<String>,
}

impl Case {
    /// The test's name without ginkgo's `[It] `.
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix("[It] ").unwrap_or(&self.name)
    }

    /// Whether this is set-up or tear-down of the suite rather than a test. Sonobuoy counts these.
    pub fn is_suite_node(&self) -> bool {
        let bracketed = self.name.strip_prefix('[').and_then(|n| n.split_once(']'));
        match bracketed {
            Some((word, _)) => word.ends_with("Suite") || word == "DeferCleanup (Suite)",
            None => matches!(&*self.name, "BeforeSuite" | "AfterSuite"),
        }
    }
}

/// What a `JUnit` file says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Junit {
    /// Test cases of all suites, in the file's order.
    pub cases: Vec<Case>,
    /// Properties of the suites, such as `DryRun` and `FocusStrings` (Kubernetes 1.25 on).
    pub properties: BTreeMap<String, String>,
    /// How long the suites took.
    pub seconds: Option<f64>,
    /// When the first suite began, as written there.
    pub started: Option<String>,
    /// Why the file cannot be read to its end; what is above stands before that place.
    pub defect: Option<String>,
}

impl Junit {
    /// Reads `bytes`. What is wrong with them is told in [`Junit::defect`].
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut reader = Reader::from_str(&text);
        let mut parser = Parser::default();
        parser.junit.defect = loop {
            let step = match reader.read_event() {
                Ok(Event::Eof) => break parser.at_end(),
                Ok(event) => parser.event(&event),
                // Markup without its end: the file ends in the middle of it.
                Err(quick_xml::Error::Syntax(_)) => break Some(parser.cut("a tag")),
                Err(error) => Err(error.to_string()),
            };
            if let Err(defect) = step {
                break Some(format!("{defect} (at byte {})", reader.buffer_position()));
            }
        };
        parser.junit
    }

    /// Whether the suite says that nothing was run.
    pub fn is_dry_run(&self) -> bool {
        self.properties.get("DryRun").is_some_and(|v| v == "true")
    }

    /// The cases that are tests, without set-up and tear-down of the suite.
    pub fn tests(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| !case.is_suite_node())
    }

    /// Whether every test that passed took no time at all: the tell of a dry run before Kubernetes
    /// 1.25, which does not write the property. A real test takes time.
    pub fn took_no_time(&self) -> bool {
        let passed = |case: &&Case| case.outcome == Outcome::Passed;
        let mut passed = self.tests().filter(passed).peekable();
        passed.peek().is_some() && passed.all(|case| case.seconds == 0.0)
    }

    /// The expressions that chose tests and left some out, where the file states them.
    pub fn selection(&self) -> Option<(String, String)> {
        let value = |name| self.properties.get(name).cloned();
        let skip = value("SkipStrings").unwrap_or_default();
        value("FocusStrings").map(|focus| (focus, skip))
    }
}

#[derive(Default)]
struct Parser {
    junit: Junit,
    /// Names of the open elements.
    open: Vec<String>,
    case: Option<Case>,
    /// The text of the open `<failure>` or `<error>`.
    text: Option<String>,
}

impl Parser {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(start) => self.start(start),
            Event::Empty(start) => {
                self.start(start)?;
                self.end();
                Ok(())
            }
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) => {
                self.push(&text.xml10_content());
                Ok(())
            }
            Event::CData(data) => {
                self.push(&data.xml10_content());
                Ok(())
            }
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                if let Some(c) = reference.resolve_char_ref().map_err(|e| e.to_string())? {
                    self.push(c.encode_utf8(&mut [0; 4]));
                } else if let Some(text) = resolve_predefined_entity(&name) {
                    self.push(text);
                } else {
                    return Err(format!(
                        "it uses the entity `&{name};`, which XML does not define"
                    ));
                }
                Ok(())
            }
            Event::DocType(_) => Err("it declares a document type, as no JUnit file does".into()),
            _ => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        let name = start.local_name().into_inner().to_owned();
        match (self.open.len(), name.as_str()) {
            (0, "testsuites" | "testsuite") => {}
            (0, _) => {
                return Err(format!(
                    "its root is <{name}>, not <testsuites> or <testsuite>"
                ));
            }
            (DEPTH.., _) => return Err("its elements are nested too deep".into()),
            _ => {}
        }
        match name.as_str() {
            "testsuites" | "testsuite" => {
                let [seconds, started] = attributes(start, ["time", "timestamp"])?;
                let seconds = seconds.and_then(|s| s.parse().ok());
                self.junit.seconds = self.junit.seconds.or(seconds);
                self.junit.started = self.junit.started.take().or(started);
            }
            "property" => {
                if let [Some(name), Some(value)] = attributes(start, ["name", "value"])? {
                    self.junit.properties.insert(name, value);
                }
            }
            "testcase" => {
                let [name, seconds] = attributes(start, ["name", "time"])?;
                let seconds = seconds.and_then(|s| s.parse::<f64>().ok());
                self.case = Some(Case {
                    name: name.ok_or("a test case has no name")?,
                    outcome: Outcome::Passed,
                    seconds: seconds
                        .filter(|s| s.is_finite() && *s >= 0.0)
                        .unwrap_or(0.0),
                    message: None,
                });
            }
            "skipped" => {
                if let Some(case) = &mut self.case
                    && case.outcome == Outcome::Passed
                {
                    case.outcome = Outcome::Skipped;
                }
            }
            "failure" | "error" => {
                let [message] = attributes(start, ["message"])?;
                if let Some(case) = &mut self.case {
                    case.outcome = Outcome::Failed;
                    self.text = Some(message.unwrap_or_default());
                }
            }
            _ => {}
        }
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self) {
        match self.open.pop().as_deref() {
            Some("failure" | "error") => {
                if let (Some(case), Some(text)) = (&mut self.case, self.text.take())
                    && case.message.is_none()
                {
                    let text = text.trim();
                    case.message = (!text.is_empty()).then(|| text.to_owned());
                }
            }
            Some("testcase") => self.junit.cases.extend(self.case.take()),
            _ => {}
        }
    }

    fn push(&mut self, more: &str) {
        if let Some(text) = &mut self.text {
            let room = MESSAGE.saturating_sub(text.len());
            text.push_str(&more[..more.floor_char_boundary(room)]);
        }
    }

    fn at_end(&self) -> Option<String> {
        match self.open.last() {
            Some(open) => Some(self.cut(&format!("<{open}>"))),
            None if self.junit == Junit::default() => Some("it holds no test suite".into()),
            None => None,
        }
    }

    fn cut(&self, inside: &str) -> String {
        let of = self.case.as_ref();
        let of = of.map_or_else(String::new, |case| format!(" of `{}`", case.name));
        format!("it is cut in the middle: it ends inside {inside}{of}")
    }
}

/// The wanted attributes, references resolved; those of XML itself only.
fn attributes<const N: usize>(
    start: &BytesStart<'_>,
    wanted: [&str; N],
) -> Result<[Option<String>; N], String> {
    let mut found = [const { None }; N];
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let key = attribute.key.into_inner();
        if let Some(at) = wanted.iter().position(|w| *w == key) {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let mut value = value.map_err(|e| e.to_string())?.into_owned();
            value.truncate(value.floor_char_boundary(MESSAGE));
            found[at] = Some(value);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites time="6.5"><testsuite name="s" timestamp="2026-11-23T08:57:00">
<properties><property name="DryRun" value="false"></property></properties>
<testcase name="[SynchronizedBeforeSuite]" time="0.1"></testcase>
<testcase name="[It] a &#34;quoted&#34; test [Conformance]" time="2"/>
<testcase name="[It] b" time="1"><skipped message="skipped"></skipped></testcase>
<testcase name="[It] c &lt;d&gt;" time="3"><failure message="" type="failed">[FAILED] x&#xA;&lt;y&gt;<![CDATA[ & z]]></failure><system-err>noise</system-err></testcase>
</testsuite></testsuites>"#;

    #[test]
    fn reads_what_ginkgo_writes() {
        let junit = Junit::parse(NEW.as_bytes());
        assert_eq!(junit.defect, None);
        assert_eq!(junit.seconds, Some(6.5));
        assert_eq!(junit.started.as_deref(), Some("2026-11-23T08:57:00"));
        assert!(!junit.is_dry_run());
        let [before, a, b, c] = &junit.cases[..] else {
            panic!("four cases: {junit:?}")
        };
        assert!(before.is_suite_node() && !a.is_suite_node());
        assert_eq!(a.short_name(), "a \"quoted\" test [Conformance]");
        assert_eq!((a.outcome, b.outcome), (Outcome::Passed, Outcome::Skipped));
        assert_eq!(
            (c.outcome, c.name.as_str()),
            (Outcome::Failed, "[It] c <d>")
        );
        assert_eq!(c.message.as_deref(), Some("[FAILED] x\n<y> & z"));
    }

    #[test]
    fn reads_the_root_of_kubernetes_1_24() {
        let junit =
            Junit::parse(br#"<testsuite time="1"><testcase name="x" time="1"/></testsuite>"#);
        assert_eq!((junit.cases.len(), junit.defect), (1, None));
    }

    #[test]
    fn keeps_what_stands_before_a_cut() {
        let cut = NEW.find("<system-err>").expect("it is there");
        let junit = Junit::parse(&NEW.as_bytes()[..cut]);
        assert_eq!(junit.cases.len(), 3);
        let defect = junit.defect.expect("a cut file");
        assert!(
            defect.contains("inside <testcase> of `[It] c <d>`"),
            "{defect}"
        );
    }

    #[test]
    fn entities_and_document_types_are_refused() {
        let bomb = br#"<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<testsuites><testsuite><testcase name="x"><failure>&b;</failure></testcase></testsuite></testsuites>"#;
        let defect = Junit::parse(bomb).defect.expect("refused");
        assert!(defect.contains("document type"), "{defect}");
        let unknown = b"<testsuite><testcase name='x'><error>&b;</error></testcase></testsuite>";
        let defect = Junit::parse(unknown).defect.expect("refused");
        assert!(defect.contains("`&b;`"), "{defect}");
        let attribute = b"<testsuite><testcase name='&b;'/></testsuite>";
        assert!(Junit::parse(attribute).defect.is_some());
    }

    #[test]
    fn other_files_are_told_apart() {
        for (text, word) in [
            ("<html></html>", "its root is <html>"),
            ("", "no test suite"),
            ("plain text", "no test suite"),
            ("<testsuite><a></b></testsuite>", "expected"),
        ] {
            let defect = Junit::parse(text.as_bytes()).defect.expect(text);
            assert!(defect.contains(word), "{text}: {defect}");
        }
        let deep = format!("<testsuite>{}", "<a>".repeat(100_000));
        let defect = Junit::parse(deep.as_bytes()).defect.expect("too deep");
        assert!(defect.contains("nested too deep"), "{defect}");
    }

    proptest! {
        #[test]
        fn never_panics_on_a_cut_or_a_flip(at in 0..NEW.len(), with in any::<u8>()) {
            let mut bytes = NEW.as_bytes().to_vec();
            bytes[at] = with;
            Junit::parse(&bytes);
            let cut = Junit::parse(&bytes[..at]);
            prop_assert!(cut.defect.is_some());
        }
    }
}
