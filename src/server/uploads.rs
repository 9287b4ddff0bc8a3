//! Upload sessions: who holds their id may go on with them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session that nobody used for this long is given up: no client pauses inside a blob for an
/// hour and comes back.
const IDLE: Duration = Duration::from_hours(1);
/// More than any client opens at once; a bound for one that never closes any.
const MOST: usize = 1024;

/// The open sessions.
pub(super) struct Uploads<U> {
    open: Mutex<HashMap<String, Session<U>>>,
}

/// One blob on its way.
pub(super) struct Session<U> {
    pub(super) repository: String,
    pub(super) upload: U,
    /// How many bytes arrived.
    pub(super) received: u64,
    /// A chunk was handed to the store and its answer is outstanding: how many bytes the store
    /// holds is not known.
    pub(super) torn: bool,
    used: Instant,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("{MOST} uploads are open already; finish or cancel some")]
    TooMany,
    #[error("the system gave no random numbers: {0}")]
    Random(getrandom::Error),
}

impl<U> Uploads<U> {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::default(),
        }
    }

    /// Opens a session and gives its id: 128 bits that cannot be guessed, as hex.
    pub(super) fn open(&self, session: Session<U>) -> Result<String, NotOpened> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(NotOpened::Random)?;
        let id = format!("{:032x}", u128::from_ne_bytes(random));
        let mut open = self.lock();
        open.retain(|_, session| session.used.elapsed() < IDLE);
        if open.len() >= MOST {
            return Err(NotOpened::TooMany);
        }
        open.insert(id.clone(), session);
        Ok(id)
    }

    /// How many sessions are open, those in use by a request left out.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// How many bytes the session has received.
    pub(super) fn received(&self, repository: &str, id: &str) -> Option<u64> {
        let open = self.lock();
        let session = open.get(id).filter(|s| s.repository == repository);
        session.map(|s| s.received)
    }

    /// Takes the session out for good.
    pub(super) fn close(&self, repository: &str, id: &str) -> Option<Session<U>> {
        let mut open = self.lock();
        if open.get(id)?.repository == repository {
            open.remove(id)
        } else {
            None
        }
    }

    /// Takes the session out until the loan is dropped, also by a client that goes away.
    pub(super) fn lend(&self, repository: &str, id: &str) -> Option<Loan<'_, U>> {
        let session = Some(self.close(repository, id)?);
        Some(Loan {
            uploads: self,
            id: id.to_owned(),
            session,
        })
    }

    /// Every change under the lock is one call on the map.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session<U>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U> Session<U> {
    pub(super) fn new(repository: &str, upload: U) -> Self {
        Self {
            repository: repository.to_owned(),
            upload,
            received: 0,
            torn: false,
            used: Instant::now(),
        }
    }
}

/// A session in use by one request.
pub(super) struct Loan<'a, U> {
    uploads: &'a Uploads<U>,
    id: String,
    session: Option<Session<U>>,
}

impl<U> Loan<'_, U> {
    /// The session; `None` never before the loan is dropped.
    pub(super) fn session(&mut self) -> Option<&mut Session<U>> {
        self.session.as_mut()
    }

    /// Keeps the session: it does not come back.
    pub(super) fn keep(mut self) -> Option<Session<U>> {
        self.session.take()
    }
}

impl<U> Drop for Loan<'_, U> {
    fn drop(&mut self) {
        if let Some(mut session) = self.session.take().filter(|s| !s.torn) {
            session.used = Instant::now();
            let id = std::mem::take(&mut self.id);
            self.uploads.lock().insert(id, session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_belongs_to_its_repository() {
        let uploads = Uploads::new();
        let id = uploads.open(Session::new("a", ())).expect("room");
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(uploads.received("b", &id), None);
        assert!(uploads.close("b", &id).is_none());
        assert_eq!(uploads.received("a", &id), Some(0));
        assert!(uploads.close("a", &id).is_some());
        assert_eq!(uploads.received("a", &id), None);
    }

    #[test]
    fn a_loan_comes_back_unless_it_is_torn() {
        let uploads = Uploads::new();
        let id = uploads.open(Session::new("a", ())).expect("room");
        {
            let mut loan = uploads.lend("a", &id).expect("open");
            assert!(uploads.lend("a", &id).is_none());
            loan.session().expect("lent").received = 7;
        }
        assert_eq!(uploads.received("a", &id), Some(7));
        {
            let mut loan = uploads.lend("a", &id).expect("open");
            loan.session().expect("lent").torn = true;
        }
        assert_eq!(uploads.received("a", &id), None);
    }

    #[test]
    fn what_is_kept_does_not_come_back() {
        let uploads = Uploads::new();
        let id = uploads.open(Session::new("a", ())).expect("room");
        let loan = uploads.lend("a", &id).expect("open");
        assert!(loan.keep().is_some());
        assert_eq!(uploads.received("a", &id), None);
    }

    #[test]
    fn ids_differ_and_their_number_is_bounded() {
        let uploads = Uploads::new();
        let ids: std::collections::HashSet<String> = (0..MOST)
            .map(|_| uploads.open(Session::new("a", ())).expect("room"))
            .collect();
        assert_eq!(ids.len(), MOST);
        let refused = uploads.open(Session::new("a", ()));
        assert!(matches!(refused, Err(NotOpened::TooMany)));
    }
}
