//! One line a request: what an access log says, told when the answer's body has ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::PathKind;

/// Hears of every request once its answer's body has ended or broken off. Called from many tasks
/// at once; must be quick.
pub type OnRequest = Arc<dyn Fn(AccessLine) + Send + Sync>;

/// The status in [`AccessLine`] of a request whose client went away before it had an answer, as
/// nginx writes it.
pub(super) const CLIENT_GONE: u16 = 499;

impl PathKind {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 10] = [
        Self::Base,
        Self::Catalog,
        Self::Manifest,
        Self::Blob,
        Self::Upload,
        Self::Tags,
        Self::Referrers,
        Self::Health,
        Self::Metrics,
        Self::Other,
    ];

    /// As access log and metrics write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Upload => "upload",
            Self::Tags => "tags",
            Self::Referrers => "referrers",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }
}

impl Serialize for PathKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One request and its answer. Nothing in it is secret: no password, no failed login's name, no
/// id of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessLine {
    /// When the head of the request had arrived; in JSON as RFC 3339, in UTC.
    #[serde(serialize_with = "display")]
    pub time: Timestamp,
    /// Where the connection comes from.
    pub remote: SocketAddr,
    /// Who logged in; `None` without a login and when it failed.
    pub user: Option<String>,
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Which endpoint.
    pub path: PathKind,
    /// The repository, for the endpoints that have one.
    pub repository: Option<String>,
    /// The tag or digest, for the endpoints that have one.
    pub reference: Option<String>,
    /// The status of the answer; 499 when the client went away before there was one.
    pub status: u16,
    /// Bytes of the answer's body that were handed to the connection.
    pub sent: u64,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// Whether the answer's body came to its end.
    pub complete: bool,
    /// From the head of the request to the end of the answer's body; in JSON `seconds`, as a
    /// number.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// What the client calls itself, cut after 256 bytes.
    pub user_agent: Option<String>,
}

fn display<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Microseconds: more digits would only be noise.
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
    serializer.serialize_f64(micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_a_line() {
        let line = AccessLine {
            time: "2026-03-01T10:00:00.5Z".parse().expect("a time"),
            remote: "10.0.0.7:41234".parse().expect("an address"),
            user: Some("site".to_owned()),
            method: "GET".to_owned(),
            path: PathKind::Manifest,
            repository: Some("k8s/pause".to_owned()),
            reference: Some("3.10".to_owned()),
            status: 200,
            sent: 2761,
            received: 0,
            complete: true,
            duration: Duration::from_nanos(1_500_400),
            user_agent: Some("containerd/v2.1.4".to_owned()),
        };
        let json = serde_json::to_string(&line).expect("JSON");
        let expected = concat!(
            r#"{"time":"2026-03-01T10:00:00.5Z","remote":"10.0.0.7:41234","user":"site","#,
            r#""method":"GET","path":"manifest","repository":"k8s/pause","reference":"3.10","#,
            r#""status":200,"sent":2761,"received":0,"complete":true,"seconds":0.0015,"#,
            r#""user_agent":"containerd/v2.1.4"}"#,
        );
        assert_eq!(json, expected);
    }
}
