//! What is removed, and what is not.

use std::time::Duration;

use airbuoy::sonobuoy::{CleanOptions, CleanPlan};
use serde_json::{Value, json};

use super::Bench;
use crate::support::fake_cluster::objects;

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
