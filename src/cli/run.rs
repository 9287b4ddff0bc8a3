//! `airbuoy run`.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;

use super::{
    AccessArgs, CatalogArgs, ClusterArgs, NamingArgs, OutDirArgs, SelectionArgs, SourceMirrorArgs,
};

const AFTER_HELP: &str = "\
Examples:
  airbuoy run registry.example.com/k8s
  airbuoy run registry.example.com/k8s --mirror --e2e-docker-config-file pull-login.json
  airbuoy run registry.example.com/k8s --detach
  airbuoy run registry.example.com/k8s --kubernetes-version v1.36.1 --dry-run
  airbuoy run registry.example.com/k8s -- --dns-namespace openshift-dns

Ctrl-C stops the watching and leaves the run alone; `airbuoy status --watch` goes on with it.
Exit code 0 only when the tests passed; 1 when they did not, 5 when sonobuoy or the cluster failed.";

/// Run the conformance tests with every image from a private registry.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {
    /// The private registry, HOST[:PORT][/PREFIX].
    #[arg(value_name = "TARGET")]
    pub target: String,

    /// Kubernetes version; without it the cluster's own.
    #[arg(
        long,
        env = "AIRBUOY_KUBERNETES_VERSION",
        value_name = "VERSION",
        help_heading = "Release",
        hide_env = true
    )]
    pub kubernetes_version: Option<String>,

    /// First mirror what is missing at TARGET.
    #[arg(
        long,
        env = "AIRBUOY_MIRROR",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub mirror: bool,
    /// Return as soon as the tests have begun.
    #[arg(
        long,
        env = "AIRBUOY_DETACH",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub detach: bool,
    /// Print the command and write the files; with --kubernetes-version nothing is contacted.
    #[arg(
        long,
        env = "AIRBUOY_DRY_RUN",
        value_parser = BoolishValueParser::new(),
        hide_env = true
    )]
    pub dry_run: bool,

    /// Which tests: certified-conformance, quick or non-disruptive-conformance.
    #[arg(
        long,
        env = "AIRBUOY_MODE",
        value_name = "MODE",
        value_enum,
        default_value_t,
        help_heading = "Tests",
        hide_possible_values = true,
        hide_env = true
    )]
    pub mode: RunMode,
    /// Seconds after which sonobuoy gives the run up; 0 for never.
    #[arg(
        long,
        env = "AIRBUOY_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 43_200,
        help_heading = "Tests",
        hide_env = true
    )]
    pub timeout: u64,

    /// Secret in the run's namespace with which the aggregator and the plugins pull.
    #[arg(
        long,
        env = "AIRBUOY_IMAGE_PULL_SECRET",
        value_name = "NAME",
        help_heading = "Logins of pods",
        hide_env = true
    )]
    pub image_pull_secret: Option<String>,
    /// Login with which all pods pull, those of tests too; Kubernetes 1.27 and newer.
    ///
    /// It lands in clear in config maps and in the results, so it may hold TARGET's login only.
    #[arg(
        long,
        env = "AIRBUOY_E2E_DOCKER_CONFIG_FILE",
        value_name = "FILE",
        help_heading = "Logins of pods",
        hide_env = true
    )]
    pub e2e_docker_config_file: Option<Utf8PathBuf>,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Sonobuoy version for a dry run, other lists.
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// What --mirror copies.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Layout of the names.
    #[command(flatten)]
    pub naming: NamingArgs,
    /// Places to fetch from instead.
    #[command(flatten)]
    pub source_mirror: SourceMirrorArgs,
    /// Login, TLS, concurrency.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where files go.
    #[command(flatten)]
    pub out_dir: OutDirArgs,

    /// More flags for sonobuoy run.
    #[arg(last = true, value_name = "FLAGS", help_heading = "Tests")]
    pub passthrough: Vec<String>,
}

/// Sonobuoy's `--mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RunMode {
    /// Every conformance test: what CNCF certifies.
    #[default]
    CertifiedConformance,
    /// One test of a few seconds.
    Quick,
    /// Without the tests that disturb other work; cannot be certified.
    NonDisruptiveConformance,
}
