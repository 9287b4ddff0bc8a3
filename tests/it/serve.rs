//! `airbuoy serve`: nodes and other tools pull from a bundle, over TLS and with a login, and a
//! signal changes or ends it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::bundle_pull::{numbered, pull};
use crate::support::airbuoy::Airbuoy;
use crate::support::faulty::Faulty;
use crate::support::http::Connection;
use crate::support::images::{HOST, VERSION};
use crate::support::peers::Peers;
use crate::support::registry::{PASSWORD, USER};
use crate::support::skip::require;

/// `htpasswd -Bbn -C 4 ci 'correct horse'`.
pub(crate) const HTPASSWD: &str =
    "ci:$2y$04$12lyV8uMZ.eY1mKwATvB9u1myNJPNkBJvp5dVdtpO30FmWBCSVX3u\n";

/// A running `airbuoy serve`; killed when dropped.
pub(crate) struct Served {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Served {
    pub(crate) fn start(airbuoy: &Airbuoy, words: &str) -> Self {
        Self::of(airbuoy.command(&format!("serve {words}")))
    }

    fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (child.stderr.take().expect("piped"), said.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                *heard.lock().expect("sound") += &(line + "\n");
            }
        });
        let served = Self { child, said };
        served.says("Next: ");
        served
    }

    fn text(&self) -> String {
        self.said.lock().expect("sound").clone()
    }

    fn says(&self, part: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.text().contains(part) {
            assert!(Instant::now() < deadline, "no {part:?}: {}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        let text = self.text();
        let line = text.lines().find(|line| line.starts_with("Listening at "));
        let (_, host) = line.expect("an address").rsplit_once('/').expect("a URL");
        host.to_owned()
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
    }

    /// Stops it; its exit code and standard output.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        let mut out = String::new();
        let stdout = self.child.stdout.as_mut().expect("piped");
        stdout.read_to_string(&mut out).expect("UTF-8");
        (status.code(), out)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home with `set.tar`, `set` and the volumes `cut.tar` of one image.
fn bundles(source: &Faulty) -> Airbuoy {
    let airbuoy = Airbuoy::new();
    let tar = pull(&["image/1:v1"], &source.host(), "set.tar");
    airbuoy.run(&tar).exits(0);
    airbuoy.run(&tar.replace("set.tar", "set")).exits(0);
    let cut = tar.replace("set.tar", "cut.tar") + " --split-size 30KB";
    airbuoy.run(&cut).exits(0);
    airbuoy
}

#[test]
fn other_tools_pull_from_every_form_and_airbuoy_mirrors_from_it() {
    let peers = require!(Peers::find());
    let content = numbered(&[1]);
    let expected = content.repositories["image/1"].tags["v1"].clone();
    let source = Faulty::start(content);
    let airbuoy = bundles(&source);
    for bundle in ["set.tar", "set", "cut.tar"] {
        let served = Served::start(
            &airbuoy,
            &format!("{bundle} --listen 127.0.0.1:0 --prefix k8s"),
        );
        let host = served.host();
        let reference = format!("{host}/k8s/image/1:v1");
        assert_eq!(peers.digest(&reference), expected, "{bundle}");
        let config = format!("Next: airbuoy config {host}/k8s --kubernetes-version {VERSION}");
        served.says(&config);

        let target = Faulty::empty();
        let mirror = pull(&["image/1:v1"], &source.host(), &target.host())
            .replacen("pull", "mirror", 1)
            .replace(
                &format!("{HOST}=http://{}", source.host()),
                &format!("{HOST}=http://{host}/k8s"),
            );
        airbuoy.run(&mirror).exits(0);
        assert!(target.tags().contains(&"image/1:v1".to_owned()));
        let (code, _) = served.stop();
        assert_eq!(code, Some(0));
    }
}

#[test]
fn a_login_and_a_made_certificate_protect_it_and_outlive_a_restart() {
    let peers = require!(Peers::find());
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = bundles(&source);
    airbuoy.file("users", HTPASSWD);
    let flags = "set.tar --listen 127.0.0.1:0 --tls-self-signed --tls-ca-out ca.pem \
                 --htpasswd users --access-log -";
    let served = Served::start(&airbuoy, flags);
    served.says("Made a certificate");
    served.says("1 user may pull");
    served.says("--nodes --nodes-ca ca.pem");
    let text = served.text();
    let (_, config) = text.split_once("Next: airbuoy ").expect("a next step");
    airbuoy.run(config.trim()).exits(0);
    let own = format!(
        "nodes/containerd/certs.d/{}_/hosts.toml",
        served.host().replace(':', "_")
    );
    assert!(airbuoy.home().join(own).is_file(), "{config}");
    let ca = airbuoy.home().join("ca.pem");
    let authority = fs::read(&ca).expect("an authority");
    let reference = format!("{}/image/1:v1", served.host());
    let trusted = peers.trusting(ca.clone()).logged_in(USER, PASSWORD);
    assert!(!trusted.raw(&reference).is_empty());
    let (code, log) = served.stop();
    assert_eq!(code, Some(0));
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let manifest = lines.iter().find(|line| line["path"] == "manifest");
    assert_eq!(manifest.expect("a pull")["user"], USER, "{log}");
    assert!(!log.contains(PASSWORD));

    let served = Served::start(&airbuoy, flags);
    served.says("Using the certificate of the last time");
    assert!(fs::read(&ca).expect("there") == authority);
    // The logins change at a signal; a file that is no good changes nothing.
    airbuoy.file("users", "ci:plain\n");
    served.signal("HUP");
    served.says("The logins are what was there before: --htpasswd ");
    let reference = format!("{}/image/1:v1", served.host());
    assert!(!trusted.raw(&reference).is_empty());
    airbuoy.file("users", HTPASSWD);
    served.signal("HUP");
    served.says("The logins are read again.");
    served.says("The certificate is read again.");
}

#[test]
fn what_others_can_reach_unprotected_is_said_aloud() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = bundles(&source);
    let served = Served::start(&airbuoy, "set.tar --listen 0.0.0.0:0");
    let text = served.text();
    for part in [
        "--tls-self-signed",
        "--htpasswd",
        "http://127.0.0.1:",
        "read-only",
    ] {
        assert!(text.contains(part), "{text}");
    }
    drop(served);
    let served = Served::start(&airbuoy, "set.tar --listen 127.0.0.1:0");
    assert!(!served.text().contains("warning"), "{}", served.text());
}

#[test]
fn a_delta_is_served_with_its_base() {
    let peers = require!(Peers::find());
    let content = numbered(&[1, 2]);
    let expected = content.repositories["image/2"].tags["v1"].clone();
    let source = Faulty::start(content);
    let airbuoy = Airbuoy::new();
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "old.tar"))
        .exits(0);
    let new = pull(&["image/2:v1"], &source.host(), "new.tar --base old.tar");
    airbuoy.run(&new).exits(0);
    let served = Served::start(&airbuoy, "new.tar --base old.tar --listen 127.0.0.1:0");
    let reference = format!("{}/image/2:v1", served.host());
    assert_eq!(peers.digest(&reference), expected);
    let target = Faulty::empty();
    let mirror =
        pull(&["image/2:v1"], &served.host(), &target.host()).replacen("pull", "mirror", 1);
    airbuoy.run(&mirror).exits(0);
}

/// Every path below `folder`.
fn paths(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = folder.read_dir().expect("a folder");
    let below = entries.flat_map(|entry| {
        let path = entry.expect("an entry").path();
        let below = if path.is_dir() {
            paths(&path)
        } else {
            BTreeSet::new()
        };
        below.into_iter().chain([path])
    });
    below.collect()
}

#[test]
fn a_layout_of_another_tool_is_not_touched_and_kept_from_writers() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    airbuoy
        .run(&pull(&["image/1:v1"], &source.host(), "set"))
        .exits(0);
    let set = airbuoy.home().join("set");
    fs::remove_dir_all(set.join(".airbuoy")).expect("it was there");
    let before = paths(&set);
    let served = Served::start(&airbuoy, "set --listen 127.0.0.1:0");
    let refused = airbuoy.run("serve set --writable --listen 127.0.0.1:0");
    let said = refused.exits(4).stderr;
    assert!(said.contains("or serves it"), "{said}");
    airbuoy.run("verify set").exits(0);
    assert_eq!(paths(&set), before);
    assert_eq!(served.stop().0, Some(0));
}

#[test]
fn what_fails_is_said_without_being_asked_for() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = bundles(&source);
    let served = Served::start(&airbuoy, "set --writable --listen 127.0.0.1:0");
    let blobs = airbuoy.home().join("set/blobs/sha256");
    let (path, size) = blobs
        .read_dir()
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.path(), entry.metadata().expect("a file").len()))
        .max_by_key(|(_, size)| *size)
        .expect("a blob");
    let file = fs::File::options().write(true).open(&path).expect("open");
    file.set_len(size / 2).expect("cut");
    let hex = path
        .file_name()
        .and_then(|name| name.to_str())
        .expect("hex");
    let target = format!("/v2/image/1/blobs/sha256:{hex}");
    let answer = Connection::new(&served.host()).try_send("GET", &target, &[], 0, |_| Ok(()));
    assert!(answer.is_err(), "half a blob is no answer");
    served.says("ERROR an answer broke off");
    served.says("the file became shorter while it was read");
}

#[test]
fn a_low_limit_on_open_files_is_raised() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = bundles(&source);
    let serve = airbuoy.command("serve set --listen 127.0.0.1:0");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -n 60 && exec \"$0\" \"$@\""]);
    limited.arg(serve.get_program()).args(serve.get_args());
    limited.current_dir(serve.get_current_dir().expect("its home"));
    let set = serve
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    limited.env_clear().envs(set);
    let served = Served::of(limited);
    let mut open: Vec<_> = (0..100).map(|_| Connection::new(&served.host())).collect();
    for connection in &mut open {
        assert_eq!(
            connection.send("GET", "/v2/", &[], 0, |_| Ok(())).status,
            200
        );
    }
}

#[test]
fn an_address_that_cannot_be_had_is_told_with_its_remedy() {
    let source = Faulty::start(numbered(&[1]));
    let airbuoy = Airbuoy::new();
    let command = pull(&["image/1:v1"], &source.host(), "set.tar");
    airbuoy.run(&command).exits(0);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("its address");
    let refused = airbuoy.run(&format!("serve set.tar --listen {taken}"));
    let said = refused.exits(4).stderr;
    for part in [
        &format!(
            "cannot listen on {taken}: something listens on port {} already",
            taken.port()
        ),
        "--listen 127.0.0.1:0",
        &format!("ss -ltnp 'sport = :{}'", taken.port()),
    ] {
        assert!(said.contains(part), "{said}");
    }
    // TEST-NET-1 (RFC 5737) is nobody's.
    let refused = airbuoy
        .run("serve set.tar --listen 192.0.2.1:5000")
        .exits(2);
    let said = refused.stderr;
    assert!(
        said.contains("192.0.2.1 is no address of this machine"),
        "{said}"
    );
}
