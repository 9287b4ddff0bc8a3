//! Ctrl-C at moments when only the cluster is waited for: it ends with 130 and says what goes on.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::airbuoy::{Airbuoy, Outcome};
use crate::support::fake_cluster::{FakeCluster, objects, write_kubeconfig};
use crate::support::fake_sonobuoy::FakeSonobuoy;

fn start(airbuoy: &Airbuoy, words: &str) -> Child {
    let sonobuoy = FakeSonobuoy::new();
    let mut command = airbuoy.command(&format!("{words} --kubeconfig kubeconfig --sonobuoy"));
    command.arg(sonobuoy.program());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    // Its folder must outlive the run.
    std::mem::forget(sonobuoy);
    child
}

fn interrupted(mut child: Child) -> Outcome {
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("its end").is_none() {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("its words");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The first connection, which comes within seconds.
fn asked(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("a socket");
    let deadline = Instant::now() + Duration::from_secs(20);
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "nobody asks: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    stream.set_nonblocking(false).expect("a socket");
    stream
}

#[test]
fn a_cluster_that_does_not_answer_can_be_left() {
    for (words, said) in [
        ("status --watch", "Stopped before the run was looked at."),
        ("run 127.0.0.1:1/k8s", "Stopped: nothing was started."),
    ] {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = silent.local_addr().expect("its address");
        let airbuoy = Airbuoy::new();
        let cluster = json!({"server": format!("http://{address}")});
        write_kubeconfig(airbuoy.home(), "kubeconfig", &cluster);
        let run = start(&airbuoy, words);
        let mut asked = asked(&silent);
        asked.read_exact(&mut [0; 3]).expect("its beginning");
        let outcome = interrupted(run).exits(130);
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn a_run_that_is_followed_goes_on() {
    let cluster = FakeCluster::start();
    let airbuoy = Airbuoy::new();
    cluster.kubeconfig(airbuoy.home());
    cluster
        .state()
        .pods
        .push(objects::aggregator("sonobuoy", r#"{"status":"running"}"#));
    let run = start(&airbuoy, "status --watch");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !cluster.was_asked("GET /api/v1/namespaces/sonobuoy/pods") {
        assert!(Instant::now() < deadline, "the cluster is not asked");
        std::thread::sleep(Duration::from_millis(2));
    }
    let outcome = interrupted(run).exits(130);
    let said = "The run goes on. To come back: airbuoy status --watch";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}
