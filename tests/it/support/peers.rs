//! Independent tools that look at what was copied: crane and skopeo.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip;

/// The tools, without any login or setting of the caller.
pub(crate) struct Peers {
    crane: PathBuf,
    skopeo: PathBuf,
    /// Trusted besides the system's certificates; plain HTTP is tried when there is none.
    ca_file: Option<PathBuf>,
    login: Option<(String, String)>,
}

impl Peers {
    /// Finds them, or says why the test is skipped.
    pub(crate) fn find() -> Result<Self, String> {
        Ok(Self {
            crane: skip::program("crane")?,
            skopeo: skip::program("skopeo")?,
            ca_file: None,
            login: None,
        })
    }

    /// The same for a registry behind a private authority.
    pub(crate) fn trusting(self, ca_file: PathBuf) -> Self {
        Self {
            ca_file: Some(ca_file),
            ..self
        }
    }

    /// The same for a registry that wants a login.
    pub(crate) fn logged_in(self, user: &str, password: &str) -> Self {
        Self {
            login: Some((user.to_owned(), password.to_owned())),
            ..self
        }
    }

    /// `crane digest REFERENCE`; works for registries without login.
    pub(crate) fn digest(&self, reference: &str) -> String {
        let mut command = clean(&self.crane);
        command.arg("digest");
        match &self.ca_file {
            Some(file) => command.env("SSL_CERT_FILE", file),
            None => command.arg("--insecure"),
        };
        text(command.arg(reference)).trim().to_owned()
    }

    /// `skopeo inspect --raw docker://REFERENCE`: the manifest's bytes.
    pub(crate) fn raw(&self, reference: &str) -> Vec<u8> {
        let mut command = clean(&self.skopeo);
        command.args(["inspect", "--raw"]);
        if let Some(file) = &self.ca_file {
            command.env("SSL_CERT_FILE", file);
        } else {
            command.arg("--tls-verify=false");
        }
        if let Some((user, password)) = &self.login {
            command.arg(format!("--creds={user}:{password}"));
        }
        bytes(command.arg(format!("docker://{reference}")))
    }
}

/// The program without any setting of the caller.
pub(super) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent");
    command
}

/// What the program prints; it must succeed.
pub(super) fn text(command: &mut Command) -> String {
    String::from_utf8(bytes(command)).expect("UTF-8")
}

fn bytes(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("an installed tool starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output.stdout
}
