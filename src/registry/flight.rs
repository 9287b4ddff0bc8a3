//! One fetch for concurrent callers: the others wait and take its result.

use std::future::Future;
use std::time::Instant;

use tokio::sync::Mutex;

use super::trouble::Trouble;

/// A value that is fetched when somebody needs it. A success is kept; a failure is told to those
/// who waited for it, and the next caller tries again.
pub(super) struct Flight<T>(Mutex<Option<(Instant, Result<T, Trouble>)>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Flight<T> {
    /// The kept value when `good` says so, otherwise what `fetch` gives.
    pub(super) async fn get(
        &self,
        good: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let asked = Instant::now();
        let mut slot = self.0.lock().await;
        match &*slot {
            Some((_, Ok(value))) if good(value) => return Ok(value.clone()),
            Some((at, Err(trouble))) if *at >= asked => return Err(trouble.clone()),
            _ => {}
        }
        let result = fetch.await;
        *slot = Some((Instant::now(), result.clone()));
        result
    }

    /// The kept value, unless somebody is just fetching.
    pub(super) fn peek(&self) -> Option<T> {
        match &*self.0.try_lock().ok()? {
            Some((_, Ok(value))) => Some(value.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::content::Code;

    async fn together(fail: bool) -> (u32, usize) {
        let flight = Arc::new(Flight::<u32>::default());
        let fetched = Arc::new(AtomicU32::new(0));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (flight, fetched) = (Arc::clone(&flight), Arc::clone(&fetched));
                tokio::spawn(async move {
                    flight
                        .get(|_| true, async {
                            fetched.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            if fail {
                                Err(Trouble::fatal(Code::Protocol, "no"))
                            } else {
                                Ok(7)
                            }
                        })
                        .await
                        .is_ok()
                })
            })
            .collect();
        let mut good = 0;
        for caller in callers {
            good += usize::from(caller.await.expect("no panic"));
        }
        (fetched.load(Ordering::SeqCst), good)
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_fetch() {
        assert_eq!(together(false).await, (1, 8));
    }

    #[tokio::test]
    async fn those_who_waited_share_the_failure() {
        assert_eq!(together(true).await, (1, 0));
    }
}
