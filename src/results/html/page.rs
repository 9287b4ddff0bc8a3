//! The page's frame. Style and script stand inside, allowed by their hashes alone.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::escape::Escaped;
use super::sections;
use crate::results::{Summary, Verdict};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page, complete.
pub fn render(summary: &Summary) -> String {
    let mut page = String::new();
    let title = Escaped(title(summary));
    // `default-src 'none'`: whatever is not named here is refused, and so is any script or style but
    // these two (CSP level 3, hash sources). The icon is empty, so that no browser asks for one.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    sections::write_all(&mut page, summary, &title);
    page.push_str("</main>\n");
    if sections::has_tests(summary) {
        let _ = writeln!(page, "<script>{SCRIPT}</script>");
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn title(summary: &Summary) -> String {
    let says = match summary.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Timeout => "ran out of time",
        Verdict::Infrastructure => "could not be run",
        Verdict::Incomplete => "incomplete",
        Verdict::DryRun => "a dry run, nothing was tested",
    };
    match &summary.versions.kubernetes {
        Some(version) => format!("Kubernetes {version} conformance tests: {says}"),
        None => format!("Kubernetes conformance tests: {says}"),
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
