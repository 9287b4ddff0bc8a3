//! A run that is followed while the cluster changes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airbuoy::cluster::Cluster;
use airbuoy::sonobuoy::{RunEvent, Status, Verdict, WatchEnd, WatchOptions, watch};
use tokio_util::sync::CancellationToken;

use super::{Bench, image};
use crate::support::fake_cluster::{Mood, objects};

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
