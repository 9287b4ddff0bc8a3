//! `airbuoy submission`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{OutDirArgs, OutputArgs, ProductArgs};

const AFTER_HELP: &str = "\
Examples:
  airbuoy submission results.tar.gz --from product.yaml
  airbuoy submission results.tar.gz --from product.yaml --product-version 2.1 --install install.md
  airbuoy submission --check v1.36/turbo-encabulator --check-urls

Writes vX.Y/PRODUCT/ with README.md, PRODUCT.yaml, e2e.log and junit_01.xml, when every check that
can be made here passes; else it writes nothing, and the exit code is 1.";

/// Make the folder of a CNCF submission, checked as the bot there checks it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct SubmissionArgs {
    /// What sonobuoy retrieve saved, or the folder it was unpacked to.
    #[arg(value_name = "TARBALL", required_unless_present = "check")]
    pub tarball: Option<Utf8PathBuf>,

    /// The product, field by field.
    #[command(flatten)]
    pub product: ProductArgs,

    /// Name of the product's folder; by default made of the product's name.
    #[arg(
        long,
        env = "AIRBUOY_DIRECTORY",
        value_name = "NAME",
        help_heading = "Folder",
        hide_env = true
    )]
    pub directory: Option<String>,
    /// How the product is installed, in Markdown, for the README.
    #[arg(
        long,
        env = "AIRBUOY_INSTALL",
        value_name = "FILE",
        help_heading = "Folder",
        hide_env = true
    )]
    pub install: Option<Utf8PathBuf>,
    /// The script that started the tests, for the README; by default sonobuoy-run.sh beside TARBALL.
    ///
    /// Without one the command is made of what the tarball tells.
    #[arg(
        long,
        env = "AIRBUOY_RUN_SCRIPT",
        value_name = "FILE",
        help_heading = "Folder",
        hide_env = true
    )]
    pub run_script: Option<Utf8PathBuf>,
    /// Leave the name of your registry in the README.
    #[arg(
        long,
        env = "AIRBUOY_SHOW_REGISTRY",
        value_parser = BoolishValueParser::new(),
        help_heading = "Folder",
        hide_env = true
    )]
    pub show_registry: bool,
    /// Kubernetes version that was tested, where the tarball does not tell.
    #[arg(
        long,
        env = "AIRBUOY_KUBERNETES_VERSION",
        value_name = "VERSION",
        help_heading = "Folder",
        hide_env = true
    )]
    pub kubernetes_version: Option<String>,
    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,

    /// Check the folder DIR, which is there already, and write nothing.
    #[arg(
        long,
        env = "AIRBUOY_CHECK",
        value_name = "DIR",
        conflicts_with = "tarball",
        help_heading = "Checks",
        hide_env = true
    )]
    pub check: Option<Utf8PathBuf>,
    /// Ask each URL for its content type; needs the internet.
    #[arg(
        long,
        env = "AIRBUOY_CHECK_URLS",
        value_parser = BoolishValueParser::new(),
        help_heading = "Checks",
        hide_env = true
    )]
    pub check_urls: bool,
    /// Require the tests of FILE, Kubernetes' test/conformance/testdata/conformance.yaml.
    ///
    /// The lists of 1.29 to 1.37 are built in.
    #[arg(
        long,
        env = "AIRBUOY_TESTS_FILE",
        value_name = "FILE",
        help_heading = "Checks",
        hide_env = true
    )]
    pub tests_file: Option<Utf8PathBuf>,
    /// Take the releases that can be certified from the lists in DIR, not from the built-in ones.
    #[arg(
        long,
        env = "AIRBUOY_CATALOG",
        value_name = "DIR",
        help_heading = "Checks",
        hide_env = true
    )]
    pub catalog: Option<Utf8PathBuf>,

    /// Form of the answer.
    #[command(flatten)]
    pub output: OutputArgs,
}
