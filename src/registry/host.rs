//! What is known about one registry host during a run: how to speak to it, when to leave it
//! alone, who we are there, and which of its habits were learnt.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Semaphore;

use super::auth::Auth;
use super::chunking::Chunking;
use super::endpoint::SchemeRule;
use super::flight::Flight;
use super::retry::Pause;
use super::scheme::{self, Scheme};
use super::trouble::Trouble;

/// Mount requests that a host may refuse with an error before it is not asked again.
const MOUNT_REFUSALS: u32 = 2;

/// One registry host.
pub(super) struct Host {
    authority: String,
    rule: SchemeRule,
    scheme: Flight<Scheme>,
    /// Small requests in flight; bodies of blobs are scheduled by the engine.
    pub(super) slots: Semaphore,
    pub(super) pause: Pause,
    pub(super) auth: Auth,
    pub(super) quirks: Quirks,
    /// Held by the very first request, so that forty images do not each provoke a 401 or wait
    /// for a time-out of their own.
    pub(super) contact: Flight<()>,
}

impl Host {
    pub(super) fn new(authority: &str, rule: SchemeRule, slots: usize) -> Self {
        Self {
            authority: authority.to_owned(),
            rule,
            scheme: Flight::default(),
            slots: Semaphore::new(slots.max(1)),
            pause: Pause::default(),
            auth: Auth::default(),
            quirks: Quirks::default(),
            contact: Flight::default(),
        }
    }

    /// `host[:port]` that is asked.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// `http://authority` or `https://authority`, decided once for the run.
    pub(super) async fn base(&self) -> Result<String, Trouble> {
        let scheme = match self.rule {
            SchemeRule::Https => Scheme::Https,
            SchemeRule::Http => Scheme::Http,
            SchemeRule::Detect => {
                let detect = scheme::detect(&self.authority);
                self.scheme.get(|_| true, detect).await?
            }
        };
        Ok(format!("{}://{}", scheme.as_str(), self.authority))
    }
}

/// Habits of a host that were learnt in this run.
#[derive(Default)]
pub(super) struct Quirks {
    /// HEAD of a manifest is refused or does not give the digest.
    head_useless: AtomicBool,
    /// Answers to Range requests cannot be trusted.
    range_broken: AtomicBool,
    /// One PUT with the body is not understood; a PATCH comes before it.
    patch_first: AtomicBool,
    /// How large a body may be.
    pub(super) chunking: Chunking,
    /// The person knows about that.
    pub(super) told_of_chunks: AtomicBool,
    mount_refusals: AtomicU32,
    refused_mounts: Mutex<HashSet<(String, String)>>,
}

impl Quirks {
    pub(super) fn head_useless(&self) -> bool {
        self.head_useless.load(Ordering::Relaxed)
    }

    pub(super) fn learn_head_useless(&self, host: &str) {
        learn(&self.head_useless, host, "head-no-digest");
    }

    pub(super) fn range_broken(&self) -> bool {
        self.range_broken.load(Ordering::Relaxed)
    }

    pub(super) fn learn_range_broken(&self, host: &str) {
        learn(&self.range_broken, host, "range-ignored");
    }

    pub(super) fn patch_first(&self) -> bool {
        self.patch_first.load(Ordering::Relaxed)
    }

    pub(super) fn learn_patch_first(&self, host: &str) {
        learn(&self.patch_first, host, "mono-refused");
    }

    /// Whether a mount into `path` from `from` is worth asking for.
    pub(super) fn mounts(&self, path: &str, from: &str) -> bool {
        self.mount_refusals.load(Ordering::Relaxed) < MOUNT_REFUSALS
            && !self
                .refused_mounts
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .contains(&(path.to_owned(), from.to_owned()))
    }

    pub(super) fn learn_mount_refused(&self, host: &str, path: &str, from: &str) {
        let new = self
            .refused_mounts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert((path.to_owned(), from.to_owned()));
        if new {
            let refusals = self.mount_refusals.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(host, path, from, refusals, "learnt: mount-error");
        }
    }
}

fn learn(flag: &AtomicBool, host: &str, quirk: &str) {
    if !flag.swap(true, Ordering::Relaxed) {
        tracing::debug!(host, "learnt: {quirk}");
    }
}
