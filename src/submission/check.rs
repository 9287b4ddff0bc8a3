//! The checks of the bot that concern the files, in its order and by its scenarios' names
//! (kubernetes-sigs/verify-conformance), and those beyond it.

use camino::Utf8Path;

use super::error::SubmissionError;
use super::fields::{Fields, Trouble};
use super::folder::{Content, FILES, Folder, Place};
use super::junit_rule::Conformance;
use super::local;
use super::report::{Check, CheckReport};
use super::required::RequiredTests;
use super::urls;
use super::window::{Standing, Window};
use crate::kube_version::KubeVersion;
use crate::results::{Junit, LogSummary, Results};

/// How many test names a reason lists.
const NAMED: usize = 10;

/// What the checks lean on besides the folder.
#[derive(Debug)]
pub struct CheckOptions<'a> {
    /// Which releases can be certified.
    pub window: Window,
    /// The text of a conformance.yaml and its name: instead of the compiled-in list.
    pub tests_file: Option<(&'a str, &'a str)>,
    /// The tarball that the files come from; it tells what they do not.
    pub results: Option<&'a Results>,
}

/// What the files say.
pub(super) struct Material<'a> {
    pub(super) log: Option<LogSummary>,
    pub(super) junit: Option<Junit>,
    pub(super) release: Option<&'a KubeVersion>,
    pub(super) results: Option<&'a Results>,
}

/// Checks a folder on disk. Blocks.
pub fn check_dir(
    path: &Utf8Path,
    options: &CheckOptions<'_>,
) -> Result<CheckReport, SubmissionError> {
    check(&Folder::read(path)?, options)
}

/// Checks a folder.
pub fn check(folder: &Folder, options: &CheckOptions<'_>) -> Result<CheckReport, SubmissionError> {
    let release = match &folder.place {
        Place::At { release, .. } => Some(release),
        Place::Wrong(_) => None,
    };
    let material = Material {
        log: folder.file("e2e.log").map(LogSummary::scan),
        junit: folder.file("junit_01.xml").map(Junit::parse),
        release,
        results: options.results,
    };
    let required = match (release, options.tests_file) {
        (Some(release), Some((name, text))) => Some(RequiredTests::from_yaml(name, text, release)?),
        (Some(release), None) => RequiredTests::embedded(release),
        (None, _) => None,
    };
    let product = folder
        .file("PRODUCT.yaml")
        .filter(|bytes| !bytes.is_empty());
    let product = product.map(self::product);
    let fields = product.as_ref().and_then(|fields| fields.as_ref().ok());
    let tests = material.junit.as_ref().map(Conformance::of);
    let title = folder.path().map_or_else(
        || "Conformance results for vX.Y/PRODUCT".to_owned(),
        |path| format!("Conformance results for {path}"),
    );
    let mut checks = vec![
        about_the_request(1, "PR title is not empty", &title),
        all_files(folder, product.as_ref()),
        only_files(folder),
        structure(folder),
        one_product(folder),
        about_the_request(
            6,
            "submission release version in title matches release version in folder structure",
            &title,
        ),
    ];
    checks.extend(product_checks(fields));
    checks.extend([
        about_the_request(
            11,
            "title of product submission contains Kubernetes release version and product name",
            &title,
        ),
        window(release, &options.window),
        present(&material, tests.as_ref(), required.as_ref()),
        passed(&material, tests.as_ref()),
        Check::unchecked(
            Some(15),
            "there is only one commit",
            "about the pull request: make one commit",
        ),
    ]);
    checks.extend(local::checks(&material));
    let notes = fields.map(Fields::warnings).unwrap_or_default();
    let path = folder.path().map(camino::Utf8PathBuf::into_string);
    Ok(CheckReport::new(path, checks, notes))
}

fn product(bytes: &[u8]) -> Result<Fields, SubmissionError> {
    Fields::parse("PRODUCT.yaml", &String::from_utf8_lossy(bytes))
}

fn about_the_request(number: u8, name: &'static str, title: &str) -> Check {
    let why = format!("about the pull request: its title is \"{title}\"");
    Check::unchecked(Some(number), name, why)
}

fn all_files(folder: &Folder, product: Option<&Result<Fields, SubmissionError>>) -> Check {
    let mut reasons: Vec<String> = FILES
        .iter()
        .filter_map(|name| match folder.file(name) {
            None => Some(format!("{name} is missing")),
            Some([]) => Some(format!("{name} is empty")),
            Some(_) => None,
        })
        .collect();
    if let Some(Err(error)) = product {
        reasons.push(error.to_string());
    }
    Check::of(Some(2), "submission contains all required files", reasons)
}

fn only_files(folder: &Folder) -> Check {
    let reason = |(path, content): (&String, &Content)| {
        let base = path.rsplit('/').next().unwrap_or(path);
        match content {
            Content::Unusable(why) => Some(format!("{path} {why}")),
            _ if FILES.contains(&base) => None,
            _ => match FILES.iter().find(|file| file.eq_ignore_ascii_case(base)) {
                Some(file) => Some(format!("{path} must be written {file}")),
                None => Some(format!("{path} does not belong to a submission")),
            },
        }
    };
    let reasons = folder.files.iter().filter_map(reason).collect();
    Check::of(Some(3), "submission only contains required files", reasons)
}

fn structure(folder: &Folder) -> Check {
    let reasons = match &folder.place {
        Place::At { .. } => Vec::new(),
        Place::Wrong(why) => vec![format!("{why}; it must be vX.Y/PRODUCT/")],
    };
    let name = "submission has files in structure of releaseversion/productname/";
    Check::of(Some(4), name, reasons)
}

fn one_product(folder: &Folder) -> Check {
    let below = folder.files.keys().filter(|path| path.contains('/'));
    let reasons = below
        .map(|path| format!("{path} lies in a folder of its own"))
        .collect();
    Check::of(Some(5), "submission is only one product", reasons)
}

/// Scenarios 7 to 10. Their reasons come out of one judgement of the fields.
fn product_checks(fields: Option<&Fields>) -> [Check; 4] {
    const NAMES: [&str; 3] = [
        "the PRODUCT.yaml metadata contains all required fields",
        "the URL and email fields in the PRODUCT.yaml are valid",
        "the type field in PRODUCT.yaml is valid",
    ];
    let Some(fields) = fields else {
        let unread =
            |number, name| Check::unchecked(Some(number), name, "PRODUCT.yaml cannot be read");
        return [
            unread(7, NAMES[0]),
            unread(8, NAMES[1]),
            unread(9, urls::NAME),
            unread(10, NAMES[2]),
        ];
    };
    let problems = fields.problems();
    let those = |wanted: fn(&Trouble) -> bool| {
        let problems = problems.iter().filter(|p| wanted(&p.trouble));
        problems.map(ToString::to_string).collect()
    };
    let contacts = those(|t| matches!(t, Trouble::Url(_) | Trouble::Mail(_)));
    let required = those(|t| matches!(t, Trouble::Missing | Trouble::Empty | Trouble::NotText(_)));
    let kind = those(|t| matches!(t, Trouble::Type(_)));
    [
        Check::of(Some(7), NAMES[0], required),
        Check::of(Some(8), NAMES[1], contacts),
        Check::unchecked(Some(9), urls::NAME, "needs the internet: --check-urls"),
        Check::of(Some(10), NAMES[2], kind),
    ]
}

fn window(release: Option<&KubeVersion>, window: &Window) -> Check {
    const NAME: &str = "the submission release version is a supported version of Kubernetes";
    let Some(release) = release else {
        return Check::unchecked(Some(12), NAME, "the folder does not name a release");
    };
    match window.standing(release) {
        Standing::Inside => Check::pass(Some(12), NAME, format!("{window}")),
        Standing::TooOld => Check::fail(Some(12), NAME, format!("{release} is not in {window}")),
        Standing::Unknown => {
            Check::unchecked(Some(12), NAME, format!("{release} is newer than {window}"))
        }
    }
}

const PRESENT: &str = "all required conformance tests in the junit_01.xml are present";

fn present(
    material: &Material<'_>,
    tests: Option<&Conformance>,
    required: Option<&RequiredTests>,
) -> Check {
    let (Some(junit), Some(tests)) = (&material.junit, tests) else {
        return Check::unchecked(Some(13), PRESENT, "junit_01.xml is missing");
    };
    if let Some(defect) = &junit.defect {
        return Check::fail(Some(13), PRESENT, format!("junit_01.xml: {defect}"));
    }
    let Some(release) = material.release else {
        return Check::unchecked(Some(13), PRESENT, "the folder does not name a release");
    };
    let Some(required) = required else {
        // Every spec is listed, so a conformance test that was left out is seen without a list.
        if !tests.skipped.is_empty() {
            let skipped = tests.skipped.len();
            let reason = format!(
                "{skipped} conformance tests were left out{}",
                named(&tests.skipped)
            );
            return Check::fail(Some(13), PRESENT, reason);
        }
        let why = format!(
            "no list of the tests that {release} requires: {} conformance tests passed, none was left out; \
             --tests-file compares them with Kubernetes' conformance.yaml",
            tests.passed.len()
        );
        return Check::unchecked(Some(13), PRESENT, why);
    };
    let missing = required.names.difference(&tests.passed);
    let missing: std::collections::BTreeSet<String> = missing.cloned().collect();
    let (all, source) = (required.len(), &required.source);
    if missing.is_empty() {
        return Check::pass(Some(13), PRESENT, format!("{all} of {all}, by {source}"));
    }
    let reason = format!(
        "{} of {all} required tests of {release} are missing, by {source}{}",
        missing.len(),
        named(&missing)
    );
    Check::fail(Some(13), PRESENT, reason)
}

fn passed(material: &Material<'_>, tests: Option<&Conformance>) -> Check {
    const NAME: &str = "all tests pass";
    match (&material.junit, tests) {
        (Some(junit), _) if junit.defect.is_some() => {
            Check::unchecked(Some(14), NAME, "junit_01.xml cannot be read to its end")
        }
        (Some(_), Some(tests)) if tests.failed.is_empty() => Check::pass(
            Some(14),
            NAME,
            format!("{} conformance tests", tests.passed.len()),
        ),
        (Some(_), Some(tests)) => {
            let failed = tests.failed.len();
            Check::fail(
                Some(14),
                NAME,
                format!("{failed} failed{}", named(&tests.failed)),
            )
        }
        _ => Check::unchecked(Some(14), NAME, "junit_01.xml is missing"),
    }
}

/// `: a, b and 3 more`, the first ten by name.
fn named(names: &std::collections::BTreeSet<String>) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(": {}{more}", first.join(", "))
}
