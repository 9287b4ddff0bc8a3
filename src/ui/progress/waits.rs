//! Which pauses of a host are worth a line: many requests wait for the same one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Below this a pause passes faster than it is read.
const WORTH_TELLING: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Waits {
    until: HashMap<String, Instant>,
}

impl Waits {
    /// Whether this pause is long, and news: not over when the last one told for the host is.
    pub(super) fn is_news(&mut self, host: &str, delay: Duration, now: Instant) -> bool {
        if delay < WORTH_TELLING {
            return false;
        }
        let told = self.until.get(host).is_some_and(|&until| now < until);
        if !told {
            self.until.insert(host.to_owned(), now + delay);
        }
        !told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_once() {
        let (mut waits, now) = (Waits::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert!(!waits.is_news("a", second / 2, now));
        assert!(waits.is_news("a", second * 30, now));
        assert!(!waits.is_news("a", second * 30, now + second));
        assert!(waits.is_news("b", second * 30, now + second));
        assert!(waits.is_news("a", second * 30, now + second * 31));
    }
}
