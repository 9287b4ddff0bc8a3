//! Why no submission can be made or looked at. What the bot would refuse is no error but a check that
//! fails.

use camino::Utf8PathBuf;

use super::fields::FieldProblem;
use crate::kube_version::InvalidVersion;

/// Nothing to check or to write.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// A file or folder cannot be read or written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// `read`, `write`, `create`.
        doing: &'static str,
        /// Which.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The path is not a folder.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// Which.
        path: Utf8PathBuf,
    },
    /// The product file is no YAML map of names to texts.
    #[error("{file} is not a product file: {message}")]
    ProductFile {
        /// Which.
        file: String,
        /// Where and why.
        message: String,
    },
    /// The product's fields are not what the bot takes, or not what people would read right.
    #[error("the product is not described well enough:\n{}", list(problems))]
    Product {
        /// All of them.
        problems: Vec<FieldProblem>,
    },
    /// The folder's name is none.
    #[error("`{name}` cannot be the name of the product's folder")]
    DirectoryName {
        /// What was given or made of the product's name.
        name: String,
    },
    /// The run gave no files to submit.
    #[error("there is nothing to submit: {reason}")]
    NothingToSubmit {
        /// What is missing.
        reason: String,
    },
    /// Nothing says which Kubernetes release was tested.
    #[error("the results do not say which Kubernetes release was tested")]
    NoRelease,
    /// Nothing says how the tests were started.
    #[error("the results do not say how the tests were started, and the README must")]
    NoCommands,
    /// The folder already holds something else.
    #[error("{path} already holds {found}, and a submission may hold nothing but its four files")]
    Occupied {
        /// The folder.
        path: Utf8PathBuf,
        /// What stands there.
        found: String,
    },
    /// `--tests-file` is not Kubernetes' conformance.yaml.
    #[error("{file} is not a conformance.yaml: {message}")]
    TestsFile {
        /// Which.
        file: String,
        /// Where and why.
        message: String,
    },
    /// A release in it is no version.
    #[error("{file}: the test `{test}` has a release that is none: {source}")]
    TestsFileRelease {
        /// Which.
        file: String,
        /// The test's codename.
        test: String,
        /// Why.
        source: InvalidVersion,
    },
}

impl SubmissionError {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } => None,
            Self::NotAFolder { .. } => {
                Some("give the folder vX.Y/PRODUCT that holds the four files")
            }
            Self::ProductFile { .. } => Some("write one `field: \"value\"` a line"),
            Self::Product { .. } => {
                Some("each field has a flag, and `--from FILE` takes all of them")
            }
            Self::DirectoryName { .. } => Some(
                "name it yourself with --directory: letters, digits, dots and dashes, such as turbo-encabulator",
            ),
            Self::NothingToSubmit { .. } => {
                Some("`airbuoy results` on the same tarball says what happened to the run")
            }
            Self::NoRelease => Some("say it with --kubernetes-version"),
            Self::NoCommands => Some("give the script that started them with --run-script"),
            Self::Occupied { .. } => Some("move it away, or choose another --out-dir"),
            Self::TestsFile { .. } | Self::TestsFileRelease { .. } => Some(
                "it is test/conformance/testdata/conformance.yaml of the Kubernetes release's sources",
            ),
        }
    }
}

fn list(problems: &[FieldProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}
