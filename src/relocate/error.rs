//! Why there is no place for an image.

/// Names that cannot be, in a repo config or at the target.
#[derive(Debug, thiserror::Error)]
pub enum RelocateError {
    /// A repo config is not a flat YAML map of keys to prefixes.
    #[error(
        "{file}: {message}; expected lines such as `promoterE2eRegistry: registry.example.com/k8s/e2e-test-images`"
    )]
    MalformedRepoConfig {
        /// Which file.
        file: String,
        /// Where in it and why.
        message: String,
    },
    /// A repo config names a key that none of the versions reads.
    #[error("{file}{}: {versions} does not read the key `{key}`; known keys: {}", at(*line), known.join(", "))]
    UnknownKey {
        /// Which file.
        file: String,
        /// Where in it, when that is certain.
        line: Option<usize>,
        /// The key.
        key: String,
        /// The versions that were asked for.
        versions: String,
        /// Every key that would do.
        known: Vec<String>,
    },
    /// A repo config gives a key nothing, or something that is no prefix.
    #[error("{file}{}: the value of `{key}` is no prefix: {reason}", at(*line))]
    InvalidValue {
        /// Which file.
        file: String,
        /// Where in it, when that is certain.
        line: Option<usize>,
        /// The key.
        key: String,
        /// What is wrong, and the right form.
        reason: String,
    },
    /// The name at the target is longer than registries and container runtimes allow.
    #[error(
        "`{name}` has {length} characters, and a name with its host may have 255: use a shorter TARGET prefix"
    )]
    NameTooLong {
        /// Host and repository.
        name: String,
        /// Its length.
        length: usize,
    },
    /// The name at the target is no image reference.
    #[error(transparent)]
    InvalidReference(#[from] crate::oci::InvalidReference),
}

fn at(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}
