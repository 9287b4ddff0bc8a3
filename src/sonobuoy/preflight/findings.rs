//! What the facts mean for the run.

use super::facts::{
    ClusterFacts, CredentialFacts, ImageFacts, NamespaceFacts, PreflightFacts, Problem, Window,
    linux_platforms,
};
use crate::cluster::{NamespaceState, Node, Right};
use crate::kube_version::KubeVersion;
use crate::sonobuoy::command::Mode;
use crate::sonobuoy::docker_config::DOCKER_CONFIG_WARNING;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Worth knowing; the run can start.
    Warn,
    /// The run would fail, or be worth nothing.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// One sentence.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Everything that is to be said before a run starts, in a fixed order.
pub fn judge(facts: &PreflightFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    sonobuoy(facts, &mut found);
    match &facts.cluster {
        Err(problem) => found.push(failed(problem)),
        Ok(cluster) => {
            version(facts, cluster, &mut found);
            window(facts, &cluster.version, &mut found);
            nodes(cluster, &mut found);
            rights(cluster, &mut found);
            namespace(facts, cluster, &mut found);
            dns(facts, cluster, &mut found);
        }
    }
    images(&facts.images, &mut found);
    credentials(&facts.credentials, &mut found);
    found
}

fn sonobuoy(facts: &PreflightFacts, found: &mut Vec<Finding>) {
    match &facts.sonobuoy {
        Err(problem) => found.push(failed(problem)),
        Ok(release) => {
            found.push(ok(format!("sonobuoy {}", release.version)));
            found.extend(
                release
                    .notices
                    .iter()
                    .map(|notice| warn(notice.clone(), None)),
            );
        }
    }
}

fn version(facts: &PreflightFacts, cluster: &ClusterFacts, found: &mut Vec<Finding>) {
    let has = cluster.version.without_vendor_suffix();
    let Some(given) = &facts.given else {
        return;
    };
    let (given_minor, has_minor) = (given.minor_name(), has.minor_name());
    if given_minor != has_minor {
        let text = format!("the cluster runs {}, not {given}", cluster.version);
        let hint = format!(
            "tests of {given_minor} say nothing about a cluster of {has_minor}: leave --kubernetes-version out to use the cluster's own"
        );
        found.push(if facts.mode == Mode::CertifiedConformance {
            fail(text, Some(hint))
        } else {
            warn(text, Some(hint))
        });
    } else if given.patch().is_some() && given.without_vendor_suffix() != has {
        let text = format!(
            "the cluster runs {}, the tests are those of {given}",
            cluster.version
        );
        found.push(warn(text, None));
    }
}

fn window(facts: &PreflightFacts, version: &KubeVersion, found: &mut Vec<Finding>) {
    if facts.mode != Mode::CertifiedConformance {
        let text = format!("mode {} cannot be certified", facts.mode.as_str());
        found.push(warn(text, None));
        return;
    }
    let Window {
        oldest,
        newest,
        as_of,
    } = &facts.window;
    let minor = KubeVersion::minor_release(version.major(), version.minor());
    let window = format!("window {oldest} to {newest}, as of this catalogue, {as_of}");
    found.push(if facts.window.holds(version) {
        ok(format!("{minor} can be certified ({window})"))
    } else {
        let hint = "the tests can run all the same; look up the current window before you submit";
        warn(
            format!("{minor} cannot be certified ({window})"),
            Some(hint.to_owned()),
        )
    });
}

fn nodes(cluster: &ClusterFacts, found: &mut Vec<Finding>) {
    let name = format!("cluster {}: Kubernetes {}", cluster.name, cluster.version);
    let nodes = match &cluster.nodes {
        Ok(nodes) => nodes,
        Err(problem) => {
            found.push(ok(name));
            found.push(failed(problem));
            return;
        }
    };
    let ready = nodes.iter().filter(|node| node.ready).count();
    let kinds: Vec<String> = kinds(nodes)
        .into_iter()
        .map(|(platform, count)| format!("{count} {platform}"))
        .collect();
    let all = nodes.len();
    found.push(ok(format!(
        "{name}, {ready} of {all} nodes ready ({})",
        kinds.join(", ")
    )));
    let away: Vec<String> = nodes.iter().filter_map(why_away).collect();
    let schedulable = nodes.iter().filter(|node| node.schedulable()).count();
    let linux = linux_platforms(nodes);
    if linux.is_empty() {
        found.push(fail(
            "no node runs Linux, and conformance tests need it".to_owned(),
            None,
        ));
    } else if schedulable < 2 {
        let mut text = format!("conformance wants at least two schedulable nodes: {schedulable}");
        text.push_str(if schedulable == 1 { " is" } else { " are" });
        if !away.is_empty() {
            text = format!("{text} ({})", away.join("; "));
        }
        let hint = "tests that spread pods over nodes will fail or be skipped: uncordon or untaint nodes, or add one";
        found.push(warn(text, Some(hint.to_owned())));
    } else if !away.is_empty() {
        found.push(warn(
            format!("{}; {schedulable} others are schedulable", away.join("; ")),
            None,
        ));
    }
}

/// Platforms and how many nodes have each, the most frequent first.
fn kinds(nodes: &[Node]) -> Vec<(String, usize)> {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for node in nodes {
        let name = node
            .platform
            .as_ref()
            .map_or_else(|| "of an unknown platform".to_owned(), ToString::to_string);
        match kinds.iter_mut().find(|(kind, _)| *kind == name) {
            Some((_, count)) => *count += 1,
            None => kinds.push((name, 1)),
        }
    }
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    kinds
}

fn why_away(node: &Node) -> Option<String> {
    let name = &node.name;
    if !node.ready {
        return Some(format!("{name} is not ready"));
    }
    if node.cordoned {
        return Some(format!("{name} is cordoned"));
    }
    let taint = node.taints.iter().find(|taint| taint.repels())?;
    Some(format!("{name} is tainted {taint}"))
}

fn rights(cluster: &ClusterFacts, found: &mut Vec<Finding>) {
    match &cluster.missing_rights {
        Err(problem) => found.push(warn(
            format!("your rights are not known: {}", problem.text),
            problem.hint.clone(),
        )),
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => {
            let names: Vec<String> = missing.iter().map(Right::to_string).collect();
            let text = format!("you may not: {}", names.join(", "));
            let hint =
                "a conformance run needs cluster-admin; use the kubeconfig of an administrator";
            found.push(fail(text, Some(hint.to_owned())));
        }
    }
}

fn namespace(facts: &PreflightFacts, cluster: &ClusterFacts, found: &mut Vec<Finding>) {
    let name = &facts.namespace;
    let there = match &cluster.namespace {
        Ok(there) => there,
        Err(problem) => {
            found.push(warn(
                format!("namespace {name}: {}", problem.text),
                problem.hint.clone(),
            ));
            return;
        }
    };
    let own_secret = facts.credentials.needs_secret_beforehand();
    let clean =
        format!("see it with `airbuoy status -n {name}`, remove it with `airbuoy clean -n {name}`");
    match (&there.state, own_secret) {
        (NamespaceState::Terminating { held_by }, _) => {
            let held = if held_by.is_empty() {
                String::new()
            } else {
                format!(": {held_by}")
            };
            let hint = "wait until it is gone";
            found.push(fail(
                format!("namespace {name} is being deleted{held}"),
                Some(hint.to_owned()),
            ));
        }
        (NamespaceState::Active { .. }, _) if there.aggregator.is_some() => {
            found.push(fail(
                format!("namespace {name} holds {}", describe(there)),
                Some(clean),
            ));
        }
        (NamespaceState::Active { .. }, None) => {
            let what = if there.has_roles() {
                " and holds what is left of a run"
            } else {
                ""
            };
            found.push(fail(
                format!("namespace {name} is there already{what}"),
                Some(clean),
            ));
        }
        (NamespaceState::Active { .. }, Some(secret)) if there.has_pull_secret == Some(true) => {
            found.push(ok(format!(
                "namespace {name} holds the pull secret {secret}"
            )));
        }
        (_, Some(secret)) => {
            let host = &facts.credentials.host;
            let hint = format!(
                "create it beforehand: kubectl create namespace {name}; kubectl -n {name} create secret docker-registry {secret} --docker-server={host} --docker-username=… --docker-password=…; or give --e2e-docker-config-file, then sonobuoy makes it"
            );
            found.push(fail(
                format!("there is no pull secret {secret} in namespace {name}"),
                Some(hint),
            ));
        }
        (NamespaceState::Absent, None) => {}
    }
    if there.state == NamespaceState::Absent && there.has_roles() {
        let names = [
            there.roles.roles.as_slice(),
            there.roles.bindings.as_slice(),
        ]
        .concat();
        let text = format!(
            "cluster roles of an earlier run are left: {}",
            names.join(", ")
        );
        found.push(fail(
            text,
            Some(format!("remove them with `airbuoy clean -n {name}`")),
        ));
    }
}

/// What the aggregator in a namespace is doing.
fn describe(there: &NamespaceFacts) -> String {
    let status = there
        .aggregator
        .as_ref()
        .and_then(|(_, status)| status.as_ref());
    match (status, &there.aggregator) {
        (Some(status), _) if status.is_over() => "a finished run".to_owned(),
        (Some(status), _) if !status.status.is_empty() => {
            format!("a run in progress ({})", status.status)
        }
        (_, Some((phase, _))) => format!("a run whose aggregator is {phase}"),
        _ => "no run".to_owned(),
    }
}

fn dns(facts: &PreflightFacts, cluster: &ClusterFacts, found: &mut Vec<Finding>) {
    if facts.dns_is_settled || cluster.dns_pods != Ok(0) {
        return;
    }
    let hint = "name them: -- --dns-namespace NS --dns-pod-labels K=V, or skip the check: -- --skip-preflight=dnscheck";
    found.push(fail(
        "sonobuoy finds no DNS pods (k8s-app=kube-dns or coredns in kube-system) and would refuse"
            .to_owned(),
        Some(hint.to_owned()),
    ));
}

fn images(images: &ImageFacts, found: &mut Vec<Finding>) {
    match images {
        ImageFacts::NotChecked(why) => found.push(warn(format!("images not checked: {why}"), None)),
        ImageFacts::Checked {
            total,
            platforms,
            missing,
        } => {
            let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            if missing.is_empty() {
                found.push(ok(format!("{total} images present for {names}")));
                return;
            }
            let text = format!(
                "{} of {total} images cannot be used on {names}:\n{}",
                missing.len(),
                missing.join("\n")
            );
            let hint = "mirror them first: the same command with --mirror";
            found.push(fail(text, Some(hint.to_owned())));
        }
    }
}

fn credentials(credentials: &CredentialFacts, found: &mut Vec<Finding>) {
    let host = &credentials.host;
    if credentials.docker_config {
        found.push(warn(DOCKER_CONFIG_WARNING.to_owned(), None));
    } else if credentials.wants_login {
        let who = match &credentials.pull_secret {
            None => "the pods of the run have none",
            Some(_) => "the pods that tests make have none",
        };
        let hint = "give --e2e-docker-config-file FILE (Kubernetes 1.27 and newer), or be sure that every node has the login itself";
        found.push(warn(
            format!("{host} wants a login and {who}"),
            Some(hint.to_owned()),
        ));
    }
}

impl CredentialFacts {
    /// The secret that must be there before the run: with a docker config sonobuoy makes it.
    pub fn needs_secret_beforehand(&self) -> Option<&str> {
        self.pull_secret.as_deref().filter(|_| !self.docker_config)
    }
}

impl NamespaceFacts {
    fn has_roles(&self) -> bool {
        !self.roles.roles.is_empty() || !self.roles.bindings.is_empty()
    }
}

fn ok(text: String) -> Finding {
    Finding {
        grade: Grade::Ok,
        text,
        hint: None,
    }
}

fn warn(text: String, hint: Option<String>) -> Finding {
    Finding {
        grade: Grade::Warn,
        text,
        hint,
    }
}

fn fail(text: String, hint: Option<String>) -> Finding {
    Finding {
        grade: Grade::Fail,
        text,
        hint,
    }
}

fn failed(problem: &Problem) -> Finding {
    fail(problem.text.clone(), problem.hint.clone())
}
