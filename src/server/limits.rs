//! What one client may take of a server: connections, bytes and time.

use std::time::Duration;

/// Bounds on connections and requests. Each default says what it protects and whom it must not
/// hurt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further clients wait in the queue of the system until one is closed,
    /// `/healthz` among them.
    /// 500: a connection needs its socket and at most one open file, and 1,024 is the usual limit
    /// of a process on open files where it cannot be raised.
    pub connections: usize,
    /// For the TLS handshake. 10 s: two round trips, also on a bad line.
    pub handshake: Duration,
    /// From the first byte of a request's head to its last, and from the connection's start to
    /// the end of its first head. 30 s: a head is one packet or two.
    pub head: Duration,
    /// Bytes of a request's head; more is answered with 431. 64 KiB: the longest are those of
    /// clients that list every media type they accept, below 4 KiB. 100 lines are the
    /// most in any case.
    pub head_size: usize,
    /// Bytes of a blob; more is answered with 413. 16 GiB: far above image layers, and one client
    /// alone cannot send without end.
    pub blob_size: u64,
    /// For a connection between two requests. 120 s: Go's clients close theirs after 90 s, and
    /// it must be the client that closes, or a request meets a closing connection.
    pub idle: Duration,
    /// For a whole manifest to arrive. 120 s: 4 MiB at 35 KB/s.
    pub manifest: Duration,
    /// In this time 64 KiB of a body must pass, or its end, in either direction; time in which
    /// the server itself was busy does not count. 60 s: about 1 KB/s, far below what brings a
    /// layer anywhere, and longer than a network needs to recover.
    pub stall: Duration,
    /// How long requests under way may go on after the stop; what is left is cut. 5 s: a command
    /// that was interrupted ends while its user looks. A service can have more.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 500,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            head_size: 64 << 10,
            blob_size: 16 << 30,
            idle: Duration::from_mins(2),
            manifest: Duration::from_mins(2),
            stall: Duration::from_mins(1),
            grace: Duration::from_secs(5),
        }
    }
}
