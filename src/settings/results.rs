//! Settings of `airbuoy results`.

use camino::Utf8PathBuf;

use super::SettingsError;
use super::out_dir::new_file;
use crate::cli::{Format, OutputArgs, ResultsArgs};

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct ResultsSettings {
    /// The results.
    pub tarball: Utf8PathBuf,
    /// Where the page goes.
    pub html: Option<Utf8PathBuf>,
    /// Form of the answer.
    pub output: Format,
}

impl ResultsSettings {
    /// Takes the flags apart; the page must be writable.
    pub fn resolve(args: &ResultsArgs) -> Result<Self, SettingsError> {
        let ResultsArgs {
            tarball,
            html,
            output: OutputArgs { output },
        } = args;
        Ok(Self {
            tarball: tarball.clone(),
            html: new_file("--html", html.as_deref())?,
            output: *output,
        })
    }
}
