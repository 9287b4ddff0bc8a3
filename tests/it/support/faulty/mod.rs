//! A registry in memory that does wrong on command, and remembers every request. Source and
//! target; plain HTTP on a loopback port; one thread a connection.

mod answer;
mod rules;
mod serve;
mod tokens;
mod uploads;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::content::Content;
pub(crate) use rules::{Fault, Rule};
use tokens::Tokens;
use uploads::Session;

/// One request and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// Path with query.
    pub(crate) target: String,
    /// The scheme of the `Authorization` header: `Basic` or `Bearer`.
    pub(crate) authorization: Option<String>,
    /// The `Range` header, or `Content-Range`.
    pub(crate) range: Option<String>,
    /// When its head had arrived.
    pub(crate) at: Instant,
    /// What was answered; 0 when nothing was.
    pub(crate) status: u16,
    /// Bytes of the blob sent (GET) or taken in (PUT, PATCH).
    pub(crate) bytes: u64,
}

impl Recorded {
    /// Whether method and path (a part of it) are these.
    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.target.contains(part)
    }
}

/// The running registry; ends when dropped.
pub(crate) struct Faulty {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What the connections share.
pub(crate) struct Shared {
    address: SocketAddr,
    content: Mutex<Content>,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<Recorded>>,
    tokens: Mutex<Option<Tokens>>,
    /// Uploads opened so far.
    uploads: AtomicU64,
    /// What came for uploads in chunks, by the upload's path.
    sessions: Mutex<BTreeMap<String, Session>>,
    /// Bytes a second of each blob answer; 0 for no limit.
    pace: AtomicU64,
    /// Requests that are not recorded to their end yet.
    under_way: AtomicUsize,
    /// Whether uploaded blobs can be read again.
    keeps: AtomicBool,
    closing: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no connection panicked")
}

impl Faulty {
    /// Starts with this content and no faults.
    pub(crate) fn start(content: Content) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("an address"),
            content: Mutex::new(content),
            rules: Mutex::default(),
            log: Mutex::default(),
            tokens: Mutex::default(),
            uploads: AtomicU64::new(0),
            sessions: Mutex::default(),
            pace: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            keeps: AtomicBool::new(true),
            closing: AtomicBool::new(false),
        });
        let accepted = shared.clone();
        let accepting = std::thread::spawn(move || accept(&listener, &accepted));
        Self {
            shared,
            accepting: Some(accepting),
        }
    }

    /// Starts with nothing in it.
    pub(crate) fn empty() -> Self {
        Self::start(Content::default())
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// From now on, matching requests go wrong.
    pub(crate) fn rule(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// From now on, everything is well again.
    pub(crate) fn heal(&self) {
        lock(&self.shared.rules).clear();
        self.pace(0);
    }

    /// From now on, blobs are sent at this many bytes a second and connection; 0 for no limit.
    pub(crate) fn pace(&self, bytes_per_second: u64) {
        self.shared.pace.store(bytes_per_second, Ordering::Relaxed);
    }

    /// From now on, the bodies of uploaded blobs are hashed and forgotten.
    pub(crate) fn forget_bodies(&self) {
        self.shared.keeps.store(false, Ordering::Relaxed);
    }

    /// From now on, requests want a bearer token that lives this long; its endpoint wants no
    /// login and tells the life in whole seconds.
    pub(crate) fn want_tokens(&self, life: Duration) {
        *lock(&self.shared.tokens) = Some(Tokens::new(life));
    }

    /// Every request since the start, in the order of arrival.
    pub(crate) fn log(&self) -> Vec<Recorded> {
        // The end of an answer is recorded just after the client has it.
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.shared.under_way.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        lock(&self.shared.log).clone()
    }

    /// The requests of this method whose path has this part.
    pub(crate) fn requests(&self, method: &str, part: &str) -> Vec<Recorded> {
        let mut log = self.log();
        log.retain(|r| r.is(method, part));
        log
    }

    /// What it holds now.
    pub(crate) fn content(&self) -> Content {
        lock(&self.shared.content).clone()
    }

    /// Every tag, as `repository:tag`, sorted.
    pub(crate) fn tags(&self) -> Vec<String> {
        let content = lock(&self.shared.content);
        let mut tags: Vec<String> = content
            .repositories
            .iter()
            .flat_map(|(name, r)| r.tags.keys().map(move |tag| format!("{name}:{tag}")))
            .collect();
        tags.sort();
        tags
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // Wakes the accepting thread; connections see the flag themselves.
        let _ = TcpStream::connect(self.shared.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.closing.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = shared.clone();
        std::thread::spawn(move || {
            // A client that goes away is what many tests are about.
            let _ = serve::connection(stream, &shared);
        });
    }
}
