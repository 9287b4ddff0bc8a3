//! A wire that is slow in one direction: a TCP relay in front of a registry.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a share of the rate is passed on.
const TICK: Duration = Duration::from_millis(20);

/// Passes connections on; what clients send is counted and goes at a limited rate.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    upstream: String,
    /// Bytes a second of each connection towards the registry; 0 for no limit.
    pace: AtomicU64,
    sent: AtomicU64,
    closing: AtomicBool,
}

impl Relay {
    /// Listens on a free port before `upstream` (`host:port`).
    pub(crate) fn start(upstream: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("an address"),
            upstream,
            pace: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        let accepted = shared.clone();
        let accepting = std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if accepted.closing.load(Ordering::Relaxed) {
                    return;
                }
                let shared = accepted.clone();
                std::thread::spawn(move || shared.pass(connection));
            }
        });
        Self {
            shared,
            accepting: Some(accepting),
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// From now on, each connection carries this many bytes a second to the registry; 0 for no
    /// limit.
    pub(crate) fn pace(&self, bytes_per_second: u64) {
        self.shared.pace.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Bytes that clients sent so far, heads of requests among them.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn pass(&self, client: TcpStream) {
        let Ok(registry) = TcpStream::connect(&self.upstream) else {
            return;
        };
        let (Ok(mut from), Ok(mut to)) = (registry.try_clone(), client.try_clone()) else {
            return;
        };
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        self.forward(client, &registry);
        let _ = registry.shutdown(Shutdown::Both);
        let _ = back.join();
    }

    fn forward(&self, mut client: TcpStream, mut registry: &TcpStream) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let pace = self.pace.load(Ordering::Relaxed);
            let share = usize::try_from(pace / 50).unwrap_or(usize::MAX).max(1);
            let length = if pace == 0 {
                buffer.len()
            } else {
                share.min(buffer.len())
            };
            match client.read(&mut buffer[..length]) {
                Ok(read @ 1..) => {
                    self.sent.fetch_add(read as u64, Ordering::Relaxed);
                    if registry.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
                _ => return,
            }
            if pace > 0 {
                std::thread::sleep(TICK);
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.shared.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
