//! The state of a run, look by look.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::event::{Progress, RunEvent, WatchEnd};
use super::pull::PullTrouble;
use super::state::{Look, RunState, Subject};
use crate::cluster::{ClusterError, Container, NamespaceState, Pod, TestNamespace, Waiting};
use crate::sonobuoy::status::STATUS_ANNOTATION;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn state() -> RunState {
    let subject = Subject {
        namespace: "sonobuoy".to_owned(),
        plan: [
            "r.io/k8s/e2e-test-images/agnhost:2.63.0"
                .parse()
                .expect("a reference"),
            "r.io/k8s/pause:3.10".parse().expect("a reference"),
        ]
        .into(),
        start_patience: Duration::from_mins(1),
        pending_patience: Duration::from_mins(1),
        give_up_after: Duration::from_mins(10),
    };
    RunState::new(subject, at(0))
}

/// Name, image, and reason and message for which it waits.
type Told<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

fn pod(namespace: &str, name: &str, containers: &[Told<'_>]) -> Pod {
    let containers = containers.iter().map(|(name, image, waiting)| Container {
        name: (*name).to_owned(),
        image: (*image).to_owned(),
        waiting: waiting.map(|(reason, message)| Waiting {
            reason: reason.to_owned(),
            message: message.to_owned(),
        }),
        started: waiting.is_none().then(|| at(0)),
    });
    Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        phase: "Running".to_owned(),
        node: Some("node-3".to_owned()),
        containers: containers.collect(),
        created: Some(at(0)),
        ..Pod::default()
    }
}

fn aggregator(status: &str) -> Pod {
    let mut pod = pod(
        "sonobuoy",
        "sonobuoy",
        &[("kube-sonobuoy", "r.io/sonobuoy:v1", None)],
    );
    pod.labels = BTreeMap::from([("sonobuoy-component".to_owned(), "aggregator".to_owned())]);
    if !status.is_empty() {
        pod.annotations
            .insert(STATUS_ANNOTATION.to_owned(), status.to_owned());
    }
    pod
}

fn e2e() -> Pod {
    let mut pod = pod(
        "sonobuoy",
        "sonobuoy-e2e-job-1",
        &[("e2e", "r.io/conformance:v1", None)],
    );
    pod.labels = BTreeMap::from([("sonobuoy-plugin".to_owned(), "e2e".to_owned())]);
    pod
}

fn look(pods: Vec<Pod>) -> Look {
    Look {
        namespace: None,
        pods,
        pending: Vec::new(),
        tests: Vec::new(),
    }
}

fn test_namespace(name: &str) -> TestNamespace {
    TestNamespace {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        run: "run-1".to_owned(),
        framework: "pods".to_owned(),
        created: Some(at(1)),
        terminating: false,
    }
}

fn pulls(events: &[RunEvent]) -> Vec<&PullTrouble> {
    let of = events.iter().filter_map(|event| match event {
        RunEvent::CannotPull(trouble) => Some(trouble),
        _ => None,
    });
    of.collect()
}

#[test]
fn only_images_of_the_plan_are_told_once_a_node() {
    let refused = Some((
        "ErrImagePull",
        "rpc error: pull r.io/k8s/pause:3.10: 401 Unauthorized",
    ));
    let mut look = look(vec![aggregator(r#"{"status":"running"}"#)]);
    look.tests = vec![test_namespace("pods-1")];
    look.pending = vec![
        pod("pods-1", "a", &[("c", "r.io/k8s/pause:3.10", refused)]),
        // The same image on the same node, for another pod.
        pod("pods-1", "b", &[("c", "r.io/k8s/pause:3.10", refused)]),
        // Tests expect this pull to fail.
        pod(
            "pods-1",
            "c",
            &[("c", "invalid.registry.k8s.io/invalid/alpine:3.1", refused)],
        ),
        pod(
            "pods-1",
            "d",
            &[("c", "r.io/k8s/e2e-test-images/redis:nonexistent", refused)],
        ),
        // Nobody's business.
        pod("default", "e", &[("c", "r.io/k8s/pause:3.10", refused)]),
    ];
    let mut state = state();
    let events = state.looked(at(5), &look);
    let told = pulls(&events);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].node.as_str(), told[0].pod.as_str()),
        ("node-3", "pods-1/a")
    );
    assert_eq!(told[0].cause(), "401 Unauthorized");
    assert!(told[0].hint().expect("a hint").contains("login"));
    assert_eq!(pulls(&state.looked(at(10), &look)).len(), 0);
    look.pending[0].node = Some("node-4".to_owned());
    assert_eq!(pulls(&state.looked(at(15), &look)).len(), 1);
}

#[test]
fn pods_without_a_node_are_told_when_no_test_wants_it() {
    let mut own = e2e();
    own.unschedulable = Some("0/3 nodes are available".to_owned());
    let mut test = pod("pods-1", "big", &[]);
    test.unschedulable = Some("insufficient cpu".to_owned());
    let mut look = look(vec![aggregator(""), own]);
    look.tests = vec![test_namespace("pods-1")];
    look.pending = vec![test];
    let mut state = state();
    let names = |events: Vec<RunEvent>| -> Vec<String> {
        let name = |event| match event {
            RunEvent::Unschedulable { pod, .. } => Some(pod),
            _ => None,
        };
        events.into_iter().filter_map(name).collect()
    };
    assert_eq!(
        names(state.looked(at(5), &look)),
        ["sonobuoy/sonobuoy-e2e-job-1"]
    );
    assert_eq!(names(state.looked(at(50), &look)), [""; 0]);
    look.pods[0] = aggregator(r#"{"status":"running"}"#);
    assert_eq!(names(state.looked(at(61), &look)), ["pods-1/big"]);
}

#[test]
fn a_lost_connection_is_no_failed_run() {
    let error = ClusterError::Unreachable {
        server: "https://c".to_owned(),
        reason: "refused".to_owned(),
    };
    let mut state = state();
    state.looked(at(0), &look(vec![aggregator(r#"{"status":"running"}"#)]));
    assert_eq!(state.no_answer(at(5), &error).len(), 1);
    assert_eq!(state.no_answer(at(15), &error), []);
    assert_eq!(state.end(), None);
    let back = state.looked(at(300), &look(vec![aggregator(r#"{"status":"running"}"#)]));
    let after = Duration::from_mins(5);
    assert_eq!(back, [RunEvent::ConnectionBack { after }]);
    state.no_answer(at(899), &error);
    assert_eq!(state.end(), None);
    state.no_answer(at(900), &error);
    assert!(matches!(state.end(), Some(WatchEnd::Lost { .. })));
}

#[test]
fn the_log_read_again_tells_nothing_twice() {
    let mut state = state();
    state.log_opened();
    let begin = "Starting e2e run \"run-1\" on\nWill run 4 of 9 specs\n•S\n• [FAILED] [1.0 seconds]\n[sig-a] fails [It] here\n";
    let first = state.log_piece(at(10), begin.as_bytes());
    assert!(
        first.contains(&RunEvent::TestFailed {
            name: "[sig-a] fails here".to_owned()
        }),
        "{first:?}"
    );
    state.log_opened();
    assert_eq!(state.log_piece(at(11), begin.as_bytes()), []);
    let events = state.log_piece(at(12), "S•S\nTest Suite Failed\n".as_bytes());
    let progress = Progress {
        total: Some(4),
        passed: 2,
        failed: 1,
        ..Progress::default()
    };
    assert_eq!(
        events,
        [
            RunEvent::SuiteEnded { passed: false },
            RunEvent::Progress(progress)
        ]
    );
    // A log whose beginning was rotated away takes nothing back.
    state.log_opened();
    assert_eq!(state.log_piece(at(13), "•S\n".as_bytes()), []);
}

#[test]
fn namespaces_of_tests_count_where_the_log_lags() {
    let mut state = state();
    state.log_opened();
    state.log_piece(
        at(1),
        b"Starting e2e run \"run-1\" on\nWill run 8 of 9 specs\n",
    );
    let mut look = look(vec![aggregator(r#"{"status":"running"}"#), e2e()]);
    look.tests = (0..5).map(|n| test_namespace(&format!("t-{n}"))).collect();
    look.tests[4].run = "another".to_owned();
    let events = state.looked(at(30), &look);
    let Some(RunEvent::Progress(progress)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (progress.begun, progress.about_done(), progress.done()),
        (4, 3, 0)
    );
    assert!(progress.is_estimate());
    // Three in thirty seconds: the other five take fifty.
    assert_eq!(progress.left, Some(Duration::from_secs(50)));
    // A namespace that is gone has been counted.
    look.tests.clear();
    assert_eq!(state.looked(at(35), &look), []);
}

#[test]
fn a_run_ends_in_its_own_way() {
    let over = r#"{"status":"complete","plugins":[{"plugin":"e2e","node":"global","status":"failed","result-status":"failed","result-counts":{"timeout":1}}]}"#;
    let mut ended = state();
    let events = ended.looked(at(5), &look(vec![aggregator(over)]));
    assert!(events.contains(&RunEvent::PluginFailed {
        plugin: "e2e".to_owned(),
        node: "global".to_owned(),
        timed_out: true,
    }));
    assert!(matches!(ended.end(), Some(WatchEnd::Over(_))));

    let mut gone = state();
    gone.looked(at(5), &look(vec![aggregator(r#"{"status":"running"}"#)]));
    let nothing = Look {
        namespace: Some(NamespaceState::Absent),
        ..look(Vec::new())
    };
    gone.looked(at(10), &nothing);
    assert_eq!(
        gone.end(),
        Some(&WatchEnd::Gone {
            what: "namespace sonobuoy".to_owned()
        })
    );

    let mut stopped = state();
    let mut pod = aggregator("");
    pod.phase = "Failed".to_owned();
    stopped.looked(at(5), &look(vec![pod]));
    assert_eq!(
        stopped.end(),
        Some(&WatchEnd::Stopped {
            phase: "Failed".to_owned()
        })
    );

    let mut never = state();
    never.looked(at(59), &nothing);
    assert_eq!(never.end(), None);
    never.looked(at(60), &nothing);
    assert!(matches!(never.end(), Some(WatchEnd::NotStarted { .. })));
}

#[test]
fn an_aggregator_that_cannot_be_pulled_is_told_at_once_and_given_up_later() {
    let mut pod = aggregator("");
    pod.phase = "Pending".to_owned();
    pod.containers[0].waiting = Some(Waiting {
        reason: "ErrImagePull".to_owned(),
        message: "failed to resolve reference \"r.io/sonobuoy:v1\": r.io/sonobuoy:v1: not found"
            .to_owned(),
    });
    let mut state = state();
    let events = state.looked(at(2), &look(vec![pod.clone()]));
    assert_eq!(pulls(&events).len(), 1);
    assert_eq!(state.end(), None);
    state.looked(at(60), &look(vec![pod]));
    let Some(WatchEnd::NotStarted { reason, hint }) = state.end() else {
        panic!("{:?}", state.end());
    };
    assert_eq!(reason, "node-3 cannot pull r.io/sonobuoy:v1: not found");
    assert!(hint.as_deref().expect("a hint").contains("mirror it"));
}

#[test]
fn what_may_not_be_seen_is_told_once() {
    let error = ClusterError::Forbidden {
        action: "list pods".to_owned(),
        message: "no".to_owned(),
    };
    let mut state = state();
    assert_eq!(state.limited(&error).len(), 1);
    assert_eq!(state.limited(&error).len(), 0);
}
