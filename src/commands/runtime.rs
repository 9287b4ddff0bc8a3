//! The asynchronous half of the program: a runtime for the verbs that wait for networks.

use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;

/// Tasks that were given up get this long to let go of their sockets.
const LINGER: Duration = Duration::from_millis(500);

/// Runs `work` on a runtime with a worker a core.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start worker threads")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(LINGER);
    result
}
