//! The embedded registry as foreign programs see it: the only support that uses the library.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use airbuoy::content::MemoryStore;
use airbuoy::server::{Options, Running, Server};
use tokio::runtime::Runtime;

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

/// A running registry that takes writes, plain HTTP, without login; ends when dropped.
pub(crate) struct Embedded {
    running: Running,
    _runtime: Runtime,
}

impl Embedded {
    /// Starts an empty one.
    pub(crate) fn start(stored: Stored) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = match stored {
            Stored::Memory => runtime.block_on(async {
                let store = Arc::new(MemoryStore::new());
                let server = Server::bind(address, store, Options::default()).await;
                server.expect("a free port").spawn()
            }),
        };
        Self {
            running,
            _runtime: runtime,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.running.local_addr().to_string()
    }
}
