//! The page holds what it must, and foreign text stays text.

use super::render;
use crate::results::{Results, Summary};

fn recorded(name: &str) -> Summary {
    let root = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/sonobuoy-v0.57.5"
    );
    let path = camino::Utf8PathBuf::from(root)
        .join(name)
        .join("results.tar.gz");
    Results::open(&path).expect("a recorded tarball").summary()
}

#[test]
fn verdict_versions_and_failures_are_on_the_page() {
    let page = render(&recorded("real-missing-image"));
    for text in [
        "<title>Kubernetes v1.36.3 conformance tests: failed</title>",
        "localhost:5000/conformance:v1.36.3-real",
        "v0.57.5",
        "1 of 1 healthy",
        "5 min 6 s",
        "[FAILED] Timed out after 300.001s.\nExpected\n    &lt;v1.PodPhase&gt;: Pending",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("<details ").count(), 1);
    assert_eq!(page.matches("<tr data-test=").count(), 4);
}

#[test]
fn foreign_text_stays_text() {
    let mut summary = recorded("fail");
    let evil = "</pre><script>alert(1)</script>\" onload='x' <img src=https://example.com/x>";
    summary.failed[0].name = evil.into();
    summary.failed[0].message = Some(evil.into());
    summary.ran[0].name = evil.into();
    summary.reason = Some(evil.into());
    summary.warnings = vec![evil.into()];
    summary.focus = Some(evil.into());
    summary.versions.kubernetes = Some(evil.into());
    let page = render(&summary);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert!(!page.contains("<img"));
    assert!(!page.contains("' <img"));
}

/// Every address on the page is the empty icon: nothing can be fetched even without the policy.
#[test]
fn nothing_is_fetched() {
    let page = render(&recorded("pass"));
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    assert!(!page.contains("unsafe-inline"));
    for attribute in ["src=", "url(", "@import", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    assert_eq!(page.matches("href=").count(), 1);
    assert!(page.contains("href=\"data:,\""));
}

#[test]
fn a_run_without_tests_has_no_empty_tables() {
    let page = render(&recorded("crash"));
    assert!(page.contains("terminated state (exit code 1)"));
    for absent in ["<table>", "<script>", "id=\"bar\"", "class=\"counts\""] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.ends_with("</main>\n</body>\n</html>\n"));
}

#[test]
fn a_dry_run_does_not_look_like_a_pass() {
    let page = render(&recorded("real-dry-run"));
    assert!(page.contains("<b class=\"quiet\">446</b> listed as passed"));
    assert!(!page.contains("Slowest tests"));
}
