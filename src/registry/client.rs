//! [`Registry`]: the registries of one side of a copy, and what they share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::event::{Event, Observer};
use crate::oci::Repository;

use super::counters::{Counters, RequestCount};
use super::credentials::Credentials;
use super::endpoint::{self, SchemeRule};
use super::host::Host;
use super::identity::Identity;
use super::options::Options;
use super::place::Place;
use super::proxy;
use super::setup::SetupError;
use super::tls::Trust;
use super::warning::Warnings;
use super::wire::Pool;

/// Speaks to every registry of one side: a [`Source`](crate::content::Source) and a
/// [`Target`](crate::content::Target). Cloning shares everything.
#[derive(Clone)]
pub struct Registry(pub(super) Arc<Inner>);

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("side", &self.0.options.side)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Reads the CA and credential files that `options` name; contacts nobody.
    pub fn new(options: Options) -> Result<Self, SetupError> {
        Self::build(options, None)
    }

    /// As [`new`](Self::new), and tells `observer` about pauses and registries' warnings.
    pub fn with_observer(
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, SetupError> {
        Self::build(options, Some(observer))
    }

    fn build(options: Options, observer: Option<Arc<dyn Observer>>) -> Result<Self, SetupError> {
        // The HTTP library panics without a process-wide provider. `main` installs one, a second
        // attempt changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inner = Inner {
            trust: Trust::new(&options)?,
            identity: (options.client_certificate.as_ref())
                .map(Identity::read)
                .transpose()?,
            named: Mutex::default(),
            credentials: Credentials::new(&options)?,
            proxies: proxy::proxies(&options.proxies)?,
            clients: Mutex::default(),
            common_tls: OnceLock::new(),
            hosts: Mutex::default(),
            counters: Counters::default(),
            warnings: Warnings::default(),
            observer,
            options,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The requests sent so far, a row for each host, purpose and method.
    pub fn requests(&self) -> Vec<RequestCount> {
        self.0.counters.rows(self.0.options.side)
    }
}

/// What all clones of a [`Registry`] share.
pub(super) struct Inner {
    pub(super) options: Options,
    pub(super) trust: Trust,
    /// The client certificate of the flags.
    pub(super) identity: Option<Identity>,
    /// The hosts that references name, as URLs write them: to these the identity is shown.
    pub(super) named: Mutex<HashSet<String>>,
    pub(super) credentials: Credentials,
    pub(super) proxies: Vec<reqwest::Proxy>,
    /// For hosts without certificates of their own.
    pub(super) common_tls: OnceLock<rustls::ClientConfig>,
    pub(super) clients: Mutex<HashMap<(String, bool), Pool>>,
    hosts: Mutex<HashMap<(String, SchemeRule), Arc<Host>>>,
    pub(super) counters: Counters,
    pub(super) warnings: Warnings,
    observer: Option<Arc<dyn Observer>>,
}

impl Inner {
    /// The repository on the host that answers for it.
    pub(super) fn place(&self, repository: &Repository) -> Place {
        let endpoint = endpoint::endpoint(&self.options, repository.host());
        if self.identity.is_some() {
            self.named(&endpoint.authority);
        }
        let host = self.host(&endpoint.authority, endpoint.rule);
        Place::new(host, repository, &endpoint.prefix, endpoint.mirrored)
    }

    /// Remembers that a reference names this host. What was met of it before, as the end of a
    /// redirect, was met without the identity.
    fn named(&self, authority: &str) {
        let authority = authority.strip_suffix(":443").unwrap_or(authority);
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.insert(authority.to_owned()) {
            drop(named);
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.remove(&(authority.to_owned(), true));
        }
    }

    /// The host `authority`, known from before or new.
    pub(super) fn host(&self, authority: &str, rule: SchemeRule) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = self.options.requests_per_host;
        let host = hosts
            .entry((authority.to_owned(), rule))
            .or_insert_with(|| Arc::new(Host::new(authority, rule, slots)));
        Arc::clone(host)
    }

    pub(super) fn tell(&self, event: Event) {
        if let Some(observer) = &self.observer {
            observer.event(event);
        }
    }
}
