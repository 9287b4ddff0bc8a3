//! `-o`, the report file that says the same, and where other files go.

use camino::Utf8PathBuf;

/// Form of the answer on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Form of a list of images on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// An array of rows.
    Json,
    /// The same array.
    Yaml,
    /// One source reference a line, without those left out.
    Name,
}

/// `-o`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Print the result as FORMAT: table or json.
    #[arg(
        short,
        long,
        env = "AIRBUOY_OUTPUT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_env = true
    )]
    pub output: Format,
}

/// `--out-dir`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutDirArgs {
    /// Write files to DIR; where several versions have files of their own, each gets a folder.
    #[arg(
        long,
        env = "AIRBUOY_OUT_DIR",
        value_name = "DIR",
        default_value = ".",
        hide_env = true
    )]
    pub out_dir: Utf8PathBuf,
}

/// `-o`, `--report`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct FormatArgs {
    /// Form of the answer.
    #[command(flatten)]
    pub output: OutputArgs,

    /// Also write the JSON report to FILE.
    #[arg(long, env = "AIRBUOY_REPORT", value_name = "FILE", hide_env = true)]
    pub report: Option<Utf8PathBuf>,
}
