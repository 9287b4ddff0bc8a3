//! Upload sessions: who holds their id may go on with them, one request at a time.

use std::collections::HashMap;
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
/// More than any client opens at once; a bound for one that never closes any.
const MOST: usize = 1024;

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
    #[error("{MOST} uploads are open already; finish or cancel some")]
    TooMany,
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

    /// Opens a session and gives its id: 128 bits that cannot be guessed, as hex.
    pub(super) fn open(
        self: &Arc<Self>,
        repository: &str,
        session: Session<U>,
    ) -> Result<String, NotOpened> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(NotOpened::Random)?;
        let id = format!("{:032x}", u128::from_ne_bytes(random));
        let mut state = self.lock();
        if state.open.len() >= MOST {
            return Err(NotOpened::TooMany);
        }
        let slot = Slot {
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
        let mut state = self.lock();
        let stale: Vec<Slot<U>> = state
            .open
            .extract_if(|_, slot| slot.session.is_some() && slot.used.elapsed() >= IDLE)
            .map(|(_, slot)| slot)
            .collect();
        state.sweeping = !state.open.is_empty();
        let left = state.sweeping;
        drop(state);
        if !stale.is_empty() {
            tracing::info!(sessions = stale.len(), "gave up idle uploads");
        }
        left
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
mod tests {
    use super::*;

    fn session() -> Session<()> {
        Session {
            upload: (),
            algorithm: Algorithm::Sha256,
        }
    }

    fn lend(uploads: &Arc<Uploads<()>>, repository: &str, id: &str) -> Result<u64, NotLent> {
        uploads.lend(repository, id).map(|loan| loan.received())
    }

    #[tokio::test]
    async fn a_session_belongs_to_its_repository() {
        let uploads = Uploads::new();
        let id = uploads.open("a", session()).expect("room");
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(uploads.received("b", &id), None);
        assert_eq!(lend(&uploads, "b", &id), Err(NotLent::Unknown));
        assert!(!uploads.cancel("b", &id));
        assert_eq!(uploads.received("a", &id), Some(0));
        assert!(uploads.cancel("a", &id));
        assert_eq!(uploads.received("a", &id), None);
        assert_eq!(lend(&uploads, "a", &id), Err(NotLent::Unknown));
    }

    #[tokio::test]
    async fn one_request_at_a_time_works_with_it() {
        let uploads = Uploads::new();
        let id = uploads.open("a", session()).expect("room");
        let mut loan = uploads.lend("a", &id).expect("open");
        loan.arrived(7);
        assert_eq!(lend(&uploads, "a", &id), Err(NotLent::Busy));
        assert_eq!(uploads.received("a", &id), Some(7));
        drop(loan);
        assert_eq!(lend(&uploads, "a", &id), Ok(7));
    }

    #[tokio::test]
    async fn what_was_closed_or_cancelled_does_not_come_back() {
        let uploads = Uploads::new();
        let closed = uploads.open("a", session()).expect("room");
        let mut loan = uploads.lend("a", &closed).expect("open");
        assert!(loan.close().is_some());
        assert!(loan.session().is_none() && loan.close().is_none());
        drop(loan);
        assert_eq!(uploads.received("a", &closed), None);

        let cancelled = uploads.open("a", session()).expect("room");
        let mut loan = uploads.lend("a", &cancelled).expect("open");
        assert!(uploads.cancel("a", &cancelled));
        assert!(loan.session().is_none() && loan.close().is_none());
        drop(loan);
        assert_eq!(uploads.received("a", &cancelled), None);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_sessions_are_swept_and_busy_ones_are_not() {
        let uploads = Uploads::new();
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(uploads.open("a", session()).expect("room"));
        }
        let loan = uploads.lend("a", &ids[0]).expect("open");
        tokio::time::sleep(SWEEP * 58).await;
        assert_eq!(lend(&uploads, "a", &ids[1]), Ok(0));
        tokio::time::sleep(4 * SWEEP).await;
        let open = |id: &String| uploads.received("a", id).is_some();
        assert_eq!(
            ids.iter().map(open).collect::<Vec<_>>(),
            [true, true, false]
        );
        drop(loan);
        tokio::time::sleep(IDLE + 2 * SWEEP).await;
        assert!(!ids.iter().any(open));
        // The sweeper has ended; a new session starts another one.
        let late = uploads.open("a", session()).expect("room");
        tokio::time::sleep(IDLE + 2 * SWEEP).await;
        assert!(!open(&late));
    }

    #[tokio::test]
    async fn ids_differ_and_their_number_is_bounded() {
        let uploads = Uploads::new();
        let ids: std::collections::HashSet<String> = (0..MOST)
            .map(|_| uploads.open("a", session()).expect("room"))
            .collect();
        assert_eq!(ids.len(), MOST);
        let refused = uploads.open("a", session());
        assert!(matches!(refused, Err(NotOpened::TooMany)));
    }
}
