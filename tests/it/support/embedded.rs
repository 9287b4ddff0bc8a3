//! The embedded registry as foreign programs see it: the only support that uses the library.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use airbuoy::content::MemoryStore;
use airbuoy::server::{Logins, Options, Running, Server, Tls};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::registry::{HTPASSWD, Reach, temp_dir};
use super::tls;

/// What the registry stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A store in memory, served inside the test's process.
    Memory,
}

impl Stored {
    /// Every kind there is.
    pub(crate) const ALL: [Self; 1] = [Self::Memory];
}

/// A running registry that takes writes; ends when dropped.
pub(crate) struct Embedded {
    running: Running,
    _runtime: Runtime,
    folder: TempDir,
    reach: Reach,
}

impl Embedded {
    /// Starts an empty one on plain HTTP, without login.
    pub(crate) fn start(stored: Stored) -> Self {
        Self::reached(stored, Reach::Plain)
    }

    /// Starts an empty one.
    pub(crate) fn reached(stored: Stored, reach: Reach) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = temp_dir();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut options = Options::default();
        if reach != Reach::Plain {
            let logins = Logins::parse(HTPASSWD).expect("an htpasswd file");
            options.logins = Some(Arc::new(logins));
        }
        if reach == Reach::LoginAndPrivateAuthority {
            tls::write_to(folder.path());
            let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a file");
            let tls = Tls::new(&read("server.pem"), &read("server.key")).expect("a pair");
            options.tls = Some(Arc::new(tls));
        }
        let running = match stored {
            Stored::Memory => runtime.block_on(async {
                let store = Arc::new(MemoryStore::new());
                let server = Server::bind(address, store, options).await;
                server.expect("a free port").spawn()
            }),
        };
        Self {
            running,
            _runtime: runtime,
            folder,
            reach,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.running.local_addr().to_string()
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
