//! Each fact and what is said about it.

use super::*;
use crate::catalog::Catalog;
use crate::cluster::{NamespaceState, Node, RunRoles, Taint};
use crate::sonobuoy::command::Mode;
use crate::sonobuoy::status::Status;

fn node(name: &str, platform: &str) -> Node {
    Node {
        name: name.to_owned(),
        platform: platform.parse().ok(),
        ready: true,
        cordoned: false,
        taints: Vec::new(),
    }
}

fn cluster() -> ClusterFacts {
    ClusterFacts {
        name: "prod-a".to_owned(),
        version: "v1.36.3+k3s1".parse().expect("a version"),
        nodes: Ok(vec![
            node("a", "linux/arm64"),
            node("b", "linux/amd64"),
            node("c", "linux/amd64"),
        ]),
        missing_rights: Ok(Vec::new()),
        namespace: Ok(NamespaceFacts {
            state: NamespaceState::Absent,
            aggregator: None,
            roles: RunRoles::default(),
            has_pull_secret: None,
        }),
        dns_pods: Ok(2),
    }
}

fn facts() -> PreflightFacts {
    let catalog = Catalog::embedded();
    PreflightFacts {
        mode: Mode::CertifiedConformance,
        namespace: "sonobuoy".to_owned(),
        sonobuoy: Ok(catalog.sonobuoy(None).expect("a default")),
        cluster: Ok(cluster()),
        given: None,
        window: Window {
            oldest: "1.34".parse().expect("a minor"),
            newest: "1.36".parse().expect("a minor"),
            as_of: "2026-11-23".to_owned(),
        },
        images: ImageFacts::Checked {
            total: 44,
            platforms: vec!["linux/amd64".parse().expect("a platform")],
            missing: Vec::new(),
        },
        credentials: CredentialFacts {
            host: "r.io".to_owned(),
            ..CredentialFacts::default()
        },
        dns_is_settled: false,
    }
}

fn with(change: impl FnOnce(&mut ClusterFacts)) -> PreflightFacts {
    let mut changed = cluster();
    change(&mut changed);
    PreflightFacts {
        cluster: Ok(changed),
        ..facts()
    }
}

/// The findings that are not fine, as `Grade: text`.
fn complaints(facts: &PreflightFacts) -> Vec<String> {
    let found = judge(facts).into_iter().filter(|f| f.grade != Grade::Ok);
    found
        .map(|f| format!("{:?}: {}", f.grade, f.text))
        .collect()
}

fn active() -> NamespaceState {
    NamespaceState::Active {
        labels: std::collections::BTreeMap::new(),
        created: None,
    }
}

fn there(change: impl FnOnce(&mut NamespaceFacts)) -> PreflightFacts {
    with(|cluster| {
        let mut namespace = cluster.namespace.clone().expect("known");
        namespace.state = active();
        change(&mut namespace);
        cluster.namespace = Ok(namespace);
    })
}

#[test]
fn a_good_cluster_has_nothing_but_good_news() {
    let found = judge(&facts());
    let texts: Vec<&str> = found.iter().map(|f| f.text.as_str()).collect();
    assert!(found.iter().all(|f| f.grade == Grade::Ok), "{found:?}");
    assert_eq!(
        texts,
        [
            "sonobuoy v0.57.5",
            "v1.36 can be certified (window v1.34 to v1.36, as of this catalogue, 2026-11-23)",
            "cluster prod-a: Kubernetes v1.36.3+k3s1, 3 of 3 nodes ready (2 linux/amd64, 1 linux/arm64)",
            "44 images present for linux/amd64",
        ]
    );
}

#[test]
fn everything_is_told_at_once() {
    let mut bad = with(|cluster| {
        let mut nodes = cluster.nodes.clone().expect("known");
        nodes[0].ready = false;
        nodes[1].cordoned = true;
        cluster.nodes = Ok(nodes);
        cluster.missing_rights = Ok(vec![crate::cluster::Right {
            verb: "create",
            group: "",
            resource: "namespaces",
            in_namespace: false,
        }]);
        cluster.dns_pods = Ok(0);
    });
    bad.sonobuoy = Err(Problem {
        text: "sonobuoy is not in PATH".to_owned(),
        hint: None,
    });
    bad.given = Some("v1.35.1".parse().expect("a version"));
    bad.credentials.wants_login = true;
    bad.images = ImageFacts::Checked {
        total: 44,
        platforms: vec!["linux/arm64".parse().expect("a platform")],
        missing: vec!["agnhost:2.63.0: no linux/arm64".to_owned()],
    };
    let said = complaints(&bad);
    for part in [
        "Fail: sonobuoy is not in PATH",
        "Fail: the cluster runs v1.36.3+k3s1, not v1.35.1",
        "Warn: conformance wants at least two schedulable nodes: 1 is (a is not ready; b is cordoned)",
        "Fail: you may not: create namespaces",
        "Fail: sonobuoy finds no DNS pods",
        "Fail: 1 of 44 images cannot be used on linux/arm64:\nagnhost:2.63.0: no linux/arm64",
        "Warn: r.io wants a login and the pods of the run have none",
    ] {
        assert!(
            said.iter().any(|s| s.starts_with(part)),
            "{part}: {said:#?}"
        );
    }
    assert_eq!(said.len(), 7, "{said:#?}");
}

#[test]
fn a_tainted_node_is_named() {
    let facts = with(|cluster| {
        let mut nodes = cluster.nodes.clone().expect("known");
        nodes[0].taints.push(Taint {
            key: "dedicated".to_owned(),
            value: Some("gpu".to_owned()),
            effect: "NoSchedule".to_owned(),
        });
        cluster.nodes = Ok(nodes);
    });
    assert_eq!(
        complaints(&facts),
        ["Warn: a is tainted dedicated=gpu:NoSchedule; 2 others are schedulable"]
    );
}

#[test]
fn an_existing_namespace_is_described() {
    let running = Status::parse(r#"{"status":"running"}"#);
    let over = Status::parse(r#"{"status":"complete"}"#);
    for (facts, part) in [
        (there(|_| {}), "is there already"),
        (
            there(|n| n.roles.roles.push("r".to_owned())),
            "holds what is left of a run",
        ),
        (
            there(|n| n.aggregator = Some(("Running".to_owned(), running))),
            "holds a run in progress (running)",
        ),
        (
            there(|n| n.aggregator = Some(("Running".to_owned(), over))),
            "holds a finished run",
        ),
        (
            there(|n| n.aggregator = Some(("Pending".to_owned(), None))),
            "holds a run whose aggregator is Pending",
        ),
        (
            there(|n| {
                n.state = NamespaceState::Terminating {
                    held_by: "finalizers".to_owned(),
                }
            }),
            "is being deleted: finalizers",
        ),
    ] {
        let said = complaints(&facts);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("Fail: namespace sonobuoy") && said[0].contains(part),
            "{said:?}"
        );
    }
}

#[test]
fn a_pull_secret_must_be_there_before_the_run() {
    let mut ready = there(|n| n.has_pull_secret = Some(true));
    ready.credentials.pull_secret = Some("pull".to_owned());
    assert_eq!(complaints(&ready), [""; 0]);
    ready.credentials.wants_login = true;
    assert_eq!(
        complaints(&ready),
        ["Warn: r.io wants a login and the pods that tests make have none"]
    );
    let mut missing = facts();
    missing.credentials.pull_secret = Some("pull".to_owned());
    assert_eq!(
        complaints(&missing),
        ["Fail: there is no pull secret pull in namespace sonobuoy"]
    );
    // With a docker config sonobuoy makes it, and the namespace with it.
    missing.credentials.docker_config = true;
    let said = complaints(&missing);
    assert!(said.len() == 1 && said[0].contains("in clear"), "{said:?}");
}

#[test]
fn versions_and_the_window_are_compared() {
    let mut facts = facts();
    facts.given = Some("1.36".parse().expect("a version"));
    assert_eq!(complaints(&facts), [""; 0]);
    facts.given = Some("v1.36.1".parse().expect("a version"));
    assert_eq!(
        complaints(&facts),
        ["Warn: the cluster runs v1.36.3+k3s1, the tests are those of v1.36.1"]
    );
    facts.given = None;
    facts.mode = Mode::Quick;
    assert_eq!(complaints(&facts), ["Warn: mode quick cannot be certified"]);
    let old = with(|cluster| cluster.version = "v1.33.9".parse().expect("a version"));
    assert!(complaints(&old)[0].starts_with("Warn: v1.33 cannot be certified (window"));
    assert!(Window::of(&Catalog::embedded()).holds(&Catalog::embedded().newest()));
}

#[test]
fn a_cluster_out_of_reach_does_not_hide_the_rest() {
    let mut facts = facts();
    facts.cluster = Err(Problem {
        text: "cannot reach the cluster".to_owned(),
        hint: Some("is it up?".to_owned()),
    });
    facts.images = ImageFacts::NotChecked("the nodes are not known".to_owned());
    let found = judge(&facts);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[1].hint.as_deref(), Some("is it up?"));
}

#[test]
fn only_linux_nodes_need_images() {
    let nodes = [
        node("a", "windows/amd64"),
        node("b", "linux/arm64"),
        node("c", "linux/arm64"),
        node("d", "nonsense"),
    ];
    let names: Vec<String> = linux_platforms(&nodes)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["linux/arm64"]);
}
