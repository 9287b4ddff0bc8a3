//! `airbuoy submission TARBALL`: the folder, or why there is none.

use serde_json::Value;

use crate::support::airbuoy::Airbuoy;
use crate::support::run::{JUNIT, LOG, PRODUCT, Run, required, tarball};
use crate::support::site::Site;
use crate::support::submission::{failed, home, names};
use crate::support::told::assert_told;

const FILES: [&str; 4] = ["PRODUCT.yaml", "README.md", "e2e.log", "junit_01.xml"];

#[test]
fn a_run_that_passed_becomes_a_folder_that_the_bot_takes() {
    let run = Run::certified(0);
    let airbuoy = home(&run);
    let outcome = airbuoy
        .run("submission results.tar.gz --from product.yaml")
        .exits(0);
    let folder = airbuoy.home().join("v1.36/turbo-encabulator");
    assert_eq!(names(folder.clone()), FILES);
    for (name, member) in [("e2e.log", LOG), ("junit_01.xml", JUNIT)] {
        let bytes = std::fs::read(folder.join(name)).expect("a file");
        assert!(bytes == run.member(member), "{name} is unchanged");
    }
    let product = std::fs::read_to_string(folder.join("PRODUCT.yaml")).expect("a file");
    assert!(product.contains("version: \"1.30\"\n"), "{product}");
    assert_told("submission_accepted", &airbuoy, &outcome);

    let check = "submission --check v1.36/turbo-encabulator -o json";
    let report = airbuoy.run(check).exits(0).json();
    assert_eq!(report["accepted"], true);
    assert_eq!(
        report["title"],
        "Conformance results for v1.36/turbo-encabulator"
    );
    // Once more over the same folder, and to another place.
    airbuoy
        .run("submission results.tar.gz --from product.yaml")
        .exits(0);
    let elsewhere =
        "submission results.tar.gz --from product.yaml --directory turbo --out-dir out/dir";
    airbuoy.run(elsewhere).exits(0);
    assert_eq!(names(airbuoy.home().join("out/dir/v1.36/turbo")), FILES);
}

#[test]
fn one_failed_test_is_named_and_nothing_is_written() {
    let airbuoy = home(&Run::certified(1));
    let outcome = airbuoy
        .run("submission results.tar.gz --from product.yaml")
        .exits(1);
    let name = required("1.36").swap_remove(0);
    assert!(
        outcome.stdout.contains(&format!("1 failed: {name}")),
        "{}",
        outcome.stdout
    );
    assert_told("submission_refused", &airbuoy, &outcome);
    assert!(
        outcome.stderr.contains("nothing was written"),
        "{}",
        outcome.stderr
    );
    assert_eq!(
        names(airbuoy.home().to_owned()),
        ["product.yaml", "results.tar.gz"]
    );
    let json = "submission results.tar.gz --from product.yaml -o json";
    let report = airbuoy.run(json).exits(1).json();
    let failed = failed(&report);
    assert_eq!(failed[0].0, "13", "{failed:?}");
    assert_eq!(failed[1].0, "14", "{failed:?}");
    assert!(failed[1].1.contains(&name), "{failed:?}");
}

#[test]
fn recorded_runs_are_refused_for_their_own_reasons() {
    const MODE: &str = "every conformance test was asked for, none left out";
    for (name, checks, reason) in [
        (
            "pass",
            &["13"][..],
            "441 of 446 required tests of v1.36 are missing",
        ),
        (
            "real-subset",
            &["13", MODE],
            "434 of 446 required tests of v1.36 are missing",
        ),
        (
            "real-dry-run",
            &["the tests were really run"],
            "nothing was run",
        ),
        (
            "fail",
            &["13", "14", "e2e.log ends with success"],
            "1 failed: [sig-node] Pods",
        ),
    ] {
        let airbuoy = Airbuoy::new();
        airbuoy.file("product.yaml", PRODUCT);
        let command = format!("submission {} --from product.yaml -o json", tarball(name));
        let failed = failed(&airbuoy.run(&command).exits(1).json());
        let numbers: Vec<&str> = failed.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(numbers, checks, "{name}: {failed:?}");
        assert!(
            failed.iter().any(|(_, why)| why.contains(reason)),
            "{name}: {failed:?}"
        );
        assert_eq!(names(airbuoy.home().to_owned()), ["product.yaml"], "{name}");
    }
    for (name, reason) in [
        ("crash", "terminated state"),
        ("timeout", "--timeout of 45 s"),
    ] {
        let airbuoy = Airbuoy::new();
        airbuoy.file("product.yaml", PRODUCT);
        let command = format!("submission {} --from product.yaml", tarball(name));
        let outcome = airbuoy.run(&command).exits(1);
        assert!(
            outcome.stderr.contains("there is nothing to submit: "),
            "{}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
    }
}

#[test]
fn the_readme_tells_the_command_that_was_run_and_not_the_registry() {
    let airbuoy = home(&Run::certified(0));
    let readme = |flags: &str| {
        let command = format!("submission results.tar.gz --from product.yaml {flags}");
        let outcome = airbuoy.run(&command).exits(0);
        let path = airbuoy.home().join("v1.36/turbo-encabulator/README.md");
        (
            std::fs::read_to_string(path).expect("a README"),
            outcome.stderr,
        )
    };
    let (rebuilt, _) = readme("");
    assert!(
        rebuilt.contains("--kube-conformance-image REGISTRY/conformance:v1.36.3"),
        "{rebuilt}"
    );
    assert!(!rebuilt.contains("localhost:5000"), "{rebuilt}");

    let config = airbuoy
        .run("config localhost:5000 --kubernetes-version v1.36.3 --sonobuoy-version v0.57.5");
    config.exits(0);
    let script = airbuoy.home().join("sonobuoy-run.sh");
    let text = std::fs::read_to_string(&script).expect("a script");
    std::fs::write(&script, text.replace("--timeout=43200", "--timeout=54321")).expect("written");
    let (found, said) = readme(
        "--install install.md"
            .replace("install.md", "product.yaml")
            .as_str(),
    );
    assert!(
        found.contains("--timeout=54321") && found.contains("REGISTRY/conformance"),
        "{found}"
    );
    assert!(
        found.contains("name: \"Turbo Encabulator\""),
        "the installation"
    );
    assert!(
        !found.contains("localhost:5000") && !found.contains("exec "),
        "{found}"
    );
    assert!(
        !said.contains("only points at your documentation"),
        "{said}"
    );
    let (shown, _) = readme("--show-registry");
    assert!(
        shown.contains("localhost:5000/conformance:v1.36.3"),
        "{shown}"
    );

    // The script of another run.
    let other = text.replace("localhost:5000", "registry.example.com/secret");
    std::fs::write(&script, &other).expect("written");
    let (readme_of_other, said) = readme("");
    assert!(
        said.contains("sonobuoy-run.sh does not name localhost:5000/conformance"),
        "{said}"
    );
    assert!(!readme_of_other.contains("secret"), "{readme_of_other}");
    airbuoy.file(
        "mine.sh",
        "#!/bin/sh\nsonobuoy run --my-way localhost:5000/conformance:v1.36.3\n",
    );
    let (mine, _) = readme("--run-script mine.sh");
    assert!(
        mine.contains("```sh\nsonobuoy run --my-way REGISTRY/conformance:v1.36.3\n```"),
        "{mine}"
    );
}

#[test]
fn fields_come_from_flags_too() {
    let airbuoy = home(&Run::certified(0));
    let output = airbuoy
        .command(
            "submission results.tar.gz -q --vendor=Example --name=Turbo --product-version=1.30",
        )
        .args(["--type", "hosted platform", "--description", "It turns."])
        .args([
            "--website-url=https://example.com",
            "--documentation-url=https://example.com/docs",
        ])
        .args([
            "--contact-email-address=sales@example.com",
            "--repo-url=https://example.com/git",
        ])
        .arg("--product-logo-url=https://example.com/logo.svg")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let product = airbuoy.home().join("v1.36/turbo/PRODUCT.yaml");
    let product = std::fs::read_to_string(product).expect("a file");
    for line in [
        "version: \"1.30\"",
        "type: \"hosted platform\"",
        "repo_url: \"https://example.com/git\"",
    ] {
        assert!(product.lines().any(|l| l == line), "{line}: {product}");
    }
}

#[test]
fn a_tests_file_takes_the_place_of_the_list() {
    let airbuoy = home(&Run::certified(0));
    let one = required("1.36").swap_remove(0);
    let entry = |name: &str| {
        format!(
            "- testname: x\n  codename: {}\n  release: v1.9, v1.36\n",
            Value::from(name)
        )
    };
    airbuoy.file("one.yaml", &entry(&one));
    let command = "submission results.tar.gz --from product.yaml -o json --tests-file";
    let report = airbuoy.run(&format!("{command} one.yaml")).exits(0).json();
    let counted = report["checks"].to_string();
    assert!(counted.contains("1 of 1, by one.yaml"), "{counted}");
    airbuoy.file(
        "new.yaml",
        &(entry(&one) + &entry("[sig-x] new [Conformance]")),
    );
    let report = airbuoy.run(&format!("{command} new.yaml")).exits(1).json();
    assert!(failed(&report)[0].1.contains("[sig-x] new [Conformance]"));
    airbuoy.file("no.yaml", "tests: none\n");
    let outcome = airbuoy.run(&format!("{command} no.yaml")).exits(2);
    assert!(
        outcome.stderr.contains("no.yaml is not a conformance.yaml"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn urls_are_asked_when_that_is_wanted() {
    let site = Site::start(&[
        ("/", "text/html; charset=utf-8", "<p>"),
        ("/docs", "text/html", "<p>"),
        ("/docs.pdf", "application/pdf", "%PDF"),
    ]);
    let airbuoy = home(&Run::certified(0));
    let command = |docs: &str| {
        format!(
            "submission results.tar.gz --from product.yaml --check-urls -o json \
             --website-url http://{0}/ --documentation-url http://{0}{docs}",
            site.host()
        )
    };
    let report = airbuoy.run(&command("/docs")).exits(0).json();
    let urls = |report: &Value| report["checks"][8]["outcome"].clone();
    assert_eq!(urls(&report), "pass");
    let report = airbuoy.run(&command("/docs.pdf")).exits(1).json();
    assert!(
        failed(&report)[0].1.contains("application/pdf"),
        "{report:#}"
    );
    assert!(site.requests().iter().all(|line| line.starts_with("HEAD ")));

    let folder = airbuoy.home().join("v1.36/turbo-encabulator");
    let check = "submission --check v1.36/turbo-encabulator --check-urls -o json";
    assert_eq!(urls(&airbuoy.run(check).exits(0).json()), "pass");
    std::fs::write(folder.join("PRODUCT.yaml"), PRODUCT.replace("sales@", "")).expect("written");
    let report = airbuoy.run(check).exits(1).json();
    assert_eq!(urls(&report), "not-checkable");
    assert!(
        report["notes"].to_string().contains("URLs were not asked"),
        "{report:#}"
    );
}
