//! What stands on the page, from the verdict down to the last test.

use std::fmt::{Display, Write as _};

use super::duration::spoken;
use super::escape::Escaped;
use crate::results::{Outcome, Summary, TestRun, Verdict};

pub(super) fn write_all(page: &mut String, summary: &Summary, title: &dyn Display) {
    verdict(page, summary, title);
    facts(page, summary);
    warnings(page, summary);
    if has_tests(summary) {
        filter(page);
        failed(page, summary);
        slowest(page, summary);
        tests(page, summary);
    }
}

// Writing to a String cannot fail, so the results below are dropped.

fn verdict(page: &mut String, summary: &Summary, title: &dyn Display) {
    let _ = writeln!(
        page,
        "<header class=\"verdict {}\">\n<h1>{title}</h1>",
        summary.verdict.as_str()
    );
    if let Some(reason) = &summary.reason {
        let _ = writeln!(page, "<p class=\"reason\">{}</p>", Escaped(reason));
    }
    if let Some(hint) = summary.hint {
        let _ = writeln!(page, "<p class=\"quiet\">{}</p>", Escaped(hint));
    }
    if has_tests(summary) {
        counts(page, summary);
    }
    page.push_str("</header>\n");
}

/// Whether there is anything to count and to filter.
pub(super) fn has_tests(summary: &Summary) -> bool {
    !summary.ran.is_empty() || !summary.failed.is_empty()
}

fn counts(page: &mut String, summary: &Summary) {
    let tests = summary.tests;
    let bad = if tests.failed > 0 { "bad" } else { "quiet" };
    let (good, passed) = match summary.verdict {
        Verdict::DryRun => ("quiet", "listed as passed"),
        _ => ("good", "passed"),
    };
    let _ = writeln!(
        page,
        "<ul class=\"counts\">\n<li><b class=\"{good}\">{}</b> {passed}</li>\n\
         <li><b class=\"{bad}\">{}</b> failed</li>\n<li><b class=\"quiet\">{}</b> not selected</li>\n</ul>",
        tests.passed, tests.failed, tests.skipped
    );
}

fn facts(page: &mut String, summary: &Summary) {
    let nodes = summary
        .nodes
        .map(|nodes| format!("{} of {} healthy", nodes.healthy, nodes.total));
    let skip = summary.skip.clone().filter(|skip| !skip.is_empty());
    let rows: [(&str, Option<String>); 11] = [
        ("Kubernetes", summary.versions.kubernetes.clone()),
        ("Test binary", summary.versions.tests.clone()),
        ("Conformance image", summary.images.conformance.clone()),
        ("Sonobuoy", summary.versions.sonobuoy.clone()),
        ("Mode", summary.mode.map(|mode| mode.as_str().to_owned())),
        ("Tests chosen by", summary.focus.clone()),
        ("Tests left out by", skip),
        ("Nodes", nodes),
        ("Began", summary.started.clone()),
        ("Took", summary.seconds.map(spoken)),
        (
            "Complete",
            Some(if summary.complete { "yes" } else { "no" }.to_owned()),
        ),
    ];
    page.push_str("<section>\n<h2>The run</h2>\n<dl>\n");
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", Escaped(value));
        }
    }
    page.push_str("</dl>\n</section>\n");
}

fn warnings(page: &mut String, summary: &Summary) {
    if summary.warnings.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>To know</h2>\n<ul>\n");
    for warning in &summary.warnings {
        let _ = writeln!(page, "<li>{}</li>", Escaped(warning));
    }
    page.push_str("</ul>\n</section>\n");
}

/// Hidden until the script shows it: without one it could do nothing.
fn filter(page: &mut String) {
    page.push_str(
        "<div class=\"bar\" id=\"bar\" role=\"search\" hidden>\n\
         <label>Filter <input id=\"filter\" type=\"search\" placeholder=\"words of a test's name; key /\" \
         autocomplete=\"off\" spellcheck=\"false\"></label>\n\
         <label><input id=\"only-failed\" type=\"checkbox\"> failed only</label>\n\
         <span id=\"shown\" class=\"quiet\" role=\"status\"></span>\n</div>\n",
    );
}

fn failed(page: &mut String, summary: &Summary) {
    if summary.failed.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Failed tests</h2>\n");
    for test in &summary.failed {
        let message = test.message.as_deref().unwrap_or("no message");
        let _ = writeln!(
            page,
            "<details open data-test=\"{name}\" data-outcome=\"failed\">\n\
             <summary><span class=\"bad\">failed</span> {name} <span class=\"quiet\">{time}</span></summary>\n\
             <pre tabindex=\"0\">{}</pre>\n</details>",
            Escaped(message),
            name = Escaped(&test.name),
            time = spoken(test.seconds),
        );
    }
    page.push_str("</section>\n");
}

fn slowest(page: &mut String, summary: &Summary) {
    if summary.slowest.is_empty() || summary.verdict == Verdict::DryRun {
        return;
    }
    page.push_str("<section>\n<h2>Slowest tests</h2>\n<table>\n");
    for test in &summary.slowest {
        let _ = writeln!(
            page,
            "<tr><td class=\"name\">{}</td><td class=\"time\">{}</td></tr>",
            Escaped(&test.name),
            spoken(test.seconds)
        );
    }
    page.push_str("</table>\n</section>\n");
}

fn tests(page: &mut String, summary: &Summary) {
    if summary.ran.is_empty() {
        return;
    }
    page.push_str(
        "<section>\n<h2>Tests that ran</h2>\n<table>\n<thead><tr><th scope=\"col\">Result</th>\
         <th scope=\"col\">Test</th><th scope=\"col\" class=\"time\">Time</th></tr></thead>\n<tbody>\n",
    );
    for test in &summary.ran {
        row(page, test);
    }
    page.push_str("</tbody>\n</table>\n</section>\n");
}

fn row(page: &mut String, test: &TestRun) {
    let (word, class) = match test.outcome {
        Outcome::Failed => ("failed", "bad"),
        Outcome::Passed => ("passed", "good"),
        Outcome::Skipped => ("skipped", "quiet"),
    };
    let _ = writeln!(
        page,
        "<tr data-test=\"{name}\" data-outcome=\"{word}\"><td class=\"{class}\">{word}</td>\
         <td class=\"name\">{name}</td><td class=\"time\">{}</td></tr>",
        spoken(test.seconds),
        name = Escaped(&test.name),
    );
}
