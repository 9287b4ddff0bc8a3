//! Real registries on free loopback ports: Distribution v3 and Debian's docker-registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::access_log::{self, Access};
use super::{skip, tls};

/// The login of registries whose [`Reach`] wants one.
pub(crate) const USER: &str = "ci";
/// Its password.
pub(crate) const PASSWORD: &str = "correct horse";
/// `htpasswd -Bbn -C 4 ci 'correct horse'`.
pub(crate) const HTPASSWD: &str =
    "ci:$2y$04$12lyV8uMZ.eY1mKwATvB9u1myNJPNkBJvp5dVdtpO30FmWBCSVX3u\n";

/// Which program serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// CNCF Distribution v3, `registry`.
    Distribution,
    /// Debian's 2.8, `docker-registry`.
    Debian,
}

impl Kind {
    fn program(self) -> Result<PathBuf, String> {
        skip::program(match self {
            Self::Distribution => "registry",
            Self::Debian => "docker-registry",
        })
    }
}

/// What a client needs to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Plain HTTP, nothing.
    Plain,
    /// Plain HTTP, [`USER`] and [`PASSWORD`].
    Login,
    /// TLS, a login, and trust in a private authority ([`Registry::ca_file`]).
    LoginAndPrivateAuthority,
}

/// How a registry is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The program.
    pub(crate) kind: Kind,
    /// TLS and login.
    pub(crate) reach: Reach,
    /// Refuse every write.
    pub(crate) read_only: bool,
    /// Allow DELETE.
    pub(crate) delete: bool,
}

impl Options {
    /// Plain HTTP, no login, writable, deletable.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            reach: Reach::Plain,
            read_only: false,
            delete: true,
        }
    }
}

/// A running registry; ends when dropped.
pub(crate) struct Registry {
    child: Child,
    folder: TempDir,
    storage: Arc<TempDir>,
    port: u16,
}

impl Registry {
    /// Starts Distribution v3 with an empty storage, or says why the test is skipped.
    pub(crate) fn distribution() -> Result<Self, String> {
        Self::start(Options::new(Kind::Distribution))
    }

    /// Starts a registry with an empty storage, or says why the test is skipped.
    pub(crate) fn start(options: Options) -> Result<Self, String> {
        Self::on_storage(options, &Arc::new(temp_dir()))
    }

    /// Starts a registry on a storage that others may have filled.
    pub(crate) fn on_storage(options: Options, storage: &Arc<TempDir>) -> Result<Self, String> {
        let program = options.kind.program()?;
        // The port is free when it is chosen and may be taken a moment later: then try another.
        for _ in 0..8 {
            let folder = temp_dir();
            let port = free_port();
            let child = spawn(&program, options, folder.path(), storage.path(), port);
            let mut registry = Self {
                child,
                folder,
                storage: storage.clone(),
                port,
            };
            if registry.answers() {
                return Ok(registry);
            }
        }
        panic!("{} does not start", program.display());
    }

    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            if self.output().contains("listening on")
                && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(15));
        }
        panic!("no answer: {}", self.output());
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The storage, for another registry on the same content.
    pub(crate) fn storage(&self) -> Arc<TempDir> {
        self.storage.clone()
    }

    /// The private authority's certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Every request since the start, in the order in which they were answered.
    pub(crate) fn log(&self) -> Vec<Access> {
        // The line of the last answer may be written just after the answer.
        let mut before = self.output();
        loop {
            std::thread::sleep(Duration::from_millis(30));
            let now = self.output();
            if now.len() == before.len() {
                return access_log::parse(&now);
            }
            before = now;
        }
    }

    /// Every tag of every repository, as `repository:tag`, sorted.
    pub(crate) fn tags(&self) -> Vec<String> {
        let root = self.storage.path().join("docker/registry/v2/repositories");
        let mut tags = Vec::new();
        tags_below(&root, &root, &mut tags);
        tags.sort();
        tags
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that goes with its value.
pub(crate) fn temp_dir() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A loopback port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn tags_below(root: &Path, folder: &Path, into: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.ends_with("_manifests") {
            let name = folder.strip_prefix(root).expect("below the root");
            for tag in fs::read_dir(path.join("tags")).into_iter().flatten() {
                let tag = tag.expect("an entry").file_name();
                into.push(format!("{}:{}", name.display(), tag.display()));
            }
        } else if path.is_dir() {
            tags_below(root, &path, into);
        }
    }
}

fn spawn(program: &Path, options: Options, folder: &Path, storage: &Path, port: u16) -> Child {
    let mut config = format!(
        "version: 0.1\n\
         log: {{level: info, accesslog: {{disabled: false}}}}\n\
         storage:\n  \
           filesystem: {{rootdirectory: {}}}\n  \
           delete: {{enabled: {}}}\n  \
           maintenance: {{readonly: {{enabled: {}}}}}\n\
         http:\n  addr: 127.0.0.1:{port}\n",
        storage.display(),
        options.delete,
        options.read_only,
    );
    if options.reach == Reach::LoginAndPrivateAuthority {
        tls::write_to(folder);
        config += "  tls: {certificate: FOLDER/server.pem, key: FOLDER/server.key}\n";
    }
    if options.reach != Reach::Plain {
        fs::write(folder.join("htpasswd"), HTPASSWD).expect("a writable folder");
        config += "auth: {htpasswd: {realm: tests, path: FOLDER/htpasswd}}\n";
    }
    let config_file = folder.join("config.yml");
    let config = config.replace("FOLDER", &folder.display().to_string());
    fs::write(&config_file, config).expect("a writable folder");
    let output = fs::File::create(folder.join("output")).expect("a writable folder");
    Command::new(program)
        .arg("serve")
        .arg(&config_file)
        // Both read REGISTRY_… variables as settings: REGISTRY_AUTH_FILE would stop them.
        .env_clear()
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output)
        .spawn()
        .expect("an installed registry starts")
}
