//! How much is said, and in which colours.

use super::Environment;
use crate::cli::{MessageArgs, ProgressMode};

/// Resolved `--progress`, `-q`, `-v` and the environment's word on colours.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    /// How progress is shown.
    pub progress: ProgressMode,
    /// Say nothing but errors.
    pub quiet: bool,
    /// How much is logged: 0 nothing, 1 what is done, 2 every request.
    pub verbose: u8,
    /// Colours are welcome, on a terminal.
    pub colour: bool,
}

impl Messages {
    /// Takes the flags apart. `NO_COLOR` (<https://no-color.org>) and `TERM=dumb` turn colours
    /// off.
    pub fn resolve(args: &MessageArgs, environment: &Environment) -> Self {
        let MessageArgs {
            progress,
            quiet,
            verbose,
        } = *args;
        let colour =
            environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb");
        Self {
            progress,
            quiet,
            verbose,
            colour,
        }
    }
}
