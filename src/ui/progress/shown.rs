//! One type for every way to show progress.

use std::io;

use super::bars::Bars;
use super::json::JsonLines;
use super::plain::Plain;
use crate::event::{Event, Observer};
use crate::ui::style::Style;

/// The way, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressKind {
    /// Bars on the terminal.
    Bars,
    /// One line an image.
    Plain,
    /// One JSON object an event.
    Json,
    /// Nothing.
    None,
}

/// An observer that shows what it hears.
#[derive(Debug)]
pub struct Progress(Shown);

#[derive(Debug)]
enum Shown {
    Bars(Bars),
    Plain(Plain<io::Stderr>),
    Json(JsonLines<io::Stderr>),
    None,
}

impl Progress {
    pub(crate) fn new(kind: ProgressKind, title: String, style: Style) -> Self {
        Self(match kind {
            ProgressKind::Bars => Shown::Bars(Bars::start(title, style)),
            ProgressKind::Plain => Shown::Plain(Plain::new(io::stderr(), title, style)),
            ProgressKind::Json => Shown::Json(JsonLines::new(io::stderr())),
            ProgressKind::None => Shown::None,
        })
    }

    /// Takes the bars off the terminal; whatever is printed next stands on lines of its own.
    pub fn finish(&self) {
        if let Shown::Bars(bars) = &self.0 {
            bars.finish();
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        match &self.0 {
            Shown::Bars(bars) => bars.event(event),
            Shown::Plain(plain) => plain.event(event),
            Shown::Json(json) => json.event(event),
            Shown::None => {}
        }
    }
}
