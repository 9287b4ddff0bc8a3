//! The program and its verbs.

use super::{
    BundleArgs, CompletionsArgs, ConfigArgs, ImagesArgs, MessageArgs, MirrorArgs, PullArgs,
    PushArgs, RehearseArgs, ResultsArgs, ServeArgs, SubmissionArgs, VerifyArgs,
};

const AFTER_HELP: &str = "\
Examples:
  airbuoy images --kubernetes-version v1.36.1
  airbuoy mirror registry.example.com/k8s --kubernetes-version v1.36.1
  airbuoy pull k8s-1.36.tar --kubernetes-version v1.36.1
  airbuoy push k8s-1.36.tar registry.example.com/k8s
  airbuoy run registry.example.com/k8s
  airbuoy rehearse

TARGET is HOST[:PORT][/PREFIX], BUNDLE a directory or NAME.tar. Every flag has an environment variable, AIRBUOY_… in capitals:
AIRBUOY_KUBERNETES_VERSION for --kubernetes-version.

Exit codes: 0 done, 1 the check or the tests said no, 2 wrong usage, 3 a registry or the network,
4 this machine or a damaged bundle, 5 sonobuoy or the cluster, 130 interrupted.";

/// Mirror, run and submit Kubernetes conformance on clusters without internet.
///
/// From a Kubernetes version to a filled private registry, a conformance run that uses it and its
/// CNCF submission, with one program and no Docker daemon.
#[derive(Debug, clap::Parser)]
#[command(
    name = "airbuoy",
    version,
    after_help = AFTER_HELP,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much to say while doing it.
    #[command(flatten)]
    pub messages: MessageArgs,
}

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List what a Kubernetes version needs, and where it goes; no network without --live.
    Images(Box<ImagesArgs>),
    /// Copy the images into a private registry, then write the config files.
    Mirror(Box<MirrorArgs>),
    /// Fetch the images into a bundle, to be carried over an air gap.
    Pull(Box<PullArgs>),
    /// Bring a bundle into a private registry, then write the config files.
    Push(Box<PushArgs>),
    /// Serve a bundle as a registry, where there is none.
    Serve(Box<ServeArgs>),
    /// Say what is in a bundle.
    Bundle(BundleArgs),
    /// Check that a private registry, or a bundle, holds everything, sound.
    ///
    /// In a registry every manifest is fetched and hashed, and every blob asked for with its size;
    /// of a bundle every byte is read and hashed.
    Verify(Box<VerifyArgs>),
    /// Write the config files of a private registry; no copying, no network without --live.
    Config(Box<ConfigArgs>),
    /// Walk the whole path with small stand-in images, before 10 GB do.
    ///
    /// Finds trouble with names, login, TLS and projects. Without TARGET the images go to an
    /// embedded registry, and nothing outside this machine is contacted.
    Rehearse(Box<RehearseArgs>),
    /// Say what a run found: verdict, failed tests, slowest tests; no network.
    Results(Box<ResultsArgs>),
    /// Make the folder of a CNCF submission, checked as the bot there checks it.
    ///
    /// No network without --check-urls.
    Submission(Box<SubmissionArgs>),
    /// Run the conformance tests with every image from a private registry.
    ///
    /// Looks at everything first, starts sonobuoy, follows the run, retrieves and judges it.
    #[cfg(feature = "cluster")]
    Run(Box<super::RunArgs>),
    /// Say how far a run is; --watch follows it to its end.
    #[cfg(feature = "cluster")]
    Status(Box<super::StatusArgs>),
    /// Delete a run from the cluster, after asking.
    #[cfg(feature = "cluster")]
    Clean(Box<super::CleanArgs>),
    /// Print a shell's completion script.
    Completions(CompletionsArgs),
    /// Print the manual page.
    Man,
}
