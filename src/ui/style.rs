//! Colour, decided once: every coloured word goes through a [`Style`].

use owo_colors::OwoColorize as _;

/// Whether words are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Plain text.
    pub const PLAIN: Self = Self { colour: false };

    /// Colours where `terminal` and nothing in the environment speaks against it.
    pub fn new(terminal: bool, wanted: bool) -> Self {
        Self {
            colour: terminal && wanted,
        }
    }

    /// Whether colours are on.
    pub(crate) fn is_coloured(self) -> bool {
        self.colour
    }

    pub(crate) fn error(self, text: &str) -> String {
        self.paint(text, |t| t.red().bold().to_string())
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint(text, |t| t.yellow().bold().to_string())
    }

    pub(crate) fn hint(self, text: &str) -> String {
        self.paint(text, |t| t.cyan().bold().to_string())
    }

    fn paint(self, text: &str, colour: impl Fn(&str) -> String) -> String {
        if self.colour && !text.is_empty() {
            colour(text)
        } else {
            text.to_owned()
        }
    }
}
