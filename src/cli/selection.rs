//! Flags that narrow or widen the list of images.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use crate::oci::{PlatformSelection, Reference};

/// Which images, and which of their platforms.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Images")]
pub struct SelectionArgs {
    /// Platforms: linux/amd64[,linux/arm64…], linux, or all.
    #[arg(
        long,
        env = "AIRBUOY_PLATFORM",
        value_name = "PLATFORM",
        default_value = "all",
        hide_env = true
    )]
    pub platform: PlatformSelection,

    /// Only what a conformance run uses; the repo config file is not narrowed.
    #[arg(
        long,
        env = "AIRBUOY_CONFORMANCE_ONLY",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub conformance_only: bool,

    /// Only images that match GLOB, such as agnhost* or registry.k8s.io/sig-storage/*; repeatable.
    ///
    /// Compared with the source and with its last part, each with and without the tag.
    #[arg(long, env = "AIRBUOY_INCLUDE", value_name = "GLOB", hide_env = true)]
    pub include: Vec<String>,

    /// No image that matches GLOB; repeatable, wins over --include.
    #[arg(long, env = "AIRBUOY_EXCLUDE", value_name = "GLOB", hide_env = true)]
    pub exclude: Vec<String>,

    /// One more image; repeatable.
    #[arg(
        long,
        env = "AIRBUOY_IMAGE",
        value_name = "REF",
        value_delimiter = ',',
        hide_env = true
    )]
    pub image: Vec<Reference>,

    /// More images: one reference a line, # begins a comment.
    #[arg(
        long,
        env = "AIRBUOY_IMAGES_FILE",
        value_name = "FILE",
        hide_env = true
    )]
    pub images_file: Option<Utf8PathBuf>,
}
