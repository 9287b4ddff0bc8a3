//! Ctrl-C: the first asks the engines to stop, the second stops the process.

use std::convert::Infallible;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ExitStatus;
use crate::event::{Event, Observer};

/// What a copy or a check says when it is told to stop.
pub(super) const GIVEN_UP: &str =
    "Stopping: what is on the way is given up, what arrived stays. Once more stops at once.";

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process with 130.
///
/// Must be called inside the runtime.
pub(super) fn cancel_on_signal(observer: Arc<dyn Observer>) -> CancellationToken {
    cancel_on_signal_saying(observer, GIVEN_UP)
}

/// The same, with other words.
pub(super) fn cancel_on_signal_saying(
    observer: Arc<dyn Observer>,
    words: &'static str,
) -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    // Before anything else is begun: a signal that comes first would end the process as it stands.
    let mut stop = Stop::listen();
    tokio::spawn(async move { stop.hear(&cancelled, &*observer, words).await });
    token
}

/// The signals to stop, for a verb of several steps: none is lost between them.
pub(super) struct Stop {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

impl Stop {
    /// From here on the signals wait to be asked for.
    pub(super) fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Self {
                signals: [SignalKind::interrupt(), SignalKind::terminate()]
                    .map(|kind| signal(kind).ok()),
            }
        }
        #[cfg(not(unix))]
        Self {}
    }

    async fn hear(
        &mut self,
        token: &CancellationToken,
        observer: &dyn Observer,
        words: &str,
    ) -> Infallible {
        self.signal().await;
        observer.event(Event::Notice(words.to_owned()));
        token.cancel();
        self.signal().await;
        std::process::exit(ExitStatus::Interrupted as i32);
    }

    /// Returns at the next one; never when this system delivers none.
    async fn signal(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                () = received(interrupt) => {}
                () = received(terminate) => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The verbs of several steps are those of a cluster.
#[cfg(feature = "cluster")]
impl Stop {
    /// Does work that can be given up at any moment; `None` when it was.
    pub(super) async fn unless_asked<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.signal() => None,
        }
    }

    /// Does work that ends by itself soon after the token is cancelled. The first signal says
    /// `words` and cancels it; the second ends the process with 130.
    pub(super) async fn while_working<T>(
        &mut self,
        observer: &dyn Observer,
        words: &str,
        work: impl AsyncFnOnce(&CancellationToken) -> T,
    ) -> T {
        let token = CancellationToken::new();
        tokio::select! {
            done = work(&token) => done,
            never = self.hear(&token, observer, words) => match never {},
        }
    }
}

/// Returns at the next delivery; never without a signal.
#[cfg(unix)]
pub(super) async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}
