//! How many requests each host got: counted where a request leaves, so nothing is missed.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::Method;
use serde::Serialize;

use super::options::Side;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// To the registry's own API.
    Registry,
    /// To a token server.
    Token,
    /// To where the registry redirected.
    Redirect,
}

/// Requests of one method to one host, as the report shows them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RequestCount {
    /// Which end of the copy.
    pub side: Side,
    /// `host[:port]` that was really asked.
    pub host: String,
    /// What they were for.
    pub kind: RequestKind,
    /// HTTP method.
    pub method: String,
    /// How many were sent.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<BTreeMap<(String, RequestKind, String), u64>>);

impl Counters {
    pub(super) fn add(&self, host: &str, kind: RequestKind, method: &Method) {
        let key = (host.to_owned(), kind, method.to_string());
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .entry(key)
            .or_default() += 1;
    }

    pub(super) fn rows(&self, side: Side) -> Vec<RequestCount> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
            .map(|((host, kind, method), &count)| RequestCount {
                side,
                host: host.clone(),
                kind: *kind,
                method: method.clone(),
                count,
            })
            .collect()
    }
}
