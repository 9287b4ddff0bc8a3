//! `--against`: the digests that an earlier run reported.

use std::collections::HashMap;
use std::fs;

use camino::Utf8Path;
use serde::Deserialize;

use super::SettingsError;
use crate::oci::{Digest, Reference};

/// The version of the report's format that is understood.
const FORMAT: u32 = 1;

/// Target reference ▶ the digest it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(HashMap<Reference, Digest>);

impl Expected {
    /// The digest that `target` had.
    pub fn digest(&self, target: &Reference) -> Option<&Digest> {
        self.0.get(target)
    }
}

/// What is read of a [`Report`](crate::transfer::Report).
#[derive(Deserialize)]
struct Reported {
    format: u32,
    images: Vec<ReportedImage>,
}

#[derive(Deserialize)]
struct ReportedImage {
    target: Option<String>,
    target_digest: Option<String>,
}

pub(super) fn expected(path: &Utf8Path) -> Result<Expected, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
        flag: "--against",
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, reason)| SettingsError::Content {
        path: path.to_owned(),
        line,
        reason: format!("{reason}; expected the JSON report of airbuoy mirror"),
    })
}

fn parse(text: &str) -> Result<Expected, (Option<usize>, String)> {
    let reported: Reported =
        serde_json::from_str(text).map_err(|e| (Some(e.line()), e.to_string()))?;
    if reported.format != FORMAT {
        let reason = format!(
            "the format is {}, this airbuoy reads {FORMAT}",
            reported.format
        );
        return Err((None, reason));
    }
    let mut digests = HashMap::new();
    for image in reported.images {
        if let (Some(target), Some(digest)) = (image.target, image.target_digest) {
            let target = target.parse().map_err(|e| (None, format!("{e}")))?;
            let digest = digest.parse().map_err(|e| (None, format!("{e}")))?;
            digests.insert(target, digest);
        }
    }
    Ok(Expected(digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_by_target() {
        let digest = Digest::of(b"x");
        let text = format!(
            r#"{{"format": 1, "later": true, "images": [
                {{"source": "a", "target": "reg:5000/k8s/pause:3.10", "target_digest": "{digest}"}},
                {{"source": "b", "target": null, "target_digest": null}}]}}"#
        );
        let expected = parse(&text).expect("a report");
        let target = "reg:5000/k8s/pause:3.10".parse().expect("a reference");
        assert_eq!(expected.digest(&target), Some(&digest));
        assert_eq!(expected.digest(&"reg:5000/x:1".parse().expect("x")), None);
    }

    #[test]
    fn what_is_no_report_is_refused_with_its_line() {
        for (text, line, part) in [
            ("{\n\"format\": 1,\n}", Some(3), "line 3"),
            ("[]", Some(1), ""),
            (r#"{"format": 2, "images": []}"#, None, "the format is 2"),
            (
                r#"{"format": 1, "images": [{"target": "x/y:1", "target_digest": "md5:1"}]}"#,
                None,
                "digest",
            ),
        ] {
            let (found, reason) = parse(text).expect_err(text);
            assert_eq!(found, line, "{reason}");
            assert!(reason.contains(part), "{reason}");
        }
    }
}
