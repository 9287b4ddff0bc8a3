//! Flags that read the list of a release out of its conformance image.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use crate::oci::Reference;

const LIVE_HELP: &str = "\
Read the list of a release that airbuoy does not know out of its conformance image.

This runs a program from a registry: e2e.test of that image, as you, with --list-images and an \
empty environment. Of the image only the layer that holds it is needed; what it prints is kept in \
the cache folder by the image's digest.";

/// `--live`, `--conformance-image`, `--cache-dir`.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Release")]
pub struct LiveArgs {
    /// Read the list of a release that airbuoy does not know out of its conformance image.
    #[arg(
        long,
        long_help = LIVE_HELP,
        env = "AIRBUOY_LIVE",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub live: bool,

    /// With --live, the image to read instead of registry.k8s.io/conformance:VERSION.
    ///
    /// It is read for a release that airbuoy knows, too, and mirrored as its conformance image.
    #[arg(
        long,
        env = "AIRBUOY_CONFORMANCE_IMAGE",
        value_name = "REF",
        requires = "live",
        hide_env = true
    )]
    pub conformance_image: Option<Reference>,

    /// Keep what --live reads in DIR; by default ~/.cache/airbuoy.
    #[arg(long, env = "AIRBUOY_CACHE_DIR", value_name = "DIR", hide_env = true)]
    pub cache_dir: Option<Utf8PathBuf>,
}

/// `--source-mirror` where nothing but `--live` reads from a source.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Registries")]
pub struct LiveMirrorArgs {
    /// With --live, fetch what is named HOST/x as HOST2/PREFIX/x; http:// before HOST2 for plain
    /// HTTP. Repeatable.
    #[arg(
        long,
        env = "AIRBUOY_SOURCE_MIRROR",
        value_name = "HOST=HOST2[/PREFIX]",
        value_delimiter = ',',
        hide_env = true
    )]
    pub source_mirror: Vec<String>,
}

/// How registries are reached by verbs that need none without `--live`.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Registries")]
pub struct LiveSourceArgs {
    /// Places to fetch from instead.
    #[command(flatten)]
    pub mirrors: LiveMirrorArgs,

    /// With --live, read logins from FILE alone, as docker login writes it.
    #[arg(long, env = "AIRBUOY_AUTHFILE", value_name = "FILE", hide_env = true)]
    pub authfile: Option<Utf8PathBuf>,

    /// With --live, also trust the certificates of this PEM file; repeatable.
    #[arg(
        long,
        env = "AIRBUOY_CA_FILE",
        value_name = "FILE",
        value_delimiter = ',',
        hide_env = true
    )]
    pub ca_file: Vec<Utf8PathBuf>,
}
