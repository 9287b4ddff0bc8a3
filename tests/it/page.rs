//! The page of `results --html` in a real browser: it runs, it filters, it asks for nothing.

use std::path::PathBuf;
use std::process::Command;

use crate::support::airbuoy::Airbuoy;
use crate::support::registry::temp_dir;
use crate::support::run::tarball;
use crate::support::site::Site;
use crate::support::skip::{program, require};

/// What a browser made of an address.
struct Visit {
    /// The document after its scripts ran.
    dom: String,
    /// What the page wrote to the console, errors among it.
    console: Vec<String>,
    /// Requests, in the words of HTTP. Every request of the page comes here: the site is its proxy
    /// too.
    requests: Vec<String>,
}

fn chromium() -> Result<PathBuf, String> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(|name| program(name).ok())
        .ok_or_else(|| "`chromium` is not installed".to_owned())
}

/// Opens `/report.html` of a site that serves `page`, with `fragment` behind it.
fn visit(chromium: &PathBuf, page: &str, fragment: &str) -> Visit {
    let site = Site::start(&[("/report.html", "text/html; charset=utf-8", page)]);
    let profile = temp_dir();
    let mut browser = Command::new(chromium);
    browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .args(["--disable-default-apps", "--disable-extensions"])
        .args(["--enable-logging=stderr", "--dump-dom"])
        // A browser goes past its proxy to loopback, unless it is told not to.
        .args([
            &format!("--proxy-server=http://{}", site.host()),
            "--proxy-bypass-list=<-loopback>",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{}/report.html{fragment}", site.host()))
        .env("HOME", profile.path());
    let output = assert_cmd::Command::from_std(browser)
        .timeout(std::time::Duration::from_mins(2))
        .output()
        .expect("the browser starts and ends in time");
    let said = String::from_utf8_lossy(&output.stderr);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(dom.contains("</html>"), "no document:\n{dom}\n{said}");
    Visit {
        dom,
        console: said
            .lines()
            .filter(|l| l.contains(":CONSOLE"))
            .map(str::to_owned)
            .collect(),
        requests: site
            .requests()
            .into_iter()
            .filter(|line| !is_the_browsers(line))
            .collect(),
    }
}

/// What a browser asks its maker for by itself, whatever page it shows.
fn is_the_browsers(request: &str) -> bool {
    let target = request.split(' ').nth(1).unwrap_or_default();
    let target = target.split_once("://").map_or(target, |(_, rest)| rest);
    let host = target.split(['/', ':']).next().unwrap_or_default();
    let makers = [
        ".google.com",
        ".googleapis.com",
        ".gvt1.com",
        ".gstatic.com",
    ];
    makers.iter().any(|domain| host.ends_with(domain))
}

/// The page of a recorded run.
fn report(name: &str) -> String {
    let airbuoy = Airbuoy::new();
    airbuoy.run(&format!("results {} --html report.html", tarball(name)));
    std::fs::read_to_string(airbuoy.home().join("report.html")).expect("a page")
}

/// The rows of tests, as the browser has them: whether each is hidden, and its name.
fn rows(dom: &str) -> Vec<(bool, String)> {
    let tags = dom.split("<tr data-test=\"").skip(1);
    tags.map(|rest| {
        let (name, rest) = rest.split_once('"').expect("a name");
        let (tag, _) = rest.split_once('>').expect("an end");
        (tag.contains("hidden"), name.to_owned())
    })
    .collect()
}

#[test]
fn it_runs_without_errors_and_asks_for_nothing() {
    let chromium = require!(chromium());
    for name in ["real-missing-image", "real-dry-run", "crash"] {
        let page = report(name);
        let seen = visit(&chromium, &page, "");
        assert_eq!(seen.console, [""; 0], "{name}");
        let [only] = &seen.requests[..] else {
            panic!("{name}: one request: {:?}", seen.requests)
        };
        assert!(only.contains("/report.html"), "{name}: {only}");
        assert!(rows(&seen.dom).iter().all(|(hidden, _)| !hidden), "{name}");
        assert!(
            page.contains("content=\"default-src 'none'; style-src 'sha256-"),
            "{name}"
        );
    }
}

#[test]
fn the_filter_leaves_what_holds_every_word() {
    let chromium = require!(chromium());
    let page = report("real-dry-run");
    let seen = visit(&chromium, &page, "#filter=sig-network%20SERVICE");
    assert_eq!(seen.console, [""; 0]);
    let rows = rows(&seen.dom);
    assert_eq!(rows.len(), 446);
    for (hidden, name) in &rows {
        let name = name.to_lowercase();
        let held = name.contains("sig-network") && name.contains("service");
        assert_eq!(*hidden, !held, "{name}");
    }
    let shown = rows.iter().filter(|(hidden, _)| !hidden).count();
    assert!(0 < shown && shown < 446, "{shown}");
    assert!(
        seen.dom.contains(&format!("{shown} of 446 tests")),
        "the count"
    );
    assert!(
        !seen.dom.contains("role=\"search\" hidden"),
        "the filter is shown"
    );
}

/// The two tests above could not fail if the browser kept such things to itself.
#[test]
fn a_page_that_errs_and_asks_is_seen_to() {
    let chromium = require!(chromium());
    let page = "<!doctype html><html><body><img src=\"http://outside.example/x.png\">\
                <script>missing();</script></body></html>";
    let seen = visit(&chromium, page, "");
    assert!(
        seen.console.iter().any(|line| line.contains("missing")),
        "{:?}",
        seen.console
    );
    let outside = |line: &String| line.contains("outside.example");
    assert!(seen.requests.iter().any(outside), "{:?}", seen.requests);

    // The policy of our page keeps such a picture away.
    let page = report("pass").replace(
        "</main>",
        "<img src=\"http://outside.example/x.png\"></main>",
    );
    let seen = visit(&chromium, &page, "");
    assert!(!seen.requests.iter().any(outside), "{:?}", seen.requests);
    assert!(
        seen.console
            .iter()
            .any(|line| line.contains("outside.example")),
        "{:?}",
        seen.console
    );
}
