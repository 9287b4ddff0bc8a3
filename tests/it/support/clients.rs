//! Programs of others that push and pull: crane, skopeo and oras, each with settings of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::peers::{clean, text};
use super::registry::temp_dir;
use super::skip;

/// A program that copies whole images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Crane,
    Skopeo,
    Oras,
}

/// The programs, for registries on plain HTTP that want no login.
pub(crate) struct Clients {
    crane: PathBuf,
    skopeo: PathBuf,
    oras: PathBuf,
    /// Where each runs, and finds no settings of the caller.
    folder: TempDir,
}

impl Clients {
    /// Finds them, or says why the test is skipped.
    pub(crate) fn find() -> Result<Self, String> {
        Ok(Self {
            crane: skip::program("crane")?,
            skopeo: skip::program("skopeo")?,
            oras: skip::program("oras")?,
            folder: temp_dir(),
        })
    }

    /// Where relative paths of files lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Copies an image with everything below it from one registry to another.
    pub(crate) fn copy(&self, with: Client, from: &str, to: &str) {
        match with {
            Client::Crane => self.crane(&["copy", from, to]),
            Client::Skopeo => {
                self.skopeo_copy(&format!("docker://{from}"), &format!("docker://{to}"))
            }
            Client::Oras => self.oras(&[
                "copy",
                "--recursive",
                "--from-plain-http",
                "--to-plain-http",
                from,
                to,
            ]),
        };
    }

    /// Runs crane; gives what it printed.
    pub(crate) fn crane(&self, arguments: &[&str]) -> String {
        text(self.command(&self.crane).arg("--insecure").args(arguments))
    }

    /// Runs `skopeo copy --all` between any two places that it knows.
    pub(crate) fn skopeo_copy(&self, from: &str, to: &str) -> String {
        text(self.command(&self.skopeo).args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--all",
            // The layers of tests are no archives: without this it would pack them.
            "--preserve-digests",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            from,
            to,
        ]))
    }

    /// Runs oras; gives what it printed.
    pub(crate) fn oras(&self, arguments: &[&str]) -> String {
        text(self.command(&self.oras).args(arguments))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = clean(program);
        let settings = self.folder.path();
        command
            .current_dir(settings)
            .env("DOCKER_CONFIG", settings)
            // Of skopeo: what the last one learnt about where blobs are.
            .env("XDG_DATA_HOME", settings);
        command
    }
}
