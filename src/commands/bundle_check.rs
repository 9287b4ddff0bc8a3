//! Whether a bundle is what it says: without reading its layers, or reading all of it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ExitStatus;
use crate::bundle::{Bundle, Verification};
use crate::content::{Code, Failure};
use crate::event::Observer;
use crate::ui::{self, Printer};

/// What came of a check.
pub(super) enum Checked {
    /// Nothing is wrong with it.
    Sound,
    /// What is wrong has been told; how the program ends.
    Unsound(ExitStatus),
}

/// Checks headers, sizes and manifests.
pub(super) fn structure(bundle: &Bundle, printer: &Printer) -> Checked {
    told(bundle, &bundle.check(), printer)
}

/// Reads and hashes everything.
pub(super) async fn whole(
    bundle: &Bundle,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
    printer: &Printer,
) -> Result<Checked, Failure> {
    let verification = verify(bundle, observer, cancel).await?;
    Ok(told(bundle, &verification.faults, printer))
}

/// The bundle's own verification, off the runtime's threads.
pub(super) async fn verify(
    bundle: &Bundle,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
) -> Result<Verification, Failure> {
    let (reading, cancel) = (bundle.clone(), cancel.clone());
    let verifying = tokio::task::spawn_blocking(move || reading.verify(&*observer, &cancel));
    verifying.await.unwrap_or_else(|error| {
        let path = bundle.path().as_str();
        Err(Failure::new(Code::Local, path, error.to_string()))
    })
}

fn told(bundle: &Bundle, faults: &[crate::bundle::Fault], printer: &Printer) -> Checked {
    if faults.is_empty() {
        return Checked::Sound;
    }
    let style = printer.style();
    let mut text = ui::faults(bundle.path(), faults, style);
    text.push_str(&ui::repair_hint(bundle.path(), faults, style));
    printer.errors(&text);
    Checked::Unsound(ExitStatus::Local)
}
