//! Finding the program, and what it takes and refuses.

use std::time::Duration;

use airbuoy::catalog::Catalog;
use airbuoy::sonobuoy::{Access, Program, ProgramError, RunCommand, sonobuoy_config};
use serde_json::{Value, json};

use super::{Bench, open, utf8};
use crate::support::fake_sonobuoy::FakeSonobuoy;
use crate::support::registry::temp_dir;
use crate::support::skip;

#[tokio::test]
async fn the_program_is_found_and_its_release_checked() {
    let bench = Bench::new();
    let catalog = Catalog::embedded();
    let path = [utf8(temp_dir().path()), utf8(bench.sonobuoy.folder())];
    let found = Program::locate(None, &path, &catalog).expect("in the search path");
    assert_eq!(found, utf8(&bench.sonobuoy.program()));
    let named = Program::locate(Some(&found), &[], &catalog).expect("a path");
    assert_eq!(named, found);
    let program = bench.program().await;
    assert_eq!(program.version(), "v0.57.5");
    assert_eq!(
        program.release().sonobuoy.to_string(),
        "docker.io/sonobuoy/sonobuoy:v0.57.5"
    );

    let nowhere = Program::locate(None, &path[..1], &catalog).expect_err("not there");
    assert_eq!(nowhere.to_string(), "sonobuoy is not in PATH");
    assert!(
        nowhere
            .hint()
            .expect("a hint")
            .contains("install sonobuoy v0.57.5")
    );
    let missing =
        Program::locate(Some("/nowhere/sb".into()), &path, &catalog).expect_err("not there");
    assert_eq!(
        missing.to_string(),
        "--sonobuoy /nowhere/sb: no such program"
    );
}

#[tokio::test]
async fn releases_that_cannot_certify_and_other_programs_are_refused() {
    let catalog = Catalog::embedded();
    for (release, part) in [
        ("v0.53.0", "v0.53.0"),
        ("v0.50.0", "the oldest that can certify"),
        (
            "kubectl",
            "is not sonobuoy: `version --short` says `kubectl`",
        ),
        ("", "is not sonobuoy"),
    ] {
        let fake = FakeSonobuoy::of_release(release);
        let opened = Program::open(utf8(&fake.program()), Access::default(), &catalog);
        let error = opened.await.expect_err(release).to_string();
        assert!(error.contains(part), "{error}");
    }
    let other = Program::open("/bin/false".into(), Access::default(), &catalog).await;
    let error = other.expect_err("no sonobuoy").to_string();
    assert!(error.contains("/bin/false is not sonobuoy"), "{error}");
}

#[tokio::test]
async fn the_command_is_one_that_sonobuoy_takes() {
    let bench = Bench::new();
    let config = bench.dir().join("sonobuoy.json");
    std::fs::write(&config, sonobuoy_config("pull").expect("a name")).expect("a writable folder");
    let login = bench.dir().join("login.json");
    std::fs::write(&login, "{}").expect("a writable folder");
    let command = RunCommand {
        config: Some(config),
        docker_config: Some(login),
        namespace: Some("conf".to_owned()),
        namespace_exists: true,
        passthrough: vec!["--dns-namespace".to_owned(), "dns".to_owned()],
        ..bench.command()
    };
    let program = bench.program().await;
    program.launch(&command).await.expect("it starts");
    let launched = bench.fake.state().launched.clone().expect("it was started");
    let flags = launched.as_array().expect("flags").clone();
    let names: Vec<&str> = flags.iter().filter_map(|flag| flag[0].as_str()).collect();
    assert_eq!(names[0], "config");
    assert!(
        !names.contains(&"kubernetes-version") && !names.contains(&"wait"),
        "{names:?}"
    );
    assert!(flags.contains(&json!([
        "kube-conformance-image",
        "r.io/conformance:v1.36.3"
    ])));
    assert!(flags.contains(&json!(["timeout", "43200"])));
    assert!(bench.fake.was_asked("POST /api/v1/namespaces"));
    let call = bench.sonobuoy.calls().pop().expect("a call");
    assert_eq!(call["args"], json!(command.args()));
    assert_eq!(call["dev_repo"], Value::Null);
}

#[tokio::test]
async fn what_sonobuoy_refuses_is_told_in_one_line() {
    let bench = Bench::new();
    let program = bench.program().await;
    let refused = async |command: RunCommand| {
        let error = program.launch(&command).await.expect_err("a refusal");
        format!("{error}\n{}", error.hint().unwrap_or_default())
    };
    let missing = refused(RunCommand {
        repo_config: "/nowhere/repo.yaml".into(),
        ..bench.command()
    });
    let text = missing.await;
    assert!(
        text.contains("failed (exit 1): invalid argument") && text.contains("no such file"),
        "{text}"
    );
    assert!(!text.contains("Usage:"), "{text}");

    let half = bench.dir().join("repo config.yaml");
    std::fs::write(&half, "").expect("a writable folder");
    let text = refused(RunCommand {
        repo_config: half,
        ..bench.command()
    })
    .await;
    assert!(text.contains("airbuoy clean"), "{text}");

    let text = refused(bench.command()).await;
    assert!(
        text.contains("sonobuoy's preflight: namespace already exists"),
        "{text}"
    );
    assert!(text.contains("airbuoy status"), "{text}");

    let text = refused(RunCommand {
        access: Access {
            kubeconfig: vec!["/nowhere/config".into()],
            ..Access::default()
        },
        ..bench.command()
    })
    .await;
    assert!(text.contains("stat /nowhere/config"), "{text}");
}

#[tokio::test]
async fn several_kubeconfigs_go_by_the_environment() {
    let bench = Bench::new();
    let own = bench.access().kubeconfig;
    let access = Access {
        kubeconfig: vec![own[0].clone(), "/second".into()],
        ..Access::default()
    };
    let program = open(&bench.sonobuoy.program(), access.clone()).await;
    let command = RunCommand {
        access,
        ..bench.command()
    };
    program.launch(&command).await.expect("it starts");
    let call = bench.sonobuoy.calls().pop().expect("a call");
    assert_eq!(call["kubeconfig"], json!(format!("{}:/second", own[0])));
}

#[tokio::test]
async fn the_real_sonobuoy_takes_the_command() {
    let found = skip::named("AIRBUOY_TEST_SONOBUOY");
    let path = skip::require!(found);
    let bench = Bench::new();
    let login = bench.dir().join("login.json");
    std::fs::write(&login, r#"{"auths":{"r.io":{"auth":"dTpw"}}}"#).expect("a writable folder");
    let config = bench.dir().join("sonobuoy.json");
    std::fs::write(&config, sonobuoy_config("pull").expect("a name")).expect("a writable folder");
    let access = Access::default();
    let program = open(&path, access.clone()).await;
    let version = "v1.36.3".parse().expect("a version");
    let command = RunCommand {
        config: Some(config),
        docker_config: Some(login),
        namespace: Some("conf".to_owned()),
        access,
        passthrough: vec!["--image-pull-policy".to_owned(), "Always".to_owned()],
        ..bench.command()
    };
    let args = command.gen_args(&version);
    let made = program
        .run(&args, Duration::from_mins(1))
        .await
        .expect("it is accepted");
    let images = made
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    let images: Vec<&str> = images.collect();
    assert!(images.contains(&"r.io/conformance:v1.36.3"), "{images:?}");
    assert!(
        images.iter().all(|image| image.starts_with("r.io/")),
        "{images:?}"
    );
    assert!(
        made.stdout
            .contains("\"WorkerImage\":\"r.io/sonobuoy/sonobuoy:v0.57.5\"")
    );
    assert!(made.stdout.contains("\"ImagePullSecrets\":\"pull\""));
    assert!(
        !made.stdout.contains("E2E_SKIP"),
        "certified runs skip nothing"
    );
    let wrong = RunCommand {
        passthrough: vec!["--no-such-flag".to_owned()],
        ..command
    };
    let error = program
        .run(&wrong.gen_args(&version), Duration::from_mins(1))
        .await;
    let error = error.expect_err("an unknown flag");
    assert!(
        matches!(&error, ProgramError::Failed { reason, .. } if reason == "unknown flag: --no-such-flag"),
        "{error}"
    );
}
