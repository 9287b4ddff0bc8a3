//! What the real sonobuoy left behind, prepared for submission and written: none of it can be
//! submitted, and each says why.

use camino::Utf8PathBuf;

use super::broken::{failed, reasons};
use super::testing::{PRODUCT, Submission, options};
use super::{
    CheckOptions, Fields, PrepareOptions, Product, SubmissionError, check, check_dir, prepare,
};
use crate::results::Results;

fn product() -> Product {
    let fields = Fields::parse("PRODUCT.yaml", PRODUCT).expect("well-formed");
    Product::try_from(&fields).expect("valid")
}

fn recorded(name: &str) -> Results {
    let root = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/sonobuoy-v0.57.5"
    );
    let path = Utf8PathBuf::from(root).join(name).join("results.tar.gz");
    Results::open(&path).expect("a recorded tarball")
}

/// Each as `submission TARBALL` treats it; then as `submission --check` sees the written folder.
#[test]
fn recorded_runs_are_refused() {
    const MODE: &str = "every conformance test was asked for, none left out";
    for (name, checks, reason) in [
        (
            "pass",
            &["13"][..],
            "446 required tests of v1.36 are missing",
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
            "1 failed: [sig-node] Pods should be submitted and removed",
        ),
    ] {
        let results = recorded(name);
        let prepared = prepare(&results, &product(), &PrepareOptions::default()).expect(name);
        let with_results = CheckOptions {
            results: Some(&results),
            ..options()
        };
        let report = check(&prepared.folder, &with_results).expect("no tests file");
        assert_eq!(failed(&report), checks, "{name}: {report:#?}");
        assert!(
            reasons(&report).contains(reason),
            "{name}: {}",
            reasons(&report)
        );
        let root = tempfile::tempdir().expect("a folder");
        let root = camino::Utf8Path::from_path(root.path()).expect("UTF-8");
        let path = prepared.write(root).expect("written");
        assert_eq!(path, root.join("v1.36/turbo-encabulator"));
        let on_disk = check_dir(&path, &options()).expect("a folder");
        assert_eq!(failed(&on_disk), checks, "{name}");
    }
}

#[test]
fn runs_without_results_have_nothing_to_submit() {
    for (name, word) in [
        (
            "crash",
            "infrastructure: Container e2e is in a terminated state",
        ),
        ("timeout", "timeout: sonobuoy's --timeout of 45 s"),
    ] {
        let error = prepare(&recorded(name), &product(), &PrepareOptions::default());
        let error = error.expect_err("no results");
        assert!(matches!(error, SubmissionError::NothingToSubmit { .. }));
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn the_readme_tells_the_command_and_not_the_registry() {
    let results = recorded("pass");
    let readme = |show_registry| {
        let options = PrepareOptions {
            show_registry,
            ..PrepareOptions::default()
        };
        let prepared = prepare(&results, &product(), &options).expect("results");
        let bytes = prepared
            .folder
            .file("README.md")
            .expect("a README")
            .to_vec();
        (String::from_utf8(bytes).expect("UTF-8"), prepared.notes)
    };
    let (hidden, notes) = readme(false);
    let command = "sonobuoy run \\\n  --mode=certified-conformance \\\n  --sonobuoy-image REGISTRY/sonobuoy/sonobuoy:v0.57.5 \\\n  \
                   --systemd-logs-image REGISTRY/sonobuoy/systemd-logs:v0.4 \\\n  \
                   --kube-conformance-image REGISTRY/conformance:v1.36.3 \\\n  \
                   --e2e-repo-config custom-repo-config.yaml \\\n  --timeout=21600\n";
    assert!(hidden.contains(command), "{hidden}");
    assert!(
        hidden.contains("promoterE2eRegistry: REGISTRY/e2e-test-images\n"),
        "{hidden}"
    );
    assert!(hidden.contains("Kubernetes v1.36.3") && hidden.contains("v0.57.5"));
    assert!(!hidden.contains("localhost:5000"), "{hidden}");
    // The stand-in's log names the registry, and a log must not be changed.
    assert!(
        notes.iter().any(|note| note.contains("named in e2e.log")),
        "{notes:?}"
    );
    let (shown, notes) = readme(true);
    assert!(shown.contains("localhost:5000/conformance:v1.36.3"));
    assert!(!shown.contains("REGISTRY"));
    assert!(!notes.iter().any(|note| note.contains("named in e2e.log")));
}

#[test]
fn given_words_stand_in_the_readme() {
    let options = PrepareOptions {
        directory: Some("turbo"),
        commands: Some("airbuoy run localhost:5000 --mirror\n"),
        install: Some("Turn the crank."),
        ..PrepareOptions::default()
    };
    let prepared = prepare(&recorded("pass"), &product(), &options).expect("results");
    assert_eq!(prepared.title(), "Conformance results for v1.36/turbo");
    let readme = String::from_utf8_lossy(prepared.folder.file("README.md").expect("a README"));
    assert!(
        readme.contains("```sh\nairbuoy run REGISTRY --mirror\n```"),
        "{readme}"
    );
    assert!(readme.contains("Turn the crank."));
    let up = PrepareOptions {
        directory: Some("../turbo"),
        ..PrepareOptions::default()
    };
    let error = prepare(&recorded("pass"), &product(), &up);
    assert!(matches!(error, Err(SubmissionError::DirectoryName { .. })));
    assert_eq!(super::directory_name("Überkube (R) 2.0!"), "berkube-r-2.0");
}

#[test]
fn writing_again_replaces_and_spares_what_is_foreign() {
    let prepared =
        prepare(&recorded("pass"), &product(), &PrepareOptions::default()).expect("results");
    let submission = Submission::whole();
    let path = prepared.write(submission.root()).expect("written");
    assert_eq!(
        prepared.write(submission.root()).expect("written again"),
        path
    );
    let names = std::fs::read_dir(&path).expect("a folder").count();
    assert_eq!(names, 4);
    std::fs::write(path.join("notes.txt"), "mine").expect("written");
    match prepared.write(submission.root()) {
        Err(SubmissionError::Occupied { found, .. }) => assert_eq!(found, "notes.txt"),
        other => panic!("{other:?}"),
    }
}
