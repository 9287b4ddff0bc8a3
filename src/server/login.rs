//! Who may use a registry: HTTP Basic (RFC 7617) against bcrypt hashes.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::htpasswd::{HtpasswdError, Users};

/// The logins of a registry. A password is hashed slowly once; after that a keyed hash of it
/// answers, so that a login costs a node one bcrypt and not one a request.
pub struct Logins {
    table: RwLock<Arc<Table>>,
    /// How many passwords are hashed at once: half of the cores at most, so that strangers who
    /// guess do not stop the blobs.
    hashing: Semaphore,
}

struct Table {
    users: HashMap<String, String>,
    /// Compared with when there is no such user: that must take as long.
    dummy: String,
    /// Of this process alone; what [`verified`](Self::verified) holds is worth nothing elsewhere.
    key: [u8; 32],
    /// The login of each user that was found right last.
    verified: Mutex<HashMap<String, [u8; 32]>>,
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("this registry asks for a login")]
    Missing,
    #[error("user or password is wrong")]
    Wrong,
}

impl Logins {
    /// Takes the text of an htpasswd file whose hashes are bcrypt's.
    pub fn parse(htpasswd: &str) -> Result<Self, HtpasswdError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            table: RwLock::new(Arc::new(Table::parse(htpasswd)?)),
            hashing: Semaphore::new((cores / 2).max(1)),
        })
    }

    /// Goes on with another file's logins and forgets which were found right; on an error the old
    /// ones stay.
    pub fn replace(&self, htpasswd: &str) -> Result<(), HtpasswdError> {
        let table = Arc::new(Table::parse(htpasswd)?);
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        Ok(())
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.table().users.len()
    }

    /// The user that the value of an `Authorization` header stands for.
    pub(super) async fn check(&self, header: Option<&HeaderValue>) -> Result<String, Denied> {
        let header = header.ok_or(Denied::Missing)?;
        let (user, password) = basic(header).ok_or(Denied::Wrong)?;
        let table = self.table();
        let tag = table.tag(&user, &password);
        if table.knows(&user, &tag) {
            return Ok(user);
        }
        let Ok(_turn) = self.hashing.acquire().await else {
            return Err(Denied::Wrong);
        };
        // A hundred nodes that come with one new login at once are one hash.
        if table.knows(&user, &tag) {
            return Ok(user);
        }
        let hash = table.users.get(&user);
        let known = hash.is_some();
        let hash = hash.unwrap_or(&table.dummy).clone();
        let compare = move || bcrypt::verify(password, &hash).unwrap_or(false);
        let right = spawn_blocking(compare).await.unwrap_or(false);
        if !(known && right) {
            return Err(Denied::Wrong);
        }
        table.remember(&user, tag);
        Ok(user)
    }

    fn table(&self) -> Arc<Table> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&table)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

impl Table {
    fn parse(htpasswd: &str) -> Result<Self, HtpasswdError> {
        let users = Users::parse(htpasswd)?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| HtpasswdError::Random(e.to_string()))?;
        Ok(Self {
            dummy: format!("$2b${:02}${}", users.cost, ".".repeat(53)),
            users: users.hashes,
            key,
            verified: Mutex::default(),
        })
    }

    /// A keyed hash of a login. The length keeps `a` + `bc` apart from `ab` + `c`.
    fn tag(&self, user: &str, password: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user);
        hash.update(password);
        hash.finalize().into()
    }

    fn knows(&self, user: &str, tag: &[u8; 32]) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verified.get(user);
        known.is_some_and(|known| known.ct_eq(tag).into())
    }

    fn remember(&self, user: &str, tag: [u8; 32]) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.insert(user.to_owned(), tag);
    }
}

/// User and password of a `Basic` header.
fn basic(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, text) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut login = STANDARD.decode(text.trim()).ok()?;
    let colon = login.iter().position(|b| *b == b':')?;
    let password = login.split_off(colon + 1);
    login.pop();
    Some((String::from_utf8(login).ok()?, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn htpasswd(user: &str, password: &str) -> String {
        let hash = bcrypt::hash(password, 4).expect("a hash");
        format!("{user}:{hash}\n")
    }

    fn header(login: &str) -> HeaderValue {
        let value = format!("Basic {}", STANDARD.encode(login));
        HeaderValue::from_str(&value).expect("ASCII")
    }

    async fn check(logins: &Logins, login: &str) -> Result<String, Denied> {
        logins.check(Some(&header(login))).await
    }

    #[tokio::test]
    async fn who_is_let_in() {
        let logins = Logins::parse(&htpasswd("site", "pass:word")).expect("a login");
        assert_eq!(logins.check(None).await, Err(Denied::Missing));
        for _ in 0..2 {
            assert_eq!(check(&logins, "site:pass:word").await, Ok("site".into()));
            for wrong in ["site:pass", "site:", "Site:pass:word", "site", ":", ""] {
                assert_eq!(check(&logins, wrong).await, Err(Denied::Wrong), "{wrong}");
            }
        }
        for value in ["Bearer x", "Basic ?", "Basic", "Basic /////w=="] {
            let value = HeaderValue::from_static(value);
            assert_eq!(logins.check(Some(&value)).await, Err(Denied::Wrong));
        }
        let lower = header("site:pass:word");
        let lower = lower.to_str().expect("ASCII").replace("Basic", "basic");
        let lower = HeaderValue::from_str(&lower).expect("ASCII");
        assert!(logins.check(Some(&lower)).await.is_ok());
    }

    #[tokio::test]
    async fn a_replaced_login_is_forgotten_and_a_bad_file_changes_nothing() {
        let logins = Logins::parse(&htpasswd("site", "old")).expect("a login");
        assert!(check(&logins, "site:old").await.is_ok());
        assert!(logins.replace("site:plain").is_err());
        assert!(check(&logins, "site:old").await.is_ok());
        logins.replace(&htpasswd("site", "new")).expect("a login");
        assert_eq!(check(&logins, "site:old").await, Err(Denied::Wrong));
        assert!(check(&logins, "site:new").await.is_ok());
    }

    #[tokio::test]
    async fn a_login_is_hashed_once_and_never_kept() {
        let logins = Logins::parse(&htpasswd("site", "word")).expect("a login");
        assert!(check(&logins, "site:word").await.is_ok());
        let table = logins.table();
        let tag = table.tag("site", b"word");
        assert!(table.knows("site", &tag));
        assert!(!table.knows("site", &table.tag("site", b"words")));
        assert_ne!(table.tag("site", b"word"), table.tag("sit", b"eword"));
        let other = Logins::parse(&htpasswd("site", "word")).expect("a login");
        assert_ne!(other.table().tag("site", b"word"), tag);
        // With no turn left only a login that is known already gets through.
        let _all = logins
            .hashing
            .acquire_many(u32::try_from(logins.hashing.available_permits()).expect("few"));
        let _all = _all.await.expect("open");
        assert!(check(&logins, "site:word").await.is_ok());
    }

    #[test]
    fn an_unknown_user_costs_a_hash_of_the_same_cost() {
        let table = Table::parse(&htpasswd("site", "word")).expect("a login");
        assert!(table.dummy.starts_with("$2b$04$"));
        let verdict = bcrypt::verify("word", &table.dummy);
        assert!(!verdict.expect("a hash that can be computed"));
    }
}
