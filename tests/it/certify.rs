//! `airbuoy run`, `status` and `clean`: the whole way with a real registry, a scripted cluster and
//! a stand-in for sonobuoy that is as strict as the real one.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::serve::Served;
use crate::support::airbuoy::{Airbuoy, Outcome};
use crate::support::content::digest_of;
use crate::support::fake_cluster::{FakeCluster, objects};
use crate::support::fake_sonobuoy::FakeSonobuoy;
use crate::support::images::{self, VERSION};
use crate::support::push::push;
use crate::support::registry::{Kind, Options, PASSWORD, Reach, Registry, USER};
use crate::support::run::{PRODUCT, Run};
use crate::support::skip::require;

const TARBALL: &str = "202611231204_sonobuoy_0a1b.tar.gz";

/// A site: a registry of its own, a cluster, sonobuoy; and an upstream that stands for the
/// internet.
struct Site {
    airbuoy: Airbuoy,
    cluster: Arc<FakeCluster>,
    sonobuoy: FakeSonobuoy,
    target: Registry,
    upstream: Registry,
    mirrors: String,
}

impl Site {
    fn new(reach: Reach) -> Result<Self, String> {
        let upstream = Registry::distribution()?;
        let references = images::pullable("--conformance-only");
        push(&images::stand_ins(&references), &upstream.host());
        let mirrors = images::mirrors(&references, "http://", &upstream.host());
        let airbuoy = Airbuoy::new();
        let cluster = Arc::new(FakeCluster::start());
        cluster.kubeconfig(airbuoy.home());
        let options = Options {
            reach,
            ..Options::new(Kind::Distribution)
        };
        Ok(Self {
            airbuoy,
            cluster,
            sonobuoy: FakeSonobuoy::new(),
            target: Registry::start(options)?,
            upstream,
            mirrors,
        })
    }

    fn to(&self) -> String {
        format!("{}/k8s", self.target.host())
    }

    /// Runs `airbuoy WORDS` against the cluster, with sonobuoy in PATH.
    fn run(&self, words: &str) -> Outcome {
        let path = std::env::var("PATH").expect("a PATH");
        let mut command: Command = self
            .airbuoy
            .command(&format!("{words} --kubeconfig kubeconfig"));
        command.env(
            "PATH",
            format!("{}:{path}", self.sonobuoy.folder().display()),
        );
        let output = assert_cmd::Command::from_std(command)
            .timeout(Duration::from_mins(2))
            .output()
            .expect("the program starts and ends in time");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Types a command of the README, where `mirrors` stands for the internet.
    fn types(&self, command: &str, mirrors: &str) {
        let mirrors: Vec<&str> = mirrors
            .split_whitespace()
            .filter(|word| *word != "--source-mirror")
            .collect();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_airbuoy"));
        let program = program.parent().expect("a folder").display();
        let path = std::env::var("PATH").expect("a PATH");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(self.airbuoy.home())
            .env_clear();
        if !mirrors.is_empty() {
            shell.env("AIRBUOY_SOURCE_MIRROR", mirrors.join(","));
        }
        let output = shell
            .env("HOME", self.airbuoy.home())
            .env(
                "PATH",
                format!("{program}:{}:{path}", self.sonobuoy.folder().display()),
            )
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{said}");
    }

    /// Lets the run end with these results as soon as it has begun.
    fn will_bring(&self, run: &Run, passed: bool) -> Ending {
        self.cluster_will_bring(&self.cluster, run, passed)
    }

    fn cluster_will_bring(&self, cluster: &Arc<FakeCluster>, run: &Run, passed: bool) -> Ending {
        let bytes = run.gzip();
        let path = self.airbuoy.file("at-the-aggregator/results.tar.gz", "");
        std::fs::write(&path, &bytes).expect("a writable folder");
        self.sonobuoy.brings(TARBALL, &path, &[]);
        let result = if passed { "passed" } else { "failed" };
        let status = serde_json::json!({
            "plugins": [{"plugin": "e2e", "node": "global", "status": "complete",
                "result-status": result, "result-counts": {result: 446}}],
            "status": "complete",
            "tar-info": {"name": TARBALL, "created": "2026-11-23T12:04:00Z",
                "sha256": digest_of(&bytes).trim_start_matches("sha256:"), "size": bytes.len()},
        });
        Ending::start(cluster.clone(), status.to_string())
    }
}

/// Ends the run in the background.
struct Ending {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ending {
    fn start(cluster: Arc<FakeCluster>, status: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut state = cluster.state();
                if state.launched.is_some() {
                    state
                        .pods
                        .retain(|pod| pod["metadata"]["name"] != "sonobuoy");
                    state.pods.push(objects::aggregator("sonobuoy", &status));
                    return;
                }
                drop(state);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn from_nothing_to_a_submission() {
    let site = require!(Site::new(Reach::Plain));
    site.airbuoy
        .run(&format!(
            "rehearse {} --kubernetes-version {VERSION}",
            site.to()
        ))
        .exits(0);
    let _ending = site.will_bring(&Run::certified(0), true);
    let ran = site.run(&format!(
        "run {} --mirror --conformance-only{}",
        site.to(),
        site.mirrors
    ));
    let ran = ran.exits(0);
    for said in [
        "✓ sonobuoy v0.57.5",
        "Mirrored 14 images",
        "14 images present for linux/amd64, linux/arm64",
        "Started: sonobuoy run --mode=certified-conformance --sonobuoy-image",
        "446 passed, 0 failed",
        "(sha256 checked)",
        "Next: airbuoy submission 202611231204_sonobuoy_0a1b.tar.gz",
    ] {
        assert!(ran.stderr.contains(said), "{said:?}:\n{}", ran.stderr);
    }
    for name in ["custom-repo-config.yaml", "sonobuoy-run.sh", TARBALL] {
        assert!(site.airbuoy.home().join(name).is_file(), "{name}");
    }

    let judged = site
        .airbuoy
        .run(&format!("results {TARBALL} -o json"))
        .exits(0)
        .json();
    assert_eq!(judged["verdict"], "passed");
    site.airbuoy.file("product.yaml", PRODUCT);
    site.airbuoy
        .run(&format!("submission {TARBALL} --from product.yaml"))
        .exits(0);
    assert!(
        site.airbuoy
            .home()
            .join("v1.36/turbo-encabulator/junit_01.xml")
            .is_file()
    );
}

#[test]
fn a_failing_test_is_named_and_makes_no_submission() {
    let site = require!(Site::new(Reach::Plain));
    let _ending = site.will_bring(&Run::certified(1), false);
    let ran = site.run(&format!(
        "run {} --mirror --conformance-only{}",
        site.to(),
        site.mirrors
    ));
    let ran = ran.exits(1);
    assert!(
        ran.stderr.contains("445 passed, 1 failed"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("  FAILED [sig-"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("Next: airbuoy results "),
        "{}",
        ran.stderr
    );
    site.airbuoy.file("product.yaml", PRODUCT);
    site.airbuoy
        .run(&format!("submission {TARBALL} --from product.yaml"))
        .exits(1);
    assert!(!site.airbuoy.home().join("v1.36").exists());
}

#[test]
fn what_is_not_at_the_target_is_found_before_anything_is_created() {
    let site = require!(Site::new(Reach::Plain));
    let ran = site.run(&format!("run {}", site.to())).exits(3);
    let missing = format!("\n      {}/pause:3.10.2: ", site.to());
    assert!(ran.stderr.contains(&missing), "{}", ran.stderr);
    assert!(ran.stderr.contains("agnhost"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("Nothing was started."),
        "{}",
        ran.stderr
    );
    assert!(site.cluster.state().launched.is_none());
    assert!(!site.cluster.was_asked("POST /api/v1/namespaces"));
    assert!(!site.airbuoy.home().join("sonobuoy-run.sh").exists());
}

#[test]
fn a_registry_with_a_login_is_told_of_before_the_start() {
    let site = require!(Site::new(Reach::Login));
    site.airbuoy.log_in(&site.target.host(), USER, PASSWORD);
    let login = std::fs::read(site.airbuoy.home().join(".docker/config.json")).expect("a login");
    std::fs::write(site.airbuoy.home().join("pull.json"), login).expect("a writable home");
    let run = format!(
        "run {} --mirror --conformance-only{} --detach",
        site.to(),
        site.mirrors
    );

    let given = site
        .run(&format!("{run} --e2e-docker-config-file pull.json"))
        .exits(0);
    assert!(
        given.stderr.contains("in clear into ConfigMaps"),
        "{}",
        given.stderr
    );
    assert!(!given.stderr.contains(PASSWORD));
    let launched = site
        .cluster
        .state()
        .launched
        .clone()
        .expect("it was started");
    assert!(
        launched.to_string().contains("e2e-docker-config-file"),
        "{launched}"
    );

    let running = site.run("status -o json").exits(0).json();
    assert_eq!(running["format"], 1);
    let refused = site.run(&format!("run {}", site.to())).exits(5);
    assert!(
        refused.stderr.contains("airbuoy clean"),
        "{}",
        refused.stderr
    );

    let asked = site.run("clean").exits(2);
    assert!(
        asked.stderr.contains("namespace sonobuoy"),
        "{}",
        asked.stderr
    );
    assert!(
        asked.stderr.contains("Nothing was deleted"),
        "{}",
        asked.stderr
    );
    site.run("clean --yes").exits(0);
    assert!(
        !site.cluster.state().deleted_all,
        "other runs keep their roles"
    );
    let gone = site.run("status").exits(5);
    assert!(gone.stderr.contains("there is no run"), "{}", gone.stderr);
}

#[test]
fn a_login_for_other_hosts_is_refused_and_so_are_flags_that_override_ours() {
    let site = require!(Site::new(Reach::Plain));
    site.airbuoy.log_in("elsewhere.example.com", USER, PASSWORD);
    let file = ".docker/config.json";
    let run = format!("run {} --dry-run --kubernetes-version {VERSION}", site.to());
    let refused = site
        .run(&format!("{run} --e2e-docker-config-file {file}"))
        .exits(2);
    assert!(
        refused.stderr.contains("elsewhere.example.com"),
        "{}",
        refused.stderr
    );
    let refused = site
        .airbuoy
        .run(&format!("{run} -- --sonobuoy-image x"))
        .exits(2);
    assert!(
        refused.stderr.contains("--sonobuoy-image"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_dry_run_with_a_version_contacts_nobody_and_prints_one_line() {
    let airbuoy = Airbuoy::new();
    let command = format!("run 127.0.0.1:1/k8s --dry-run --kubernetes-version {VERSION}");
    let ran = airbuoy.run(&command).exits(0);
    assert_eq!(
        ran.stdout,
        "sonobuoy run --mode=certified-conformance \
         --sonobuoy-image 127.0.0.1:1/k8s/sonobuoy/sonobuoy:v0.57.5 \
         --systemd-logs-image 127.0.0.1:1/k8s/sonobuoy/systemd-logs:v0.4 \
         --kube-conformance-image 127.0.0.1:1/k8s/conformance:v1.36.3 \
         --e2e-repo-config custom-repo-config.yaml --timeout=43200\n"
    );
    let script = std::fs::read_to_string(airbuoy.home().join("sonobuoy-run.sh")).expect("a script");
    assert!(
        script.contains("--e2e-repo-config custom-repo-config.yaml"),
        "{script}"
    );

    let with = format!("{command} --image-pull-secret airgap --namespace sb --out-dir out");
    let line = airbuoy.run(&with).exits(0).stdout;
    assert!(
        line.starts_with("sonobuoy run --config out/sonobuoy.json --mode="),
        "{line}"
    );
    assert!(line.contains("--namespace sb"), "{line}");
    let config = std::fs::read_to_string(airbuoy.home().join("out/sonobuoy.json")).expect("a file");
    assert!(
        config.contains("\"ImagePullSecrets\": \"airgap\""),
        "{config}"
    );
}

#[test]
fn without_a_cluster_or_sonobuoy_everything_that_is_wrong_is_told_at_once() {
    let airbuoy = Airbuoy::new();
    let mut command = airbuoy.command("run 127.0.0.1:1/k8s --kubeconfig nowhere");
    command.env("PATH", "/nonexistent");
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("✗ sonobuoy is not in PATH"), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    assert!(said.contains("Nothing was started."), "{said}");
}

/// The commands in the `sh` blocks of a chapter, one a line.
fn commands(readme: &str, chapter: &str) -> Vec<String> {
    let text = readme.split_once(chapter).expect("the chapter").1;
    let text = text.split("\n## ").next().expect("the chapter's text");
    let mut commands = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block
            .split("```")
            .next()
            .expect("a block")
            .replace("\\\n", " ");
        commands.extend(block.lines().map(str::to_owned));
    }
    commands
}

#[test]
fn the_readmes_three_minors_become_three_submissions() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = [
        ("README.md", "\n## From nothing to a submission\n"),
        ("README.zh-CN.md", "\n## 从零到提交\n"),
    ];
    let [english, chinese] = chapters.map(|(file, chapter)| {
        commands(
            &std::fs::read_to_string(root.join(file)).expect("a README"),
            chapter,
        )
    });
    assert_eq!(english, chinese);
    assert_eq!(english.len(), 7);

    let site = require!(Site::new(Reach::Plain));
    let versions = [
        ("1.35", "v1.35.4"),
        ("1.36", "v1.36.3"),
        ("1.37", "v1.37.2"),
    ];
    let named = versions
        .map(|(_, version)| format!(" --kubernetes-version {version}"))
        .concat();
    let listed = site
        .airbuoy
        .run(&format!("images -o name --conformance-only{named}"))
        .exits(0);
    let references: Vec<String> = listed.stdout.lines().map(str::to_owned).collect();
    push(&images::stand_ins(&references), &site.upstream.host());
    site.airbuoy.file("product.yaml", PRODUCT);
    let clusters: Vec<Arc<FakeCluster>> = versions
        .iter()
        .map(|(minor, version)| {
            let cluster = FakeCluster::start();
            (*version).clone_into(&mut cluster.state().version);
            let config = cluster.kubeconfig(site.airbuoy.home());
            let name = site.airbuoy.home().join(format!("cluster-{minor}"));
            std::fs::rename(config, name).expect("a writable home");
            Arc::new(cluster)
        })
        .collect();

    let mirrors = images::mirrors(&references, "http://", &site.upstream.host());
    for command in &english {
        let run = versions.iter().position(|(minor, _)| {
            command.starts_with("airbuoy run") && command.contains(&format!("cluster-{minor}"))
        });
        let _ending = run.map(|at| {
            let (minor, version) = versions[at];
            let results = Run::certified_of(minor, 0).of_version(version);
            site.cluster_will_bring(&clusters[at], &results, true)
        });
        let command = command.replace("registry.example.com/k8s", &site.to());
        site.types(&command, &mirrors);
    }
    for (minor, _) in versions {
        let folder = site
            .airbuoy
            .home()
            .join(format!("v{minor}/turbo-encabulator"));
        let files = std::fs::read_dir(folder).expect("a submission").count();
        assert_eq!(files, 4, "{minor}");
    }
}

#[test]
fn the_readme_crosses_the_gap_and_does_without_a_registry() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect("a README");
    let (english, chinese) = (read("README.md"), read("README.zh-CN.md"));
    let across = commands(&english, "\n## Across an air gap\n");
    let without = commands(&english, "\n## No registry at all\n");
    assert_eq!(across, commands(&chinese, "\n## 跨越网络隔离\n"));
    assert_eq!(without, commands(&chinese, "\n## 没有任何仓库\n"));
    assert_eq!((across.len(), without.len()), (3, 3));

    let site = require!(Site::new(Reach::Plain));
    let references = images::pullable("");
    push(&images::stand_ins(&references), &site.upstream.host());
    let mirrors = images::mirrors(&references, "http://", &site.upstream.host());
    for command in across {
        let command = command.replace("registry.example.com/k8s", &site.to());
        site.types(&command, &mirrors);
    }
    assert!(site.airbuoy.home().join("custom-repo-config.yaml").exists());

    let home = site.airbuoy.home();
    std::fs::create_dir(home.join(".kube")).expect("a folder");
    std::fs::rename(home.join("kubeconfig"), home.join(".kube/config")).expect("renamed");
    let serve = without[0].strip_prefix("airbuoy serve ").expect("serve");
    let serve = serve.replace("10.0.0.5:5000", "127.0.0.1:0");
    let served = Served::start(&site.airbuoy, &serve);
    let _ending = site.will_bring(&Run::certified(0), true);
    for command in &without[1..] {
        // From here on nothing but the bundle is there.
        site.types(&command.replace("10.0.0.5:5000", &served.host()), "");
    }
    let certs = home.join("nodes/containerd/certs.d/registry.k8s.io/hosts.toml");
    assert!(certs.exists());
    let (code, _) = served.stop();
    assert_eq!(code, Some(0));
}
