//! What the person at the terminal reads when something is wrong, word for word.

use crate::support::airbuoy::{Airbuoy, Outcome};
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::images::{self, HOST, VERSION, mirror_only};
use crate::support::registry::{Kind, Options, PASSWORD, Reach, Registry, USER, free_port};
use crate::support::skip::require;

/// Compares standard error with the snapshot `name`; ports, times and folders are made equal.
fn assert_said(name: &str, airbuoy: &Airbuoy, outcome: &Outcome) {
    let home = airbuoy.home().display().to_string();
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![
            (home.as_str(), "[HOME]"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
            (r"\b\d+(\.\d+)? m?s\b", "[TIME]"),
            (r"\d{4}-\d{2}-\d{2}", "[DATE]"),
        ],
    }, {
        insta::assert_snapshot!(name, sorted_rows(&outcome.stderr));
    });
}

/// The text with neighbouring rows of images sorted: they come in the order in which they end.
fn sorted_rows(text: &str) -> String {
    let is_row = |line: &&str| line.starts_with("copied ") || line.starts_with("failed ");
    let lines: Vec<&str> = text.lines().collect();
    let mut sorted = Vec::new();
    for group in lines.chunk_by(|a, b| is_row(a) && is_row(b)) {
        let mut group = group.to_vec();
        if is_row(&group[0]) {
            group.sort_unstable();
        }
        sorted.append(&mut group);
    }
    sorted.join("\n")
}

/// A source with the sound image `one/image:v1`.
fn one_image() -> Faulty {
    Faulty::start(images::stand_ins(&["one/image:v1".to_owned()]))
}

fn mirror_one(airbuoy: &Airbuoy, source: &str, target: &str, more: &str) -> Outcome {
    let command = mirror_only(&["one/image:v1"], source, target).replace("-o json", "");
    airbuoy.run(&format!("{command} {more}"))
}

#[test]
fn a_wrong_password() {
    let options = Options {
        reach: Reach::Login,
        ..Options::new(Kind::Distribution)
    };
    let target = require!(Registry::start(options));
    let airbuoy = Airbuoy::new();
    airbuoy.log_in(&target.host(), USER, "a wrong one");
    let outcome = mirror_one(&airbuoy, &one_image().host(), &target.host(), "").exits(3);
    assert!(!outcome.stderr.contains("a wrong one"));
    assert_said("wrong_password", &airbuoy, &outcome);
}

#[test]
fn no_login_at_all() {
    let options = Options {
        reach: Reach::Login,
        ..Options::new(Kind::Distribution)
    };
    let target = require!(Registry::start(options));
    let airbuoy = Airbuoy::new();
    let outcome = mirror_one(&airbuoy, &one_image().host(), &target.host(), "").exits(3);
    assert_said("no_login", &airbuoy, &outcome);
}

#[test]
fn an_unknown_authority() {
    let options = Options {
        reach: Reach::LoginAndPrivateAuthority,
        ..Options::new(Kind::Distribution)
    };
    let target = require!(Registry::start(options));
    let airbuoy = Airbuoy::new();
    airbuoy.log_in(&target.host(), USER, PASSWORD);
    let outcome = mirror_one(&airbuoy, &one_image().host(), &target.host(), "").exits(3);
    assert_said("unknown_authority", &airbuoy, &outcome);
}

#[test]
fn a_registry_that_is_down() {
    let airbuoy = Airbuoy::new();
    let nobody = format!("127.0.0.1:{}", free_port());
    let outcome = mirror_one(&airbuoy, &one_image().host(), &nobody, "").exits(3);
    assert_said("registry_down", &airbuoy, &outcome);
}

#[test]
fn an_image_that_is_not_there() {
    let target = Faulty::empty();
    let source = one_image();
    let airbuoy = Airbuoy::new();
    let more = format!("--image {HOST}/gone/image:v9");
    let outcome = mirror_one(&airbuoy, &source.host(), &target.host(), &more).exits(3);
    assert_said("image_not_found", &airbuoy, &outcome);
}

#[test]
fn an_account_that_may_only_read() {
    let target = Faulty::empty();
    let denied = r#"{"errors":[{"code":"DENIED","message":"requested access is denied"}]}"#;
    let json = vec![("Content-Type", "application/json".to_owned())];
    target.rule(Rule::new(
        "POST",
        "/uploads/",
        Fault::Answer(403, json, denied),
    ));
    let airbuoy = Airbuoy::new();
    airbuoy.log_in(&target.host(), "robot$ci", "secret");
    let outcome = mirror_one(&airbuoy, &one_image().host(), &target.host(), "").exits(3);
    assert!(!outcome.stderr.contains("secret"));
    assert_said("read_only_account", &airbuoy, &outcome);
}

#[test]
fn a_registry_in_read_only_mode() {
    let target = require!(Registry::start(Options {
        read_only: true,
        ..Options::new(Kind::Distribution)
    }));
    let airbuoy = Airbuoy::new();
    let outcome = mirror_one(&airbuoy, &one_image().host(), &target.host(), "").exits(3);
    assert_said("read_only_registry", &airbuoy, &outcome);
}

#[test]
fn targets_that_are_none() {
    for (name, target) in [
        ("target_with_scheme", "https://registry.example.com/k8s"),
        ("target_with_tag", "registry.example.com/k8s:v1"),
        ("target_with_space", "registry.example.com/k 8s"),
        ("target_upper_case", "registry.example.com/K8s"),
    ] {
        let airbuoy = Airbuoy::new();
        let mut command = airbuoy.command("config");
        command.arg(target).args(["--kubernetes-version", VERSION]);
        let output = command.output().expect("the program starts");
        let outcome = Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        let outcome = outcome.exits(2);
        assert_said(name, &airbuoy, &outcome);
    }
}

#[test]
fn a_version_that_nobody_knows() {
    let airbuoy = Airbuoy::new();
    let outcome = airbuoy.run("images --kubernetes-version v1.99.0").exits(2);
    assert_said("unknown_version", &airbuoy, &outcome);
}

#[test]
fn a_catalogue_that_cannot_be_read() {
    let airbuoy = Airbuoy::new();
    airbuoy.file("lists/1.36.yaml", "registries: [not, a, mapping\n");
    let command = format!("images --kubernetes-version {VERSION} --catalog lists");
    let outcome = airbuoy.run(&command).exits(2);
    assert_said("catalogue_unreadable", &airbuoy, &outcome);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let airbuoy = Airbuoy::new();
    // Permissions do not stop root: a file in the folder's place does.
    airbuoy.file("a-file", "");
    let outcome = airbuoy
        .run(&format!(
            "config registry.example.com/k8s --kubernetes-version {VERSION} --out-dir a-file/out"
        ))
        .exits(4);
    assert_said("out_dir_unwritable", &airbuoy, &outcome);
}
