//! The embedded registry as foreign programs see it: the only support that uses the library.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airbuoy::content::MemoryStore;
use airbuoy::server::{Logins, Options, Running, Server, Tls};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::registry::{HTPASSWD, Reach, temp_dir};
use super::tls;
use super::writable::Writable;

/// What the registry stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A store in memory, served inside the test's process.
    Memory,
    /// A bundle directory, served by the program itself.
    Directory,
}

impl Stored {
    /// Every kind there is.
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Directory];
}

/// A running registry that takes writes; ends when dropped.
pub(crate) struct Embedded {
    server: Serving,
    folder: TempDir,
    reach: Reach,
}

enum Serving {
    Inside(
        Running,
        #[expect(dead_code, reason = "the server runs on it")] Runtime,
    ),
    Program(Writable),
}

impl Embedded {
    /// Starts an empty one on plain HTTP, without login.
    pub(crate) fn start(stored: Stored) -> Self {
        Self::reached(stored, Reach::Plain)
    }

    /// Starts an empty one.
    pub(crate) fn reached(stored: Stored, reach: Reach) -> Self {
        let folder = temp_dir();
        if reach == Reach::LoginAndPrivateAuthority {
            tls::write_to(folder.path());
        }
        let server = match stored {
            Stored::Memory => inside(folder.path(), reach),
            Stored::Directory => program(folder.path(), reach),
        };
        Self {
            server,
            folder,
            reach,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        match &self.server {
            Serving::Inside(running, _) => running.local_addr().to_string(),
            Serving::Program(program) => program.host(),
        }
    }

    /// What a client needs.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// The private authority's certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// A store in memory, inside this process.
fn inside(folder: &Path, reach: Reach) -> Serving {
    let mut options = Options::default();
    if reach != Reach::Plain {
        let logins = Logins::parse(HTPASSWD).expect("an htpasswd file");
        options.logins = Some(Arc::new(logins));
    }
    if reach == Reach::LoginAndPrivateAuthority {
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
        let tls = Tls::new(&read("server.pem"), &read("server.key")).expect("a pair");
        options.tls = Some(Arc::new(tls));
    }
    let runtime = Runtime::new().expect("a runtime");
    let running = runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let store = Arc::new(MemoryStore::new());
        let server = Server::bind(address, store, options).await;
        server.expect("a free port").spawn()
    });
    Serving::Inside(running, runtime)
}

/// A directory, served by the program.
fn program(folder: &Path, reach: Reach) -> Serving {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut flags = Vec::new();
    if reach != Reach::Plain {
        fs::write(folder.join("htpasswd"), HTPASSWD).expect("a writable folder");
        flags.extend(["--htpasswd".to_owned(), path("htpasswd")]);
    }
    if reach == Reach::LoginAndPrivateAuthority {
        flags.extend(["--tls-cert".to_owned(), path("server.pem")]);
        flags.extend(["--tls-key".to_owned(), path("server.key")]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Serving::Program(Writable::start(&folder.join("registry"), &flags))
}
