//! Time that runs while a peer is waited for: a timer that is cheap to move, and the pace that a
//! body has to keep.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What must pass within the time of a stall: about 1 KB/s with the default minute.
const QUOTA: usize = 64 << 10;

/// A timer for deadlines that mostly move away before they are reached. A later deadline does not
/// touch the timer of the runtime: it goes off early once and is set again.
#[derive(Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `deadline` has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// Measures the time spent waiting for a peer since it last moved [`QUOTA`] bytes.
pub(super) struct Pace {
    stall: Duration,
    waited: Duration,
    since: Option<Instant>,
    moved: usize,
    alarm: Alarm,
}

impl Pace {
    pub(super) fn new(stall: Duration) -> Self {
        Self {
            stall,
            waited: Duration::ZERO,
            since: None,
            moved: 0,
            alarm: Alarm::default(),
        }
    }

    /// The peer moved so many bytes.
    pub(super) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= QUOTA {
            self.moved = 0;
            self.waited = Duration::ZERO;
        }
    }

    /// Nothing is asked of the peer any more.
    pub(super) fn settled(&mut self) {
        self.since = None;
        self.moved = 0;
        self.waited = Duration::ZERO;
    }

    /// To be called while the peer is waited for: ready when it took too long, or at `latest`.
    pub(super) fn poll_stalled(
        &mut self,
        cx: &mut Context<'_>,
        latest: Option<Instant>,
    ) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let stalled = since + self.stall.saturating_sub(self.waited);
        let deadline = latest.map_or(stalled, |latest| latest.min(stalled));
        self.alarm.poll(cx, deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    async fn wait(pace: &mut Pace, time: Duration) -> bool {
        let stalled = poll_fn(|cx| pace.poll_stalled(cx, None));
        tokio::time::timeout(time, stalled).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_a_stall_and_a_pace_is_not() {
        let mut pace = Pace::new(STALL);
        for _ in 0..5 {
            assert!(!wait(&mut pace, Duration::from_secs(50)).await);
            pace.moved(QUOTA);
        }
        assert!(!wait(&mut pace, Duration::from_secs(25)).await);
        pace.moved(1);
        assert!(!wait(&mut pace, Duration::from_secs(25)).await);
        pace.moved(1);
        assert!(wait(&mut pace, Duration::from_secs(25)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_is_asked_of_the_peer_does_not_count() {
        let mut pace = Pace::new(STALL);
        assert!(!wait(&mut pace, Duration::from_secs(50)).await);
        pace.moved(1);
        tokio::time::sleep(STALL * 2).await;
        assert!(!wait(&mut pace, Duration::from_secs(9)).await);
        pace.settled();
        assert!(!wait(&mut pace, Duration::from_secs(59)).await);
        let latest = Some(Instant::now());
        let late = poll_fn(|cx| pace.poll_stalled(cx, latest));
        tokio::time::timeout(Duration::from_millis(1), late)
            .await
            .expect("late");
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_obeys_the_last_deadline() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        for (deadline, patience, rings) in [(5, 1, false), (9, 5, false), (8, 3, true)] {
            let deadline = start + second * deadline;
            let ringing = poll_fn(|cx| alarm.poll(cx, deadline));
            let rang = tokio::time::timeout(second * patience, ringing).await;
            assert_eq!(rang.is_ok(), rings);
        }
    }
}
