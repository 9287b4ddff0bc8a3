//! Flags that say what images are called at the target.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

/// `--flat`, `--e2e-repo-config`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Names at the target")]
pub struct NamingArgs {
    /// Put every image right under TARGET instead of keeping its path.
    #[arg(
        long,
        env = "AIRBUOY_FLAT",
        value_parser = BoolishValueParser::new(),
        conflicts_with = "e2e_repo_config",
        hide_env = true
    )]
    pub flat: bool,

    /// Use the prefixes of this repo config file; registry keys it leaves out are not mirrored.
    #[arg(
        long,
        env = "AIRBUOY_E2E_REPO_CONFIG",
        value_name = "FILE",
        hide_env = true
    )]
    pub e2e_repo_config: Option<Utf8PathBuf>,
}
