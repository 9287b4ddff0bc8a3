//! The official suite of the distribution-spec against the embedded registry, as it is: nothing
//! switched on or off.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::support::embedded::{Embedded, Stored};
use crate::support::note::note;
use crate::support::registry::{PASSWORD, Reach, USER, temp_dir};
use crate::support::skip::{self, require};

/// What the suite counted.
#[derive(Debug, Default)]
struct Totals {
    pass: u32,
    fail: u32,
    skip: u32,
    disabled: u32,
    error: u32,
    /// Name and reason of every test that failed.
    failures: Vec<String>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pass, {} fail, {} skip, {} disabled",
            self.pass,
            self.fail + self.error,
            self.skip,
            self.disabled
        )
    }
}

/// Which specification the suite is about.
#[derive(Debug, Clone, Copy)]
enum Version {
    /// What it tests when it is told nothing: 1.1.
    Released,
    /// What the next one will add.
    Coming,
}

/// Runs the suite against `registry`.
fn run(suite: &Path, registry: &Embedded, version: Version, results: &Path) -> Totals {
    let mut command = Command::new(suite);
    command
        .env_clear()
        .env("OCI_REGISTRY", registry.host())
        .env("OCI_RESULTS_DIR", results)
        // It reads a settings file of its working directory.
        .current_dir(results);
    if let Version::Coming = version {
        command.env("OCI_VERSION", "dev");
    }
    match registry.reach() {
        Reach::LoginAndPrivateAuthority => command.env("SSL_CERT_FILE", registry.ca_file()),
        Reach::Plain | Reach::Login => command.env("OCI_TLS", "disabled"),
    };
    if registry.reach() != Reach::Plain {
        command
            .env("OCI_USERNAME", USER)
            .env("OCI_PASSWORD", PASSWORD);
    }
    let output = command.output().expect("the suite starts");
    let junit = std::fs::read_to_string(results.join("junit.xml")).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("the suite wrote no result ({error}):\n{said}")
    });
    let totals = totals(&junit);
    assert_eq!(output.status.success(), totals.failures.is_empty());
    totals
}

/// Reads a `junit.xml`.
fn totals(junit: &str) -> Totals {
    let mut reader = Reader::from_str(junit);
    let mut totals = Totals::default();
    let (mut test, mut status, mut inside) = (String::new(), String::new(), false);
    loop {
        match reader.read_event().expect("XML") {
            Event::Start(start) => match start.name().as_ref() {
                "testsuite" => {
                    let count = |name| attribute(&start, name).parse().unwrap_or(0);
                    totals.fail = count("failures");
                    totals.error = count("errors");
                    totals.skip = count("skipped");
                    totals.disabled = count("disabled");
                    let others = totals.fail + totals.error + totals.skip + totals.disabled;
                    totals.pass = count("tests") - others;
                }
                "testcase" => {
                    test = attribute(&start, "name");
                    status = attribute(&start, "status");
                }
                "system-out" => inside = status == "failure" || status == "error",
                _ => {}
            },
            Event::Text(text) if inside => {
                totals.failures.push(format!("{test}: {}", &*text));
                inside = false;
            }
            Event::End(_) => inside = false,
            Event::Eof => return totals,
            _ => {}
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> String {
    let found = start.try_get_attribute(name).expect("attributes");
    found.map_or_else(String::new, |value| value.value.into_owned())
}

/// What the suite says of each API and kind of data in its `results.yaml`.
fn statuses(results: &Path) -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct File {
        apis: BTreeMap<String, String>,
        data: BTreeMap<String, String>,
    }
    let text = std::fs::read_to_string(results.join("results.yaml")).expect("the results");
    let file: File = serde_yaml::from_str(&text).expect("YAML");
    file.apis.into_iter().chain(file.data).collect()
}

/// Everything passes that a version of the specification has, but for what the suite itself leaves
/// out of it.
fn passes(version: Version, reach: Reach, at_least: u32, left_out: &[&str]) {
    let suite = require!(skip::program("conformance"));
    for stored in Stored::ALL {
        let registry = Embedded::reached(stored, reach);
        let results = temp_dir();
        let totals = run(&suite, &registry, version, results.path());
        note(&format!(
            "distribution-spec conformance, {version:?}, {stored:?}, {reach:?}: {totals}"
        ));
        assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
        assert_eq!((totals.fail, totals.error, totals.skip), (0, 0, 0));
        assert!(totals.pass >= at_least, "{totals}");
        let mut others = statuses(results.path());
        others.retain(|_, status| status != "Pass");
        let others: Vec<String> = others
            .into_iter()
            .map(|(k, v)| format!("{k}: {v}"))
            .collect();
        assert_eq!(others, left_out);
    }
}

/// What the suite leaves out of 1.1.
const LATER: [&str; 5] = [
    "Blob upload cancel: Disabled",
    "Manifest put with tag params: Disabled",
    "Sparse Manifests: Disabled",
    "Tag Param: Disabled",
    "Tag Param sha512: Disabled",
];

#[test]
fn the_released_specification_passes() {
    passes(Version::Released, Reach::Plain, 850, &LATER);
}

#[test]
fn the_released_specification_passes_behind_tls_and_a_login() {
    let reach = Reach::LoginAndPrivateAuthority;
    passes(Version::Released, reach, 850, &LATER);
}

#[test]
fn the_coming_specification_passes() {
    let left_out = ["Sparse Manifests: Disabled"];
    passes(Version::Coming, Reach::Plain, 970, &left_out);
}
