//! `airbuoy results`.

use camino::Utf8PathBuf;

use super::OutputArgs;

const AFTER_HELP: &str = "\
Examples:
  airbuoy results 202611231204_sonobuoy_….tar.gz
  airbuoy results results.tar.gz --html report.html
  airbuoy results results.tar.gz -o json

Exit code 1 when a test failed, or when the run says nothing about the cluster: a dry run, a run
that broke off, an image that could not be pulled.";

/// Say what a run found: verdict, failed tests, slowest tests; no network.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct ResultsArgs {
    /// What sonobuoy retrieve saved, or the folder it was unpacked to.
    #[arg(value_name = "TARBALL")]
    pub tarball: Utf8PathBuf,

    /// Also write a page for browsers to FILE; it needs nothing beside it.
    #[arg(
        long,
        env = "AIRBUOY_HTML",
        value_name = "FILE",
        help_heading = "Output",
        hide_env = true
    )]
    pub html: Option<Utf8PathBuf>,

    /// Form of the answer.
    #[command(flatten)]
    pub output: OutputArgs,
}
