//! Sonobuoy as the library drives it: the strict stand-in, with the fake API server behind it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airbuoy::catalog::Catalog;
use airbuoy::cluster::{Cluster, ClusterOptions};
use airbuoy::oci::Reference;
use airbuoy::sonobuoy::preflight::{
    ClusterFacts, CredentialFacts, Grade, ImageFacts, PreflightFacts, Window, judge,
    linux_platforms,
};
use airbuoy::sonobuoy::{
    Access, CleanOptions, CleanPlan, Mode, Program, ProgramError, RetrieveError, RetrieveOptions,
    RunCommand, RunEvent, Status, TarInfo, Verdict, WatchEnd, WatchOptions, sonobuoy_config, watch,
};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::fake_cluster::{FakeCluster, Mood, objects};
use crate::support::fake_sonobuoy::FakeSonobuoy;
use crate::support::registry::temp_dir;
use crate::support::skip;

/// A cluster, a sonobuoy and a folder.
struct Bench {
    fake: FakeCluster,
    sonobuoy: FakeSonobuoy,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            fake: FakeCluster::start(),
            sonobuoy: FakeSonobuoy::new(),
            folder: temp_dir(),
        }
    }

    fn dir(&self) -> Utf8PathBuf {
        utf8(self.folder.path())
    }

    fn access(&self) -> Access {
        Access {
            kubeconfig: vec![utf8(&self.fake.kubeconfig(self.folder.path()))],
            ..Access::default()
        }
    }

    async fn program(&self) -> Program {
        open(&self.sonobuoy.program(), self.access()).await
    }

    async fn cluster(&self) -> Cluster {
        let options = ClusterOptions {
            kubeconfig: self.access().kubeconfig,
            timeout: Duration::from_secs(5),
            ..ClusterOptions::default()
        };
        Cluster::connect(&options).await.expect("a cluster")
    }

    fn command(&self) -> RunCommand {
        let repo_config = self.dir().join("custom-repo-config.yaml");
        std::fs::write(&repo_config, "gcRegistry: r.io\n").expect("a writable folder");
        RunCommand {
            program: "sonobuoy".to_owned(),
            config: None,
            mode: Mode::CertifiedConformance,
            sonobuoy_image: image("r.io/sonobuoy/sonobuoy:v0.57.5"),
            systemd_logs_image: image("r.io/sonobuoy/systemd-logs:v0.4"),
            conformance_image: image("r.io/conformance:v1.36.3"),
            repo_config,
            docker_config: None,
            timeout: Duration::from_hours(12),
            namespace: None,
            namespace_exists: false,
            access: self.access(),
            passthrough: Vec::new(),
        }
    }

    /// Sets the annotation of the aggregator.
    fn status(&self, status: &str) {
        let mut state = self.fake.state();
        state
            .pods
            .retain(|pod| pod["metadata"]["name"] != "sonobuoy");
        state.pods.push(objects::aggregator("sonobuoy", status));
    }
}

fn utf8(path: &Path) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(path.to_owned()).expect("UTF-8")
}

async fn open(path: &Path, access: Access) -> Program {
    let opened = Program::open(utf8(path), access, &Catalog::embedded()).await;
    opened.expect("a sonobuoy that can certify")
}

fn image(text: &str) -> Reference {
    text.parse().expect("a reference")
}

fn watch_options() -> WatchOptions {
    WatchOptions {
        interval: Duration::from_millis(15),
        longest_pause: Duration::from_millis(60),
        start_patience: Duration::from_secs(20),
        give_up_after: Duration::from_secs(20),
        ..WatchOptions::new(
            "sonobuoy",
            HashSet::from([image("r.io/e2e-test-images/agnhost:2.63.0")]),
        )
    }
}

/// A run that is followed in the background.
struct Followed {
    events: Arc<Mutex<Vec<RunEvent>>>,
    stop: CancellationToken,
    end: tokio::task::JoinHandle<WatchEnd>,
}

impl Followed {
    fn start(cluster: Cluster, options: WatchOptions) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (heard, stop) = (Arc::clone(&events), CancellationToken::new());
        let stopped = stop.clone();
        let end = tokio::spawn(async move {
            let observe = |event| heard.lock().expect("no panic").push(event);
            watch(&cluster, &options, &stopped, observe).await
        });
        Self { events, stop, end }
    }

    /// Waits until an event is there that is as wanted.
    async fn until(&self, wanted: impl Fn(&RunEvent) -> bool) {
        for _ in 0..2000 {
            if self.events.lock().expect("no panic").iter().any(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not told: {:#?}", self.events.lock().expect("no panic"));
    }

    async fn end(self) -> (WatchEnd, Vec<RunEvent>) {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.end).await;
        let end = ended.expect("it ends").expect("no panic");
        let events = self.events.lock().expect("no panic").clone();
        (end, events)
    }
}

fn failed(name: &str) -> RunEvent {
    let name = name.to_owned();
    RunEvent::TestFailed { name }
}

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
async fn a_recorded_run_is_followed_to_its_end() {
    let bench = Bench::new();
    let program = bench.program().await;
    program.launch(&bench.command()).await.expect("it starts");
    let followed = Followed::start(bench.cluster().await, watch_options());
    followed
        .until(|event| matches!(event, RunEvent::Waiting { .. }))
        .await;
    bench.fake.state().pods.push(objects::e2e("sonobuoy"));
    let log = "Starting e2e run \"run-1\" on\nWill run 6 of 8 specs\n••••S•\n";
    bench.fake.state().log = log.as_bytes().to_vec();
    let recorded = objects::recorded_statuses("pass");
    for status in &recorded {
        bench.status(status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (end, events) = followed.end().await;
    let WatchEnd::Over(status) = end else {
        panic!("{end:?}");
    };
    assert_eq!(status.verdict(), Some(Verdict::Passed));
    let tarball = status.tarball.expect("results");
    assert!(
        tarball.size > 0 && tarball.sha256.len() == 64,
        "{tarball:?}"
    );
    let stages: Vec<&RunEvent> = events
        .iter()
        .filter(|e| matches!(e, RunEvent::Stage(_)))
        .collect();
    let stage = |word: &str| RunEvent::Stage(word.to_owned());
    assert_eq!(
        stages,
        [
            &stage("running"),
            &stage("post-processing"),
            &stage("complete")
        ]
    );
    let counted = events.iter().rev().find_map(|event| match event {
        RunEvent::Progress(progress) => Some((progress.passed, progress.total)),
        _ => None,
    });
    assert_eq!(counted, Some((5, Some(6))));
}

#[tokio::test]
async fn every_recorded_end_has_its_verdict() {
    for (run, verdict) in [
        ("pass", Verdict::Passed),
        ("timeout", Verdict::TimedOut),
        ("crash", Verdict::NotRun),
    ] {
        let statuses = objects::recorded_statuses(run);
        let last = statuses.last().expect("recorded");
        let status = Status::parse(last).expect("JSON");
        assert_eq!(status.verdict(), Some(verdict), "{run}");
        // No earlier answer claims an end.
        for earlier in &statuses[..statuses.len() - 1] {
            assert!(
                !Status::parse(earlier).expect("JSON").is_over(),
                "{earlier}"
            );
        }
    }
}

#[tokio::test]
async fn failures_and_images_are_told_while_it_runs() {
    let bench = Bench::new();
    bench.status(r#"{"status":"running"}"#);
    {
        let mut state = bench.fake.state();
        state.namespaces.push(objects::namespace("sonobuoy"));
        state.pods.push(objects::e2e("sonobuoy"));
        state.log = b"Starting e2e run \"run-1\" on\nWill run 4 of 9 specs\n".to_vec();
    }
    let followed = Followed::start(bench.cluster().await, watch_options());
    followed
        .until(|event| matches!(event, RunEvent::Progress(p) if p.total == Some(4)))
        .await;
    let block = "S•S\n---\n• [FAILED] [1.0 seconds]\n[sig-a] fails [It] here\n---\n";
    bench.fake.state().log.extend_from_slice(block.as_bytes());
    followed
        .until(|event| *event == failed("[sig-a] fails here"))
        .await;

    // A log that breaks is read again, and nothing is told twice.
    bench.fake.state().log_cuts += 1;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let more = "• [FAILED] [1.0 seconds]\n[sig-b] too [It] there\n---\n•\n";
    bench.fake.state().log.extend_from_slice(more.as_bytes());
    followed
        .until(|event| *event == failed("[sig-b] too there"))
        .await;

    let planned = "r.io/e2e-test-images/agnhost:2.63.0";
    let refused = Some(("ErrImagePull", "401 Unauthorized"));
    {
        let mut state = bench.fake.state();
        state
            .namespaces
            .push(objects::test_namespace("pods-1", "run-1"));
        for (name, image) in [("a", planned), ("b", "invalid.io/x:1")] {
            let pod = objects::pod("pods-1", name, "Pending", &[("c", image, refused)]);
            state.pods.push(pod);
        }
    }
    followed
        .until(|event| matches!(event, RunEvent::CannotPull(t) if t.image == planned))
        .await;
    bench
        .fake
        .state()
        .log
        .extend_from_slice(b"Test Suite Failed\n");
    followed
        .until(|event| *event == RunEvent::SuiteEnded { passed: false })
        .await;
    bench.status(r#"{"status":"complete","plugins":[{"plugin":"e2e","status":"complete","result-status":"failed"}]}"#);
    let (end, events) = followed.end().await;
    let WatchEnd::Over(status) = end else {
        panic!("{end:?}");
    };
    assert_eq!(status.verdict(), Some(Verdict::Failed));
    let failures = events
        .iter()
        .filter(|e| matches!(e, RunEvent::TestFailed { .. }))
        .count();
    let pulls = events
        .iter()
        .filter(|e| matches!(e, RunEvent::CannotPull(_)))
        .count();
    assert_eq!((failures, pulls), (2, 1), "{events:#?}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_waited_for() {
    let bench = Bench::new();
    bench.status(r#"{"status":"running"}"#);
    let followed = Followed::start(bench.cluster().await, watch_options());
    followed
        .until(|event| matches!(event, RunEvent::Stage(_)))
        .await;
    bench.fake.state().mood = Mood::Broken;
    followed
        .until(|event| matches!(event, RunEvent::ConnectionLost { .. }))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.fake.state().mood = Mood::Normal;
    followed
        .until(|event| matches!(event, RunEvent::ConnectionBack { .. }))
        .await;
    bench.status(
        &objects::recorded_statuses("timeout")
            .pop()
            .expect("recorded"),
    );
    let (end, events) = followed.end().await;
    let WatchEnd::Over(status) = end else {
        panic!("{end:?}");
    };
    assert_eq!(status.verdict(), Some(Verdict::TimedOut));
    let timed_out = |event: &&RunEvent| {
        matches!(
            event,
            RunEvent::PluginFailed {
                timed_out: true,
                ..
            }
        )
    };
    assert_eq!(events.iter().filter(timed_out).count(), 1);
}

#[tokio::test]
async fn whoever_stops_following_leaves_the_run_alone() {
    let bench = Bench::new();
    bench.status(r#"{"status":"running"}"#);
    bench.fake.state().denied = vec!["list pods everywhere"];
    let followed = Followed::start(bench.cluster().await, watch_options());
    followed
        .until(|event| matches!(event, RunEvent::Limited { .. }))
        .await;
    followed
        .until(|event| matches!(event, RunEvent::Stage(_)))
        .await;
    followed.stop.cancel();
    let (end, _) = followed.end().await;
    assert_eq!(end, WatchEnd::Detached);
    let requests = bench.fake.state().requests.clone();
    assert!(
        requests.iter().all(|request| request.starts_with("GET ")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_run_that_is_removed_is_gone_and_not_failed() {
    let bench = Bench::new();
    bench.status(r#"{"status":"running"}"#);
    let followed = Followed::start(bench.cluster().await, watch_options());
    followed
        .until(|event| matches!(event, RunEvent::Stage(_)))
        .await;
    bench.fake.state().pods.clear();
    let (end, _) = followed.end().await;
    let what = "namespace sonobuoy".to_owned();
    assert_eq!(end, WatchEnd::Gone { what });
}

/// Results of some kind, and what the aggregator would tell about them.
fn results(folder: &Utf8Path) -> (Utf8PathBuf, TarInfo) {
    let content: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let path = folder.join("at-the-aggregator");
    std::fs::write(&path, &content).expect("a writable folder");
    let digest = Sha256::digest(&content);
    let told = TarInfo {
        name: "202611231204_sonobuoy_0a1b.tar.gz".to_owned(),
        sha256: format!("{:x}", bytes::Bytes::copy_from_slice(&digest)),
        size: content.len() as u64,
    };
    (path, told)
}

fn retrieve_options(dir: &Utf8Path) -> RetrieveOptions {
    RetrieveOptions {
        attempts: 5,
        pause: Duration::from_millis(5),
        ..RetrieveOptions::new("sonobuoy", dir)
    }
}

#[tokio::test]
async fn results_arrive_whole_after_several_tries() {
    let bench = Bench::new();
    let (path, told) = results(&bench.dir());
    let failures = ["slow/retrieve-at-once", "slow/retrieve", "cut"];
    bench
        .sonobuoy
        .brings(&told.name, path.as_std_path(), &failures);
    let program = bench.program().await;
    let home = temp_dir();
    let dir = utf8(home.path());
    let tries = Mutex::new(Vec::new());
    let failed = |reason: &str, _| tries.lock().expect("no panic").push(reason.to_owned());
    let brought = program
        .retrieve(&told, &retrieve_options(&dir), failed)
        .await;
    let brought = brought.expect("results");
    assert_eq!(brought.path, dir.join(&told.name));
    assert!(brought.checked && brought.sha256 == told.sha256);
    assert_eq!(
        std::fs::read(&brought.path).expect("a file"),
        std::fs::read(&path).expect("a file")
    );
    let tries = tries.into_inner().expect("no panic");
    assert_eq!(tries[0], "error retrieving results: EOF");
    assert!(tries[2].contains("100000 of 200000 bytes"), "{tries:?}");
    let left: Vec<_> = dir.read_dir_utf8().expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn results_that_do_not_match_get_no_name() {
    let bench = Bench::new();
    let (path, told) = results(&bench.dir());
    bench.sonobuoy.brings(&told.name, path.as_std_path(), &[]);
    let program = bench.program().await;
    let home = temp_dir();
    let dir = utf8(home.path());
    let other = TarInfo {
        sha256: "0".repeat(64),
        ..told.clone()
    };
    let error = program
        .retrieve(&other, &retrieve_options(&dir), |_, _| {})
        .await;
    let error = error.expect_err("another digest");
    assert!(
        matches!(error, RetrieveError::GaveUp { attempts: 5, .. }),
        "{error}"
    );
    assert!(
        error
            .hint()
            .expect("a hint")
            .contains("still in the cluster")
    );
    assert_eq!(dir.read_dir_utf8().expect("a folder").count(), 0);

    let hostile = TarInfo {
        name: "../x".to_owned(),
        ..told
    };
    let error = program
        .retrieve(&hostile, &retrieve_options(&dir), |_, _| {})
        .await;
    assert!(matches!(error, Err(RetrieveError::Name(_))));
}

fn clean_options() -> CleanOptions {
    CleanOptions {
        limit: Duration::from_secs(20),
        interval: Duration::from_millis(5),
    }
}

#[tokio::test]
async fn a_run_is_removed_and_no_other() {
    let bench = Bench::new();
    let program = bench.program().await;
    program.launch(&bench.command()).await.expect("it starts");
    bench.status(r#"{"status":"running"}"#);
    {
        let mut state = bench.fake.state();
        state.roles.push(objects::role("another"));
        state
            .pods
            .push(objects::aggregator("another", r#"{"status":"running"}"#));
        state
            .namespaces
            .push(objects::test_namespace("pods-1", "run-1"));
        state
            .namespaces
            .push(objects::test_namespace("pods-2", "run-1"));
        state.lingering = 3;
    }
    let cluster = bench.cluster().await;
    let plan = CleanPlan::look(&cluster, "sonobuoy", true)
        .await
        .expect("a plan");
    assert_eq!(
        plan.lines(),
        [
            "namespace sonobuoy (1 pod)",
            "cluster role sonobuoy-serviceaccount-sonobuoy",
            "cluster role binding sonobuoy-serviceaccount-sonobuoy",
            "namespace pods-1 (left by a test, pods)",
            "namespace pods-2 (left by a test, pods)",
        ]
    );
    assert!(plan.is_running());
    assert_eq!(plan.other_runs, ["another"]);
    // Of the same name, but another one by now: not ours to remove.
    bench
        .fake
        .state()
        .namespaces
        .iter_mut()
        .for_each(|namespace| {
            if namespace["metadata"]["name"] == "pods-2" {
                namespace["metadata"]["uid"] = json!("another");
            }
        });
    let done = plan.carry_out(&program, &cluster, clean_options()).await;
    done.expect("everything of the plan is gone");
    let plan = CleanPlan::look(&cluster, "sonobuoy", false)
        .await
        .expect("a plan");
    assert!(plan.is_empty(), "{plan:?}");
    assert!(!bench.fake.state().deleted_all);
    assert_eq!(bench.fake.state().roles, [objects::role("another")]);
    let names: Vec<Value> = bench
        .fake
        .state()
        .namespaces
        .iter()
        .map(|n| n["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["kube-system", "pods-2"]);
    let delete = bench.sonobuoy.calls().pop().expect("a call");
    assert_eq!(
        [&delete["args"][0], &delete["args"][1]],
        ["delete", "--wait=1"]
    );
}

#[tokio::test]
async fn a_namespace_with_other_work_is_not_removed() {
    let bench = Bench::new();
    {
        let mut state = bench.fake.state();
        state.namespaces.push(objects::namespace("shop"));
        state.pods.push(objects::pod("shop", "web", "Running", &[]));
    }
    let cluster = bench.cluster().await;
    let error = CleanPlan::look(&cluster, "shop", false)
        .await
        .expect_err("no run");
    assert_eq!(
        error.to_string(),
        "namespace shop is not sonobuoy's: 1 pods are in it and no run"
    );
    let nothing = CleanPlan::look(&cluster, "sonobuoy", true)
        .await
        .expect("a plan");
    assert!(nothing.is_empty() && nothing.lines().is_empty());
}

#[tokio::test]
async fn the_preflight_reads_a_real_answer() {
    let bench = Bench::new();
    bench.fake.state().denied = vec!["create clusterroles"];
    let cluster = bench.cluster().await;
    let told = ClusterFacts::gather(&cluster, "sonobuoy", None).await;
    let platforms = linux_platforms(told.nodes.as_ref().expect("nodes"));
    let catalog = Catalog::embedded();
    let facts = PreflightFacts {
        mode: Mode::CertifiedConformance,
        namespace: "sonobuoy".to_owned(),
        sonobuoy: Ok(bench.program().await.release().clone()),
        cluster: Ok(told),
        given: None,
        window: Window::of(&catalog),
        images: ImageFacts::Checked {
            total: 44,
            platforms,
            missing: Vec::new(),
        },
        credentials: CredentialFacts::default(),
        dns_is_settled: false,
    };
    let found = judge(&facts);
    let bad: Vec<&str> = found
        .iter()
        .filter(|f| f.grade != Grade::Ok)
        .map(|f| f.text.as_str())
        .collect();
    assert_eq!(bad, ["you may not: create clusterroles"]);
    assert!(found.iter().any(|f| {
        f.text
            .ends_with("2 of 2 nodes ready (1 linux/amd64, 1 linux/arm64)")
    }));
    assert!(
        found
            .iter()
            .any(|f| f.text == "44 images present for linux/amd64, linux/arm64")
    );
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
