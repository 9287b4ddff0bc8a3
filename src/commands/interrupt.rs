//! Ctrl-C: the first asks the engines to stop, the second stops the process.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ExitStatus;
use crate::event::{Event, Observer};

/// What a copy or a check says when it is told to stop.
const GIVEN_UP: &str =
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
    tokio::spawn(async move {
        if !stop_signal().await {
            return;
        }
        observer.event(Event::Notice(words.to_owned()));
        cancelled.cancel();
        if stop_signal().await {
            std::process::exit(ExitStatus::Interrupted as i32);
        }
    });
    token
}

/// Waits for a signal to stop; false when this system delivers none.
async fn stop_signal() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return tokio::signal::ctrl_c().await.is_ok();
        };
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.is_ok(),
            terminated = terminate.recv() => terminated.is_some(),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
