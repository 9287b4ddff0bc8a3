//! `Warning: 299` headers: what a registry wants its users to know (distribution-spec,
//! "Warnings"), told once each.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{HeaderMap, WARNING};

use super::refusal::clean;

/// The specification's limit for the header's value, in bytes.
const LONGEST: usize = 4096;

/// Different warnings remembered: a server that makes up new ones is not listened to for ever.
const MOST: usize = 100;

#[derive(Default)]
pub(super) struct Warnings(Mutex<HashSet<String>>);

impl Warnings {
    /// The texts in `headers` that were not told before, as `host: text`.
    pub(super) fn new_in(&self, host: &str, headers: &HeaderMap) -> Vec<String> {
        let texts = headers
            .get_all(WARNING)
            .iter()
            .filter_map(|value| text(value.to_str().ok()?))
            .map(|text| format!("{host}: {text}"));
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts
            .filter(|text| told.len() < MOST && told.insert(text.clone()))
            .collect()
    }
}

/// The text of `299 - "text"`; every other form is ignored, as the specification asks.
fn text(value: &str) -> Option<String> {
    if value.len() > LONGEST {
        return None;
    }
    let quoted = value.strip_prefix("299 - \"")?.strip_suffix('"')?;
    let text = clean(&quoted.replace("\\\"", "\"").replace("\\\\", "\\"));
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_specification_counts() {
        assert_eq!(
            text(r#"299 - "it \"ends\"""#).as_deref(),
            Some(r#"it "ends""#)
        );
        assert_eq!(text("299 - \"a\u{1b}[31mb\"").as_deref(), Some("a [31mb"));
        for other in [
            "299 - text",
            "199 - \"x\"",
            "299 host \"x\"",
            "299 - \"\"",
            "",
            "299 - \"",
        ] {
            assert_eq!(text(other), None, "{other}");
        }
    }

    #[test]
    fn each_is_told_once_a_host() {
        let warnings = Warnings::default();
        let mut headers = HeaderMap::new();
        headers.append(WARNING, "299 - \"one\"".parse().expect("a value"));
        headers.append(WARNING, "299 - \"two\"".parse().expect("a value"));
        assert_eq!(warnings.new_in("h", &headers), ["h: one", "h: two"]);
        assert!(warnings.new_in("h", &headers).is_empty());
        assert_eq!(warnings.new_in("g", &headers).len(), 2);
    }
}
