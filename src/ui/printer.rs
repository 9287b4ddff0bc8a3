//! The two streams: what was asked for goes to standard output, everything else to standard
//! error. Nothing else in the program prints.

use std::io::{self, IsTerminal as _, Write as _};

use super::error;
use super::progress::{Progress, ProgressKind, json_line};
use super::style::Style;
use super::text;
use crate::cli::ProgressMode;
use crate::settings::Messages;

/// Prints.
#[derive(Debug, Clone)]
pub struct Printer {
    style: Style,
    quiet: bool,
    progress: ProgressKind,
}

impl Printer {
    /// A printer for the process's own streams.
    pub fn new(messages: &Messages) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            style: Style::new(terminal, messages.colour),
            quiet: messages.quiet,
            progress: progress_kind(*messages, terminal),
        }
    }

    /// How words are coloured on standard error.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Writes what was asked for to standard output.
    pub fn document(&self, text: &str) -> io::Result<()> {
        self.document_bytes(text.as_bytes())
    }

    /// Writes what was asked for to standard output. A reader that went away (`| head`) has what
    /// it wanted: that is no error.
    pub fn document_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done.map_err(|e| {
                io::Error::new(e.kind(), format!("cannot write to standard output: {e}"))
            }),
        }
    }

    /// A fact on standard error.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.tell("notice", line, || line.to_owned());
        }
    }

    /// Something worth acting on.
    pub fn warn(&self, warning: &str) {
        if !self.quiet {
            self.tell("warning", warning, || {
                let word = self.style.warning("warning:");
                format!("{word} {}", text::hanging(warning))
            });
        }
    }

    /// Why the run ends, with its hint; also when quiet.
    pub fn error(&self, error: &anyhow::Error) {
        self.tell("error", &error::one_sentence(error), || {
            error::render(error, self.style).trim_end().to_owned()
        });
    }

    /// Asks a question that only a person can answer: no without a terminal to read from.
    pub fn ask(&self, question: &str) -> io::Result<bool> {
        if !io::stdin().is_terminal() {
            return Ok(false);
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Prepared error lines; also when quiet. Programs find the same in the report.
    pub fn errors(&self, lines: &str) {
        if !lines.is_empty() && self.progress != ProgressKind::Json {
            stderr_line(lines.trim_end());
        }
    }

    /// A line for people, or an event where standard error is read by a program.
    fn tell(&self, event: &str, message: &str, line: impl FnOnce() -> String) {
        if self.progress == ProgressKind::Json {
            stderr_line(&json_line(event, serde_json::json!({"message": message})));
        } else {
            stderr_line(&line());
        }
    }

    /// What shows the work in progress. `title` begins the line that says how much there is.
    pub fn progress(&self, title: impl Into<String>) -> Progress {
        Progress::new(self.progress, title.into(), self.style)
    }
}

fn progress_kind(messages: Messages, terminal: bool) -> ProgressKind {
    // Log lines and bars would overwrite each other.
    let bars = terminal && messages.verbose == 0;
    match messages.progress {
        ProgressMode::Json => ProgressKind::Json,
        ProgressMode::None => ProgressKind::None,
        _ if messages.quiet => ProgressKind::None,
        ProgressMode::Auto | ProgressMode::Bars if bars => ProgressKind::Bars,
        ProgressMode::Auto | ProgressMode::Bars | ProgressMode::Plain => ProgressKind::Plain,
    }
}

/// Writes a line to standard error. When that is gone nobody can be told.
fn stderr_line(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(progress: ProgressMode, quiet: bool, verbose: u8, terminal: bool) -> ProgressKind {
        let messages = Messages {
            progress,
            quiet,
            verbose,
            colour: false,
        };
        progress_kind(messages, terminal)
    }

    #[test]
    fn bars_need_a_terminal_of_their_own() {
        use ProgressMode::{Auto, Bars, Json, Plain};
        assert_eq!(kind(Auto, false, 0, true), ProgressKind::Bars);
        assert_eq!(kind(Auto, false, 0, false), ProgressKind::Plain);
        assert_eq!(kind(Auto, false, 1, true), ProgressKind::Plain);
        assert_eq!(kind(Bars, false, 0, false), ProgressKind::Plain);
        assert_eq!(kind(Plain, false, 0, true), ProgressKind::Plain);
        assert_eq!(kind(Auto, true, 0, true), ProgressKind::None);
        assert_eq!(kind(Json, true, 0, true), ProgressKind::Json);
    }
}
