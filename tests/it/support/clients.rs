//! Programs of others that push and pull: crane, skopeo and oras, each with settings of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::embedded::Embedded;
use super::peers::{clean, text};
use super::registry::{PASSWORD, Reach, USER, temp_dir};
use super::skip;

/// A program that copies whole images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Crane,
    Skopeo,
    Oras,
}

/// The programs.
pub(crate) struct Clients {
    crane: PathBuf,
    skopeo: PathBuf,
    oras: PathBuf,
    /// Where each runs, and finds these settings instead of the caller's.
    folder: TempDir,
    logins: Value,
    /// Hosts that are reached by TLS.
    secure: BTreeSet<String>,
}

impl Clients {
    /// Finds them, or says why the test is skipped.
    pub(crate) fn find() -> Result<Self, String> {
        Ok(Self {
            crane: skip::program("crane")?,
            skopeo: skip::program("skopeo")?,
            oras: skip::program("oras")?,
            folder: temp_dir(),
            logins: json!({}),
            secure: BTreeSet::new(),
        })
    }

    /// Learns how a registry is reached, and gives its host.
    pub(crate) fn meet(&mut self, registry: &Embedded) -> String {
        let host = registry.host();
        if registry.reach() != Reach::Plain {
            let login = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
            self.logins[&host] = json!({"auth": login});
            let file = json!({"auths": self.logins}).to_string();
            fs::write(self.path("config.json"), file).expect("a writable folder");
        }
        if registry.reach() == Reach::LoginAndPrivateAuthority {
            fs::copy(registry.ca_file(), self.path("ca.pem")).expect("a writable folder");
            self.secure.insert(host.clone());
        }
        host
    }

    /// A file of that name where the programs run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies an image with everything below it from one registry to another.
    pub(crate) fn copy(&self, with: Client, from: &str, to: &str) {
        match with {
            Client::Crane => self.crane(&["copy", from, to]),
            Client::Skopeo => {
                self.skopeo_copy(&format!("docker://{from}"), &format!("docker://{to}"))
            }
            Client::Oras => {
                let from_plain = format!("--from-plain-http={}", self.is_plain(from));
                let to_plain = format!("--to-plain-http={}", self.is_plain(to));
                let copy = ["copy", "--recursive", &from_plain, &to_plain, from, to];
                text(self.command(&self.oras).args(copy))
            }
        };
    }

    /// Runs crane; gives what it printed. It tries TLS first, and plain HTTP on loopback.
    pub(crate) fn crane(&self, arguments: &[&str]) -> String {
        text(self.command(&self.crane).args(arguments))
    }

    /// Runs `skopeo copy --all` between any two places that it knows.
    pub(crate) fn skopeo_copy(&self, from: &str, to: &str) -> String {
        let authentication = format!("--authfile={}", self.path("config.json").display());
        text(self.command(&self.skopeo).args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--all",
            // The layers of tests are no archives: without this it would pack them.
            "--preserve-digests",
            &authentication,
            &format!("--src-tls-verify={}", !self.is_plain(from)),
            &format!("--dest-tls-verify={}", !self.is_plain(to)),
            from,
            to,
        ]))
    }

    /// Runs an oras verb on something in a registry; gives what it printed.
    pub(crate) fn oras(&self, verb: &[&str], what: &str, arguments: &[&str]) -> String {
        let plain = format!("--plain-http={}", self.is_plain(what));
        let mut command = self.command(&self.oras);
        text(command.args(verb).args([&plain, what]).args(arguments))
    }

    fn is_plain(&self, reference: &str) -> bool {
        !self.secure.iter().any(|host| reference.contains(host))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = clean(program);
        let settings = self.folder.path();
        command
            .current_dir(settings)
            .env("DOCKER_CONFIG", settings)
            // Of skopeo: what the last one learnt about where blobs are.
            .env("XDG_DATA_HOME", settings);
        if !self.secure.is_empty() {
            command.env("SSL_CERT_FILE", self.path("ca.pem"));
        }
        command
    }
}
