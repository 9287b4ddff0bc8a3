//! When to try again: the back-off schedule as a value, `Retry-After`, and the pause of a host.
//! Nothing here sleeps except [`Pause::wait`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::HeaderValue;

/// Longest single back-off: a registry that restarts is back within it.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Delays before the second, third, ... try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) first: Duration,
}

impl Schedule {
    /// The delay after `failed` tries (1 or more): doubled each time, at most 30 s, of which
    /// `jitter` (0 to 1) decides the upper half so that many callers do not come back at once.
    pub(super) fn delay(self, failed: u32, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(
            1_u32
                .checked_shl(failed.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        doubled
            .min(LONGEST_BACKOFF)
            .mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

/// A number between 0 and 1 for spreading: the seed of a hash map is random enough for that.
pub(super) fn jitter() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}

/// The delay that a `Retry-After` header asks for: seconds, or an HTTP date (RFC 9110, 10.2.3).
/// What cannot be read counts as absent.
pub(super) fn retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let when = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(Duration::try_from(when.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// "Not before": one a host, set by 429 and 503.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Until when the host is to be left alone, when that is in the future.
    pub(super) fn until(&self) -> Option<Instant> {
        let until = *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        until.filter(|&until| until > Instant::now())
    }

    /// Leaves the host alone for `delay`; true when that is longer than was known.
    pub(super) fn extend(&self, delay: Duration) -> bool {
        let mut until = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let wanted = Instant::now() + delay;
        // Answers to requests sent together ask for nearly the same moment: one pause, not many.
        let longer = until.is_none_or(|u| wanted > u + Duration::from_millis(500));
        if until.is_none_or(|u| wanted > u) {
            *until = Some(wanted);
        }
        longer
    }

    /// Sleeps until the pause is over.
    pub(super) async fn wait(&self) {
        while let Some(until) = self.until() {
            tokio::time::sleep_until(until.into()).await;
            // Not all callers in the same millisecond.
            tokio::time::sleep(Duration::from_millis(50).mul_f64(jitter())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_whole_schedule() {
        let schedule = Schedule {
            first: Duration::from_millis(200),
        };
        let delays: Vec<u128> = (1..=10)
            .map(|failed| schedule.delay(failed, 1.0).as_millis())
            .collect();
        assert_eq!(
            delays,
            [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]
        );
        assert_eq!(schedule.delay(1, 0.0), Duration::from_millis(100));
        assert_eq!(schedule.delay(u32::MAX, 1.0), Duration::from_secs(30));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-06T08:49:37Z".parse().expect("a time");
        let read = |text: &str| retry_after(&HeaderValue::from_str(text).expect("a header"), now);
        assert_eq!(read("60"), Some(Duration::from_mins(1)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            read("Fri, 06 Nov 2026 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(read("Fri, 06 Nov 2026 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
    }

    #[test]
    fn a_pause_only_grows() {
        let pause = Pause::default();
        assert!(pause.until().is_none());
        assert!(pause.extend(Duration::from_mins(1)));
        let until = pause.until();
        assert!(!pause.extend(Duration::from_secs(5)));
        assert_eq!(pause.until(), until);
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "[ -~]{0,40}") {
            let now = Timestamp::UNIX_EPOCH;
            let _ = retry_after(&HeaderValue::from_str(&text).expect("printable"), now);
        }

        #[test]
        fn a_delay_is_never_longer_than_the_cap(failed in 0_u32..100, jitter in -1.0_f64..2.0) {
            let schedule = Schedule { first: Duration::from_secs(1) };
            prop_assert!(schedule.delay(failed, jitter) <= LONGEST_BACKOFF);
        }
    }
}
