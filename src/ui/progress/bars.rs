//! Bars on a terminal: a thread draws the tally a few times a second, so that hearing an event
//! costs a lock and an addition.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::Tally;
use super::words;
use crate::event::{Event, ImageStatus, Observer};
use crate::ui::style::Style;
use crate::ui::text::hanging;

const FRAME: Duration = Duration::from_millis(200);

/// Draws on standard error until finished or dropped.
#[derive(Debug)]
pub(super) struct Bars {
    title: String,
    style: Style,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    tally: Tally,
    multi: MultiProgress,
    lines: Vec<ProgressBar>,
    finished: bool,
}

impl Bars {
    pub(super) fn start(title: String, style: Style) -> Self {
        let state = Arc::new(Mutex::new(State {
            tally: Tally::default(),
            multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            lines: Vec::new(),
            finished: false,
        }));
        let drawn = Arc::downgrade(&state);
        thread::spawn(move || draw(&drawn));
        Self {
            title,
            style,
            state,
        }
    }

    pub(super) fn finish(&self) {
        let mut state = lock(&self.state);
        state.finished = true;
        state.lines.clear();
        let _ = state.multi.clear();
    }
}

impl Observer for Bars {
    fn event(&self, event: Event) {
        let line = match &event {
            Event::Planned { .. } => words::planned(&self.title, &event),
            Event::Notice(text) => Some(hanging(text)),
            Event::Warning(text) => Some(words::warning(self.style, text)),
            Event::ImageFinished {
                image,
                status: ImageStatus::Failed,
                error,
                ..
            } => Some(words::failed(self.style, image, error.as_deref())),
            _ => None,
        };
        let mut state = lock(&self.state);
        if let Some(line) = line {
            let _ = state.multi.println(line);
        }
        state.tally.add(event, Instant::now());
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Progress is no reason to take a copy down.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn draw(state: &Weak<Mutex<State>>) {
    loop {
        thread::sleep(FRAME);
        let Some(state) = state.upgrade() else {
            return;
        };
        let mut state = lock(&state);
        if state.finished {
            return;
        }
        state.draw();
    }
}

impl State {
    fn draw(&mut self) {
        let (height, width) = console_size();
        let lines = self.tally.lines(Instant::now(), width, (height / 8).max(1));
        while self.lines.len() > lines.len() {
            if let Some(line) = self.lines.pop() {
                self.multi.remove(&line);
            }
        }
        while self.lines.len() < lines.len() {
            let line = self.multi.add(ProgressBar::no_length());
            line.set_style(
                ProgressStyle::with_template("{msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            self.lines.push(line);
        }
        for (shown, line) in self.lines.iter().zip(lines) {
            shown.set_message(line);
        }
    }
}

/// Rows and columns of the terminal behind standard error; what a first terminal had when it does
/// not say.
fn console_size() -> (usize, usize) {
    terminal_size::terminal_size_of(std::io::stderr()).map_or((24, 80), |(width, height)| {
        (height.0.into(), width.0.into())
    })
}
