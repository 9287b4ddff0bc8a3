//! Upload sessions: who holds their id may go on with them, one request at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::oci::Algorithm;

/// A session that nobody used for this long is given up: no client pauses inside a blob for an
/// hour and comes back.
const IDLE: Duration = Duration::from_hours(1);
/// How often idle sessions are looked for, as long as any is open.
const SWEEP: Duration = Duration::from_mins(1);
/// Bounds what clients take that open uploads and never close them: in a bundle directory each holds
/// a file, and in memory what waits to be written: less than a megabyte, and less than 8 MiB where
/// the chunks are made to waste the buffers that they came in.
const MOST: usize = 1024;
/// The part of [`MOST`] that one owner can have: more than a node or a build machine sends at once,
/// too little to keep the others out.
const MOST_OF_ONE: usize = 256;
/// A session that rested for this long gives way where there are too many: its client has most
/// likely forgotten it, and one that has not begins that blob again.
const RESTED: Duration = Duration::from_mins(1);

/// Whose sessions are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Who has logged in, from wherever.
    User(String),
    /// Where logins are not asked for.
    Address(IpAddr),
}

impl Owner {
    /// The name of who has logged in.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::User(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

/// The open sessions.
pub(super) struct Uploads<U> {
    state: Mutex<State<U>>,
}

struct State<U> {
    open: HashMap<String, Slot<U>>,
    sweeping: bool,
}

/// One blob on its way.
struct Slot<U> {
    owner: Owner,
    repository: String,
    /// Elsewhere while a request works with it.
    session: Option<Session<U>>,
    progress: Arc<Progress>,
    used: Instant,
}

/// What takes in the bytes.
pub(super) struct Session<U> {
    pub(super) upload: U,
    /// What the bytes are hashed with as they come.
    pub(super) algorithm: Algorithm,
}

#[derive(Default)]
struct Progress {
    received: AtomicU64,
    cancelled: AtomicBool,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("{MOST} uploads are open here and in use; try again when some have ended")]
    TooMany,
    #[error("{MOST_OF_ONE} uploads of this client are open and in use; finish or cancel some")]
    TooManyOfOne,
    #[error("the system gave no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why a session cannot be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotLent {
    /// Not in this repository.
    Unknown,
    /// Another request works with it.
    Busy,
}

impl<U: Send + 'static> Uploads<U> {
    pub(super) fn new() -> Arc<Self> {
        let state = State {
            open: HashMap::new(),
            sweeping: false,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// Opens a session and gives its id: 128 bits that cannot be guessed, as hex. Where there are
    /// too many, the one that [rested](RESTED) longest is given up for it.
    pub(super) fn open(
        self: &Arc<Self>,
        owner: &Owner,
        repository: &str,
        session: Session<U>,
    ) -> Result<String, NotOpened> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(NotOpened::Random)?;
        let id = format!("{:032x}", u128::from_ne_bytes(random));
        let mut state = self.lock();
        let forgotten = state.make_room(owner)?;
        let slot = Slot {
            owner: owner.clone(),
            repository: repository.to_owned(),
            session: Some(session),
            progress: Arc::default(),
            used: Instant::now(),
        };
        state.open.insert(id.clone(), slot);
        if !state.sweeping {
            state.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        // An upload may have files to remove: not under the lock.
        drop(state);
        if forgotten.is_some() {
            tracing::info!("gave up the upload that rested longest, for there are too many");
        }
        Ok(id)
    }

    /// How many sessions are open.
    pub(super) fn count(&self) -> usize {
        self.lock().open.len()
    }

    /// How many bytes the session has received, also while a request works with it.
    pub(super) fn received(&self, repository: &str, id: &str) -> Option<u64> {
        let state = self.lock();
        let slot = state.open.get(id).filter(|s| s.repository == repository);
        slot.map(|slot| slot.progress.received.load(Ordering::Acquire))
    }

    /// Gives the session up; a request that works with it notices. False when there is none.
    pub(super) fn cancel(&self, repository: &str, id: &str) -> bool {
        let mut state = self.lock();
        if (state.open.get(id)).is_none_or(|slot| slot.repository != repository) {
            return false;
        }
        let slot = state.open.remove(id);
        // An upload may have files to remove: not under the lock.
        drop(state);
        if let Some(slot) = &slot {
            slot.progress.cancelled.store(true, Ordering::Release);
        }
        true
    }

    /// Hands the session to one request.
    pub(super) fn lend(self: &Arc<Self>, repository: &str, id: &str) -> Result<Loan<U>, NotLent> {
        let mut state = self.lock();
        let slot = state.open.get_mut(id);
        let slot = slot.filter(|slot| slot.repository == repository);
        let slot = slot.ok_or(NotLent::Unknown)?;
        let session = slot.session.take().ok_or(NotLent::Busy)?;
        Ok(Loan {
            session: Some(session),
            progress: Arc::clone(&slot.progress),
            home: Some((Arc::clone(self), id.to_owned())),
        })
    }

    /// Removes what nobody used for [`IDLE`]; false when nothing is left.
    fn sweep(&self) -> bool {
        self.give_up(IDLE);
        let mut state = self.lock();
        state.sweeping = !state.open.is_empty();
        state.sweeping
    }

    /// Gives up every session that [rested](RESTED): the server needs what they hold.
    pub(super) fn give_up_rested(&self) {
        self.give_up(RESTED);
    }

    fn give_up(&self, unused_for: Duration) {
        let mut state = self.lock();
        let stale: Vec<Slot<U>> = state
            .open
            .extract_if(|_, slot| slot.session.is_some() && slot.used.elapsed() >= unused_for)
            .map(|(_, slot)| slot)
            .collect();
        // Uploads may have files to remove: not under the lock.
        drop(state);
        if !stale.is_empty() {
            tracing::info!(sessions = stale.len(), "gave up idle uploads");
        }
    }
}

impl<U> State<U> {
    /// Takes out the session that gives way to one more of `owner`, when one must.
    fn make_room(&mut self, owner: &Owner) -> Result<Option<Slot<U>>, NotOpened> {
        let own = self.open.values().filter(|slot| slot.owner == *owner);
        let (crowded, full) = if own.count() >= MOST_OF_ONE {
            (Some(owner.clone()), NotOpened::TooManyOfOne)
        } else if self.open.len() >= MOST {
            (self.greediest(), NotOpened::TooMany)
        } else {
            return Ok(None);
        };
        let rested = self.open.iter().filter(|(_, slot)| {
            crowded.as_ref() == Some(&slot.owner)
                && slot.session.is_some()
                && slot.used.elapsed() >= RESTED
        });
        let longest = rested.min_by_key(|(_, slot)| slot.used);
        let id = longest.map(|(id, _)| id.clone()).ok_or(full)?;
        Ok(self.open.remove(&id))
    }

    /// Who has the most sessions.
    fn greediest(&self) -> Option<Owner> {
        let mut counts: HashMap<&Owner, usize> = HashMap::new();
        for slot in self.open.values() {
            *counts.entry(&slot.owner).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(owner, _)| owner.clone())
    }
}

impl<U> Uploads<U> {
    /// Every change under the lock is whole when it could panic.
    fn lock(&self) -> MutexGuard<'_, State<U>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs as long as there are sessions, and no longer than their server.
async fn sweep<U: Send + 'static>(uploads: Weak<Uploads<U>>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if !uploads.upgrade().is_some_and(|uploads| uploads.sweep()) {
            return;
        }
    }
}

/// A session in the hands of one request; dropped, it can be gone on with.
pub(super) struct Loan<U> {
    session: Option<Session<U>>,
    progress: Arc<Progress>,
    home: Option<(Arc<Uploads<U>>, String)>,
}

impl<U> Loan<U> {
    /// A session that only this request knows.
    pub(super) fn alone(session: Session<U>) -> Self {
        Self {
            session: Some(session),
            progress: Arc::default(),
            home: None,
        }
    }

    /// How many bytes have arrived.
    pub(super) fn received(&self) -> u64 {
        self.progress.received.load(Ordering::Acquire)
    }

    /// Counts bytes that the upload took.
    pub(super) fn arrived(&mut self, more: usize) {
        self.progress
            .received
            .fetch_add(more as u64, Ordering::Release);
    }

    /// The session; `None` once it was cancelled or closed.
    pub(super) fn session(&mut self) -> Option<&mut Session<U>> {
        let cancelled = self.progress.cancelled.load(Ordering::Acquire);
        self.session.as_mut().filter(|_| !cancelled)
    }

    /// Takes the session out for good: nobody can go on with it. `None` when that was so before.
    pub(super) fn close(&mut self) -> Option<Session<U>> {
        let session = self.session.take();
        match self.home.take() {
            Some((uploads, id)) => session.filter(|_| uploads.lock().open.remove(&id).is_some()),
            None => session,
        }
    }
}

impl<U> Drop for Loan<U> {
    fn drop(&mut self) {
        let (Some(session), Some((uploads, id))) = (self.session.take(), self.home.take()) else {
            return;
        };
        let mut state = uploads.lock();
        if let Some(slot) = state.open.get_mut(&id) {
            slot.session = Some(session);
            slot.used = Instant::now();
        } else {
            drop(state);
            drop(session);
        }
    }
}

#[cfg(test)]
#[path = "uploads_tests.rs"]
mod tests;
