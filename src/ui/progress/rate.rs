//! Bytes a second over the last moments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Long enough to be calm, short enough to notice a network that stopped.
const WINDOW: Duration = Duration::from_secs(10);

/// Spacing of the samples in the window.
const SPACING: Duration = Duration::from_millis(250);

/// Below this a rate is noise.
const SETTLED: Duration = Duration::from_secs(1);

/// Samples of a growing count.
#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Notes that the count is `count` now.
    pub(super) fn note(&mut self, now: Instant, count: u64) {
        let due = self
            .samples
            .back()
            .is_none_or(|(at, _)| now.duration_since(*at) >= SPACING);
        if due {
            self.samples.push_back((now, count));
        }
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= WINDOW {
            self.samples.pop_front();
        }
    }

    /// Bytes a second, once there is enough to tell.
    pub(super) fn per_second(&self, now: Instant, count: u64) -> Option<f64> {
        let (at, before) = self.samples.front()?;
        let time = now.duration_since(*at);
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let bytes = count.saturating_sub(*before) as f64;
        (time >= SETTLED && bytes > 0.0).then(|| bytes / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_speed_is_forgotten() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let second = Duration::from_secs(1);
        rate.note(start, 0);
        assert_eq!(rate.per_second(start, 5), None);
        let mut count = 0;
        for i in 1..=20 {
            count += 1000;
            rate.note(start + second * i, count);
        }
        let steady = rate.per_second(start + second * 20, count);
        assert!(steady.is_some_and(|r| (r - 1000.0).abs() < 1.0));
        for i in 21..=40 {
            rate.note(start + second * i, count);
        }
        assert_eq!(rate.per_second(start + second * 40, count), None);
    }
}
