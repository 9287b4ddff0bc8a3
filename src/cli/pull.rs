//! `airbuoy pull`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{
    CatalogArgs, FormatArgs, ReleaseArgs, SelectionArgs, SourceAccessArgs, SourceMirrorArgs,
};

const AFTER_HELP: &str = "\
Examples:
  airbuoy pull k8s-1.36.tar --kubernetes-version v1.36.1
  airbuoy pull k8s.tar --kubernetes-version 1.36 --base k8s-1.35.tar
  airbuoy pull /media/stick/k8s.tar --kubernetes-version v1.36.1 --split-size 4G
  airbuoy pull bundles/k8s --kubernetes-version v1.36.1

BUNDLE is a directory (an OCI image layout) or a file NAME.tar. A run that was cut short goes on
where it stopped when the same command runs again: what is on the disk is not fetched again. A tar
gets its name only when it is whole.";

/// Fetch the images into a bundle: a directory or one tar file.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct PullArgs {
    /// The bundle: a directory, or a file NAME.tar.
    #[arg(value_name = "BUNDLE")]
    pub bundle: Utf8PathBuf,

    /// Leave out what this bundle or inventory holds; repeatable.
    ///
    /// The result is a delta: the far side must have pushed BASE before. An inventory is what
    /// verify TARGET --inventory FILE writes.
    #[arg(
        long,
        env = "AIRBUOY_BASE",
        value_name = "BASE",
        value_delimiter = ',',
        help_heading = "Bundle",
        hide_env = true
    )]
    pub base: Vec<Utf8PathBuf>,
    /// Cut the tar into files NAME.tar.001, .002, … of SIZE: 4G is 4,000,000,000 bytes.
    ///
    /// K, M, G and T count by 1000; KiB, MiB, GiB and TiB by 1024.
    #[arg(
        long,
        env = "AIRBUOY_SPLIT_SIZE",
        value_name = "SIZE",
        help_heading = "Bundle",
        hide_env = true
    )]
    pub split_size: Option<String>,
    /// Finish the bundle without the images that could not be fetched; the exit code still tells.
    #[arg(
        long,
        env = "AIRBUOY_KEEP_GOING",
        value_parser = BoolishValueParser::new(),
        help_heading = "Bundle",
        hide_env = true
    )]
    pub keep_going: bool,

    /// Kubernetes versions.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Sonobuoy version, other lists.
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Filters and more images.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Places to fetch from instead.
    #[command(flatten)]
    pub source_mirror: SourceMirrorArgs,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: SourceAccessArgs,

    /// Show what would be fetched, with sizes; write nothing.
    #[arg(
        long,
        env = "AIRBUOY_DRY_RUN",
        value_parser = BoolishValueParser::new(),
        help_heading = "Output",
        hide_env = true
    )]
    pub dry_run: bool,
    /// Form of the answer.
    #[command(flatten)]
    pub format: FormatArgs,
}
