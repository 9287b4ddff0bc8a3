//! `airbuoy submission --check`: folders that are whole but for one thing, each refused for it.

use crate::support::airbuoy::Airbuoy;
use crate::support::run::{self, PRODUCT, required};
use crate::support::submission::failed;

/// Breaks the whole folder at a place.
type Break = Box<dyn Fn(&Airbuoy, &str)>;

fn nothing() -> Break {
    Box::new(|_, _| {})
}

/// Changes PRODUCT.yaml.
fn product(from: &'static str, to: &'static str) -> Break {
    Box::new(move |airbuoy, place| {
        let text = PRODUCT.replace(from, to);
        assert_ne!(text, PRODUCT);
        airbuoy.file(&format!("{place}/PRODUCT.yaml"), &text);
    })
}

/// Leaves out some of the required tests, and lets some fail.
fn tests(missing: usize, failed: usize) -> Break {
    Box::new(move |airbuoy, place| {
        let all = required("1.36");
        let (failed, passed) = all[missing..].split_at(failed);
        let log = run::log(passed.len(), failed.len());
        airbuoy.file(&format!("{place}/e2e.log"), &log);
        airbuoy.file(
            &format!("{place}/junit_01.xml"),
            &run::junit(passed, failed),
        );
    })
}

fn one_file_less() -> Break {
    Box::new(|airbuoy, place| {
        std::fs::remove_file(airbuoy.home().join(place).join("e2e.log")).expect("removed");
    })
}

fn one_file_more() -> Break {
    Box::new(|airbuoy, place| {
        airbuoy.file(&format!("{place}/sonobuoy.tar.gz"), "x");
    })
}

/// A whole folder at `place`, broken by `break_it`, and what `--check` says of it.
fn broken(place: &str, minor: &str, break_it: &Break) -> Vec<(String, String)> {
    let airbuoy = Airbuoy::new();
    let tests = required(minor);
    airbuoy.file(&format!("{place}/README.md"), "# How\n");
    airbuoy.file(&format!("{place}/PRODUCT.yaml"), PRODUCT);
    airbuoy.file(&format!("{place}/e2e.log"), &run::log(tests.len(), 0));
    airbuoy.file(&format!("{place}/junit_01.xml"), &run::junit(&tests, &[]));
    break_it(&airbuoy, place);
    let outcome = airbuoy.run(&format!("submission --check {place} -o json"));
    let failed = failed(&outcome.json());
    outcome.exits(i32::from(!failed.is_empty()));
    failed
}

#[test]
fn a_whole_folder_is_accepted() {
    assert_eq!(broken("v1.36/turbo", "1.36", &nothing()), []);
}

/// Asserts that the check `number` failed for `reason`.
fn assert_refused(failed: &[(String, String)], number: &str, reason: &str) {
    let its_own = failed.iter().find(|(n, _)| n == number);
    let (_, why) = its_own.unwrap_or_else(|| panic!("{reason}: {failed:?}"));
    assert!(why.contains(reason), "{reason}: {failed:?}");
}

#[test]
fn each_is_refused_for_its_own_reason_alone() {
    let no_vendor = product("vendor: \"Example, Inc.\"\n", "");
    let empty_vendor = product("Example, Inc.", "");
    let bad_url = product("https://example.com/docs", "example.com/docs");
    let bad_mail = product("sales@", "sales at ");
    let bad_type = product("\"distribution\"", "platform");
    let one_missing = "1 of 446 required tests of v1.36 are missing";
    for (break_it, number, reason) in [
        (one_file_less(), "2", "e2e.log is missing"),
        (one_file_more(), "3", "sonobuoy.tar.gz does not belong"),
        (no_vendor, "7", "vendor is missing"),
        (empty_vendor, "7", "vendor is empty"),
        (
            bad_url,
            "8",
            "documentation_url is not a URL: it has no scheme",
        ),
        (bad_mail, "8", "contact_email_address is not a mail address"),
        (bad_type, "10", "type is `platform`"),
        (tests(1, 0), "13", one_missing),
    ] {
        let failed = broken("v1.36/turbo", "1.36", &break_it);
        assert_refused(&failed, number, reason);
        assert_eq!(failed.len(), 1, "{reason}: {failed:?}");
    }
}

#[test]
fn places_are_part_of_it() {
    for (place, reason) in [
        ("v1.36", "without the product's folder"),
        ("v1.36/turbo/results", "one folder too deep"),
        ("1.36/turbo", "not a release such as v1.36"),
    ] {
        let failed = broken(place, "1.36", &nothing());
        assert_refused(&failed, "4", reason);
        assert_eq!(failed.len(), 1, "{reason}: {failed:?}");
    }
    let failed = broken("v1.29/turbo", "1.29", &nothing());
    assert_refused(&failed, "12", "v1.29 is not in v1.");
    assert_eq!(failed.len(), 1, "{failed:?}");
}

/// A failed test is a missing one as well for the bot, and the log tells of it too.
#[test]
fn a_failed_test_is_named() {
    let failed = broken("v1.36/turbo", "1.36", &tests(0, 1));
    let name = required("1.36").swap_remove(0);
    assert_refused(&failed, "14", &format!("1 failed: {name}"));
    let numbers: Vec<&str> = failed.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["13", "14", "e2e.log ends with success"]);
}
