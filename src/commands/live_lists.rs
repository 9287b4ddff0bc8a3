//! Lists that `--live` reads before the verb itself begins.

use std::sync::Arc;

use super::interrupt::cancel_on_signal;
use super::runtime;
use crate::cli::LiveArgs;
use crate::content::{Code, Failure};
use crate::live::{Cache, read};
use crate::registry::{Options, Registry};
use crate::settings::{Environment, Release, cache_dir};
use crate::ui::Printer;

/// Reads what `release` only assumes so far, one image after the other; does nothing when that is
/// nothing.
pub(super) fn read_lists(
    release: &mut Release,
    source: &Options,
    args: &LiveArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<()> {
    if release.unread.is_empty() {
        return Ok(());
    }
    let cache = Cache::new(&cache_dir(args, environment)?);
    runtime::block_on(async {
        let progress = Arc::new(printer.progress("Image lists"));
        let cancel = cancel_on_signal(progress.clone());
        let registry = Registry::with_observer(source.clone(), progress.clone())?;
        let mut outcome = Ok(());
        while let Some(index) = release.unread.first().copied()
            && outcome.is_ok()
        {
            let assumed = &release.sets[index];
            let image = &assumed.conformance_image;
            let list = tokio::select! {
                list = read(&registry, assumed, &cache, &*progress) => list,
                () = cancel.cancelled() => {
                    Err(Failure::new(Code::Cancelled, image.host(), "the run was stopped"))
                }
            };
            outcome = list.map(|set| {
                release.sets[index] = set;
                release.unread.remove(0);
            });
        }
        progress.finish();
        Ok(outcome?)
    })
}
