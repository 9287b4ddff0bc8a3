//! Counters of one server, and their text in Prometheus' exposition format 0.0.4.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::Method;

use super::PathKind;
use super::access::CLIENT_GONE;

/// Labels are of a fixed number: a client that makes methods up must not make series up.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
const STATUSES: [u16; 22] = [
    200,
    201,
    202,
    204,
    206,
    304,
    400,
    401,
    403,
    404,
    405,
    408,
    409,
    411,
    412,
    413,
    416,
    429,
    CLIENT_GONE,
    500,
    503,
    507,
];
/// One more than [`STATUSES`], for the rest.
const STATUS_SLOTS: usize = STATUSES.len() + 1;

/// Upper bounds in microseconds, and as their labels: from a HEAD out of memory to a layer over a
/// slow line.
const BOUNDS: [(u64, &str); 13] = [
    (250, "0.00025"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (60_000_000, "60"),
    (300_000_000, "300"),
    (1_800_000_000, "1800"),
];

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long requests of one endpoint took.
#[derive(Default)]
struct Durations {
    /// Not cumulative; the last one is above every bound.
    slots: [Counter; BOUNDS.len() + 1],
    micros: Counter,
}

/// What happened since the server was made.
pub(super) struct Metrics {
    requests: Vec<Counter>,
    durations: Vec<Durations>,
    sent: Counter,
    received: Counter,
    failed_logins: Counter,
    connections: AtomicU64,
}

impl Metrics {
    /// The media type of [`text`](Self::text).
    pub(super) const MEDIA_TYPE: &str = TEXT;

    pub(super) fn new() -> Self {
        let requests = PathKind::ALL.len() * METHODS.len() * STATUS_SLOTS;
        Self {
            requests: (0..requests).map(|_| Counter::default()).collect(),
            durations: PathKind::ALL.map(|_| Durations::default()).into(),
            sent: Counter::default(),
            received: Counter::default(),
            failed_logins: Counter::default(),
            connections: AtomicU64::new(0),
        }
    }

    /// A request is over.
    pub(super) fn request(&self, method: &Method, kind: PathKind, status: u16, took: Duration) {
        let method = METHODS.iter().position(|m| *m == method.as_str());
        let method = method.unwrap_or(METHODS.len() - 1);
        let status = STATUSES.iter().position(|s| *s == status);
        let status = status.unwrap_or(STATUSES.len());
        let kind = kind as usize;
        let at = (kind * METHODS.len() + method) * STATUS_SLOTS + status;
        self.requests[at].add(1);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let durations = &self.durations[kind];
        durations.slots[BOUNDS.partition_point(|(bound, _)| *bound < micros)].add(1);
        durations.micros.add(micros);
    }

    /// Bytes of an answer's body were handed to the connection.
    pub(super) fn sent(&self, bytes: u64) {
        self.sent.add(bytes);
    }

    /// Bytes of a request's body were read.
    pub(super) fn received(&self, bytes: u64) {
        self.received.add(bytes);
    }

    /// Somebody came with a wrong user or password.
    pub(super) fn failed_login(&self) {
        self.failed_logins.add(1);
    }

    /// So many connections are open now.
    pub(super) fn connections(&self, open: usize) {
        self.connections.store(open as u64, Ordering::Relaxed);
    }

    /// The exposition; `uploads` is the number of sessions that are open.
    pub(super) fn text(&self, uploads: usize) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text, uploads);
        text
    }

    fn write(&self, to: &mut String, uploads: usize) -> std::fmt::Result {
        let name = "airbuoy_registry_requests_total";
        head(to, name, "counter", "Requests whose answer has ended.")?;
        for (at, count) in self.requests.iter().enumerate() {
            // Most of the combinations never happen.
            if count.get() > 0 {
                let endpoint = PathKind::ALL[at / STATUS_SLOTS / METHODS.len()].name();
                let method = METHODS[at / STATUS_SLOTS % METHODS.len()];
                let code = STATUSES.get(at % STATUS_SLOTS);
                let code = code.map_or_else(|| "other".to_owned(), u16::to_string);
                let count = count.get();
                writeln!(
                    to,
                    "{name}{{method=\"{method}\",endpoint=\"{endpoint}\",code=\"{code}\"}} {count}"
                )?;
            }
        }
        self.write_durations(to)?;
        for (name, kind, help, value) in [
            (
                "sent_bytes_total",
                "counter",
                "Bytes of answers' bodies.",
                self.sent.get(),
            ),
            (
                "received_bytes_total",
                "counter",
                "Bytes of requests' bodies.",
                self.received.get(),
            ),
            (
                "failed_logins_total",
                "counter",
                "Requests with a wrong user or password.",
                self.failed_logins.get(),
            ),
            (
                "connections",
                "gauge",
                "Connections that are open.",
                self.connections.load(Ordering::Relaxed),
            ),
            (
                "uploads",
                "gauge",
                "Upload sessions that are open.",
                uploads as u64,
            ),
        ] {
            let name = format!("airbuoy_registry_{name}");
            head(to, &name, kind, help)?;
            writeln!(to, "{name} {value}")?;
        }
        Ok(())
    }

    fn write_durations(&self, to: &mut String) -> std::fmt::Result {
        let name = "airbuoy_registry_request_duration_seconds";
        let help = "From the head of a request to the end of its answer.";
        head(to, name, "histogram", help)?;
        for (kind, durations) in PathKind::ALL.iter().zip(&self.durations) {
            let endpoint = kind.name();
            let counts: Vec<u64> = durations.slots.iter().map(Counter::get).collect();
            let total: u64 = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let mut below = 0;
            for ((_, bound), count) in BOUNDS.iter().zip(&counts) {
                below += count;
                writeln!(
                    to,
                    "{name}_bucket{{endpoint=\"{endpoint}\",le=\"{bound}\"}} {below}"
                )?;
            }
            writeln!(
                to,
                "{name}_bucket{{endpoint=\"{endpoint}\",le=\"+Inf\"}} {total}"
            )?;
            let micros = durations.micros.get();
            let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
            writeln!(
                to,
                "{name}_sum{{endpoint=\"{endpoint}\"}} {whole}.{rest:06}"
            )?;
            writeln!(to, "{name}_count{{endpoint=\"{endpoint}\"}} {total}")?;
        }
        Ok(())
    }
}

fn head(to: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(to, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_of_a_few_requests() {
        let metrics = Metrics::new();
        let took = Duration::from_micros;
        metrics.request(&Method::GET, PathKind::Blob, 200, took(700));
        metrics.request(&Method::GET, PathKind::Blob, 200, took(1_000));
        metrics.request(&Method::GET, PathKind::Blob, 404, took(3_600_000_000));
        let made_up = Method::from_bytes(b"BREW").expect("a method");
        metrics.request(&made_up, PathKind::Other, 418, took(1));
        metrics.sent(7);
        metrics.received(9);
        metrics.failed_login();
        metrics.connections(3);
        let text = metrics.text(2);
        for line in [
            "# TYPE airbuoy_registry_requests_total counter",
            r#"airbuoy_registry_requests_total{method="GET",endpoint="blob",code="200"} 2"#,
            r#"airbuoy_registry_requests_total{method="GET",endpoint="blob",code="404"} 1"#,
            r#"airbuoy_registry_requests_total{method="other",endpoint="other",code="other"} 1"#,
            "# TYPE airbuoy_registry_request_duration_seconds histogram",
            r#"airbuoy_registry_request_duration_seconds_bucket{endpoint="blob",le="0.00025"} 0"#,
            r#"airbuoy_registry_request_duration_seconds_bucket{endpoint="blob",le="0.001"} 2"#,
            r#"airbuoy_registry_request_duration_seconds_bucket{endpoint="blob",le="1800"} 2"#,
            r#"airbuoy_registry_request_duration_seconds_bucket{endpoint="blob",le="+Inf"} 3"#,
            r#"airbuoy_registry_request_duration_seconds_sum{endpoint="blob"} 3600.001700"#,
            r#"airbuoy_registry_request_duration_seconds_count{endpoint="blob"} 3"#,
            "airbuoy_registry_sent_bytes_total 7",
            "airbuoy_registry_received_bytes_total 9",
            "airbuoy_registry_failed_logins_total 1",
            "airbuoy_registry_connections 3",
            "airbuoy_registry_uploads 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn kinds_are_numbered_in_their_order() {
        for (at, kind) in PathKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
    }
}
