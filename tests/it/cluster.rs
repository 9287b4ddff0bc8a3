//! The cluster as the library reads it, with the real `kube` client: from the fake API server, and
//! from places where there is none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use airbuoy::cluster::{Cluster, ClusterError, ClusterOptions, NamespaceState};
use camino::Utf8PathBuf;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::support::fake_cluster::{FakeCluster, Mood, objects, write_kubeconfig};
use crate::support::registry::{free_port, temp_dir};

fn options(kubeconfig: &Path) -> ClusterOptions {
    ClusterOptions {
        kubeconfig: vec![utf8(kubeconfig)],
        timeout: Duration::from_secs(10),
        ..ClusterOptions::default()
    }
}

fn utf8(path: &Path) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(path.to_owned()).expect("UTF-8")
}

async fn connect(fake: &FakeCluster) -> Cluster {
    let folder = temp_dir();
    let kubeconfig = fake.kubeconfig(folder.path());
    Cluster::connect(&options(&kubeconfig))
        .await
        .expect("a cluster")
}

async fn refused(options: &ClusterOptions) -> (ClusterError, String) {
    let Err(error) = Cluster::connect(options).await else {
        panic!("it connected");
    };
    let text = format!("{error}\n{}", error.hint().unwrap_or_default());
    assert!(!text.contains("hunter2"), "{text}");
    (error, text)
}

#[tokio::test]
async fn the_version_is_read_whatever_the_vendor_added() {
    let fake = FakeCluster::start();
    for (told, version) in [
        ("v1.36.3", "v1.36.3"),
        ("v1.26.3-eks-1", "v1.26.3-eks-1"),
        ("v1.31.2+k3s1", "v1.31.2+k3s1"),
    ] {
        told.clone_into(&mut fake.state().version);
        let cluster = connect(&fake).await;
        assert_eq!(cluster.version().to_string(), version);
        assert_eq!(cluster.name(), "fake");
    }
    "latest".clone_into(&mut fake.state().version);
    let folder = temp_dir();
    let (error, _) = refused(&options(&fake.kubeconfig(folder.path()))).await;
    assert!(matches!(error, ClusterError::Answer { .. }), "{error}");
}

#[tokio::test]
async fn nodes_come_in_pages() {
    let fake = FakeCluster::start();
    let names = (0..1100).map(|n| format!("node-{n}"));
    fake.state().nodes = names.map(|name| objects::node(&name, "amd64")).collect();
    let nodes = connect(&fake).await.nodes().await.expect("nodes");
    assert_eq!(nodes.len(), 1100);
    assert!(nodes.iter().all(airbuoy::cluster::Node::schedulable));
    assert_eq!(nodes[1099].platform, "linux/amd64".parse().ok());
    let requests = fake.state().requests.clone();
    let pages = requests
        .iter()
        .filter(|r| r.starts_with("GET /api/v1/nodes?"));
    assert_eq!(pages.count(), 3);
}

#[tokio::test]
async fn namespaces_pods_and_roles_are_seen() {
    let fake = FakeCluster::start();
    let cluster = connect(&fake).await;
    assert_eq!(
        cluster.namespace("sonobuoy").await.expect("an answer"),
        NamespaceState::Absent
    );
    assert_eq!(
        cluster.aggregator("sonobuoy").await.expect("an answer"),
        None
    );
    {
        let mut state = fake.state();
        state.namespaces.push(objects::namespace("sonobuoy"));
        state
            .namespaces
            .push(objects::test_namespace("pods-1", "run-1"));
        state
            .pods
            .push(objects::aggregator("sonobuoy", r#"{"status":"running"}"#));
        let waiting = Some(("ErrImagePull", "not found"));
        state.pods.push(objects::pod(
            "pods-1",
            "p",
            "Pending",
            &[("c", "r.io/x:1", waiting)],
        ));
        state.roles.push(objects::role("sonobuoy"));
        state.roles.push(objects::role("another"));
        state.bindings.push(objects::role("sonobuoy"));
        let mut secret = objects::namespace("pull");
        secret["metadata"]["namespace"] = json!("sonobuoy");
        state.secrets.push(secret);
    }
    let state = cluster.namespace("sonobuoy").await.expect("an answer");
    assert!(matches!(state, NamespaceState::Active { .. }), "{state:?}");
    let aggregator = cluster
        .aggregator("sonobuoy")
        .await
        .expect("an answer")
        .expect("a pod");
    assert_eq!(
        aggregator.annotations["sonobuoy.hept.io/status"],
        r#"{"status":"running"}"#
    );
    let pending = cluster.pending_pods().await.expect("pods");
    assert_eq!(pending.len(), 1);
    let waiting = pending[0].containers[0].waiting.as_ref().expect("it waits");
    assert!(waiting.is_for_image());
    assert_eq!(pending[0].node.as_deref(), Some("node-1"));
    let tests = cluster.test_namespaces().await.expect("namespaces");
    assert_eq!((tests.len(), tests[0].run.as_str()), (1, "run-1"));
    let roles = cluster.run_roles("sonobuoy").await.expect("roles");
    assert_eq!(roles.roles, ["sonobuoy-serviceaccount-sonobuoy"]);
    assert_eq!(cluster.dns_pods().await.expect("pods"), 1);
    assert!(
        cluster
            .has_secret("sonobuoy", "pull")
            .await
            .expect("an answer")
    );
    assert!(
        !cluster
            .has_secret("sonobuoy", "other")
            .await
            .expect("an answer")
    );
}

#[tokio::test]
async fn missing_rights_are_named() {
    let fake = FakeCluster::start();
    let cluster = connect(&fake).await;
    assert_eq!(
        cluster.missing_rights("sonobuoy").await.expect("an answer"),
        []
    );
    fake.state().denied = vec!["create namespaces", "create pods/exec", "* *"];
    let missing = cluster.missing_rights("sonobuoy").await.expect("an answer");
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "create namespaces",
            "create pods/exec",
            "everything on everything (cluster-admin)"
        ]
    );
    fake.state().denied = vec!["list pods everywhere"];
    let error = cluster.pending_pods().await.expect_err("a refusal");
    assert!(error.is_forbidden() && error.hint().is_some(), "{error}");
}

#[tokio::test]
async fn a_log_is_followed_to_its_end() {
    let fake = FakeCluster::start();
    let text = "Will run 3 of 9 specs\n•S•S\n".as_bytes();
    fake.state().log = text.to_vec();
    let cluster = connect(&fake).await;
    let mut log = cluster
        .follow_log("sonobuoy", "e2e", "e2e")
        .await
        .expect("a log");
    let mut read = Vec::new();
    while read.len() < text.len() {
        let piece = log.next().await.expect("no break").expect("no end yet");
        read.extend_from_slice(&piece);
    }
    assert_eq!(read, text);
    fake.state().log_ended = true;
    assert_eq!(log.next().await.expect("no break"), None);
    let asked = "GET /api/v1/namespaces/sonobuoy/pods/e2e/log?&container=e2e&follow=true";
    assert!(fake.was_asked(asked) || fake.was_asked(&asked.replace("?&", "?")));
}

#[tokio::test]
async fn a_user_who_is_not_accepted_is_told_so() {
    let fake = FakeCluster::start();
    let folder = temp_dir();
    let kubeconfig = fake.kubeconfig(folder.path());
    fake.state().mood = Mood::Unauthorized;
    let (error, text) = refused(&options(&kubeconfig)).await;
    assert!(matches!(error, ClusterError::Unauthorized { .. }), "{text}");
    assert!(text.contains("may have expired"), "{text}");
}

#[tokio::test]
async fn a_cluster_out_of_reach_is_named() {
    let folder = temp_dir();
    let server = format!("http://127.0.0.1:{}", free_port());
    let kubeconfig = write_kubeconfig(folder.path(), "k", &json!({ "server": server }));
    let (error, text) = refused(&options(&kubeconfig)).await;
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{text}");
    assert!(
        text.contains(&server) && text.to_lowercase().contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn kubeconfigs_that_cannot_be_used_are_told_apart() {
    let fake = FakeCluster::start();
    let folder = temp_dir();
    let good = fake.kubeconfig(folder.path());
    let missing = folder.path().join("missing");
    let (error, text) = refused(&options(&missing)).await;
    assert!(matches!(error, ClusterError::NoKubeconfig { .. }), "{text}");
    assert!(
        text.contains("missing is not there") && text.contains("--kubeconfig"),
        "{text}"
    );

    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, "users: [hunter2").expect("a writable folder");
    let (_, text) = refused(&options(&garbage)).await;
    assert!(text.contains("garbage: it is no kubeconfig"), "{text}");

    let other = ClusterOptions {
        context: Some("prod".to_owned()),
        ..options(&good)
    };
    let (_, text) = refused(&other).await;
    assert!(
        text.contains("no context `prod`") && text.contains("it has fake"),
        "{text}"
    );

    // As kubectl does with KUBECONFIG: what is not there is skipped.
    let several = ClusterOptions {
        kubeconfig: vec![utf8(&missing), utf8(&good)],
        ..options(&good)
    };
    assert_eq!(
        Cluster::connect(&several).await.expect("a cluster").name(),
        "fake"
    );
}

#[tokio::test]
async fn a_login_program_that_fails_shows_no_output_but_its_last_words() {
    let folder = temp_dir();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "sh", "args": ["-c", "echo hunter2; echo first >&2; echo token expired >&2; exit 3"],
        }}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    let path = folder.path().join("exec");
    std::fs::write(&path, config.to_string()).expect("a writable folder");
    let (error, text) = refused(&options(&path)).await;
    assert!(matches!(error, ClusterError::Login { .. }), "{text}");
    assert!(text.contains("token expired"), "{text}");
}

/// A TLS server on loopback whose certificate expires in `year`; the path of a kubeconfig for it
/// that trusts its authority, or another one.
fn tls_server(folder: &Path, year: i32, trusted: bool) -> PathBuf {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names to refuse");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let authority_pem = authority
        .self_signed(&authority_key)
        .expect("a certificate")
        .pem();
    let other_pem = authority
        .self_signed(&KeyPair::generate().expect("a key"))
        .expect("a certificate")
        .pem();
    let issuer = Issuer::new(authority, authority_key);
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("legal names");
    server.not_before = rcgen::date_time_ymd(2000, 1, 1);
    server.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = server.signed_by(&key, &issuer).expect("a certificate");

    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a matching key");
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket option");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    });
    let ca = folder.join("ca.pem");
    let pem = if trusted { authority_pem } else { other_pem };
    std::fs::write(&ca, pem).expect("a writable folder");
    let cluster = json!({
        "server": format!("https://{address}"), "certificate-authority": ca,
    });
    write_kubeconfig(folder, "tls", &cluster)
}

#[tokio::test]
async fn certificates_that_are_not_accepted_are_told_with_the_remedy() {
    let folder = temp_dir();
    let (error, text) = refused(&options(&tls_server(folder.path(), 2020, true))).await;
    assert!(matches!(error, ClusterError::Certificate { .. }), "{text}");
    assert!(
        text.contains("its certificate has expired") && text.contains("renew"),
        "{text}"
    );
    let (_, text) = refused(&options(&tls_server(folder.path(), 2099, false))).await;
    assert!(text.contains("does not trust"), "{text}");
}
