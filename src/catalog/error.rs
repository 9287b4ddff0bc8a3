//! Why the catalogue has no answer.

/// The catalogue cannot be read, or does not know what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or folder cannot be read.
    #[error("cannot read the catalogue {path}: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not YAML, or not of the catalogue's shape.
    #[error("{file}: {message}")]
    Malformed {
        /// Which file.
        file: String,
        /// Where in it, and what was expected.
        message: String,
    },
    /// The folder holds no file of the catalogue.
    #[error("{path} holds no catalogue file: expected files such as 1.36.yaml")]
    Empty {
        /// The folder.
        path: String,
    },
    /// No file for this minor.
    #[error(
        "Kubernetes {requested} is not in the catalogue, which knows {range} as of {facts_date}"
    )]
    UnknownVersion {
        /// What was asked for.
        requested: String,
        /// What is known, such as `1.17 to 1.37`.
        range: String,
        /// When the facts were read.
        facts_date: String,
    },
    /// The text is no sonobuoy release.
    #[error("`{text}` is not a sonobuoy release: write it like v0.57.5")]
    InvalidSonobuoyRelease {
        /// What was typed.
        text: String,
    },
    /// This sonobuoy release cannot certify.
    #[error("sonobuoy {release} cannot be used: {reason}; use {instead}")]
    RefusedSonobuoyRelease {
        /// Which.
        release: String,
        /// Why.
        reason: String,
        /// A release that works.
        instead: String,
    },
}
