//! Settings of `airbuoy bundle ls`.

use camino::Utf8PathBuf;

use crate::cli::{BundleLsArgs, Format, OutputArgs};

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct BundleLsSettings {
    /// Where the bundle lies.
    pub bundle: Utf8PathBuf,
    /// Form of the answer.
    pub output: Format,
}

impl BundleLsSettings {
    /// Takes the flags apart.
    pub fn resolve(args: &BundleLsArgs) -> Self {
        let BundleLsArgs {
            bundle,
            output: OutputArgs { output },
        } = args;
        Self {
            bundle: bundle.clone(),
            output: *output,
        }
    }
}
