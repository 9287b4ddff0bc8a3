//! Inside a bundle names have no host: what people and reports see of the pseudo host is taken
//! away again.

use std::sync::Arc;

use crate::bundle::BUNDLE_HOST;
use crate::event::{Event, Observer};
use crate::transfer::ImageRow;

/// `pause:3.10` of `bundle.invalid/pause:3.10`, wherever it stands in `text`.
fn shown(text: &str) -> String {
    text.replace(&format!("{BUNDLE_HOST}/"), "")
}

/// Rows as a report shows them.
pub(super) fn show_rows(rows: &mut [ImageRow]) {
    for row in rows {
        row.target = row.target.as_deref().map(shown);
        if let Some(error) = &mut row.error {
            error.message = shown(&error.message);
        }
    }
}

/// The same for what is read from a bundle under the name that it has inside.
pub(super) fn show_sources(rows: &mut [ImageRow]) {
    for row in rows {
        row.source = shown(&row.source);
    }
}

/// Passes events on, names as they are inside the bundle.
pub(super) struct InBundle<O>(pub(super) Arc<O>);

impl<O: Observer> Observer for InBundle<O> {
    fn event(&self, event: Event) {
        self.0.event(match event {
            Event::ImageFinished {
                image,
                target,
                status,
                error,
            } => Event::ImageFinished {
                image,
                target: shown(&target),
                status,
                error: error.as_deref().map(shown),
            },
            other => other,
        });
    }
}
