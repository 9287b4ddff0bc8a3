//! Names of images and repositories (OCI distribution-spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::Digest;

/// A repository on a registry host, without tag or digest.
///
/// `host` is what the user wrote, with its port: `docker.io` stays `docker.io`; which server
/// answers for it is the registry client's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    host: Arc<str>,
    path: Arc<str>,
}

impl Repository {
    /// `host[:port]`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository's name on that host, such as `e2e-test-images/agnhost`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The manifest of that tag or digest in this repository.
    pub fn at(&self, reference: impl Into<TagOrDigest>) -> Reference {
        Reference {
            repository: self.clone(),
            reference: reference.into(),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// What names a manifest inside a repository: `<reference>` of the distribution-spec.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagOrDigest {
    /// A movable name.
    Tag(Arc<str>),
    /// The content itself.
    Digest(Digest),
}

impl fmt::Display for TagOrDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => f.write_str(digest.as_str()),
        }
    }
}

impl From<Digest> for TagOrDigest {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl From<&Digest> for TagOrDigest {
    fn from(digest: &Digest) -> Self {
        Self::Digest(digest.clone())
    }
}

/// A full image reference, `host/path:tag` or `host/path@digest`.
///
/// Parsed as Docker does: no host means `docker.io`, a single-component name there gets
/// `library/`, no tag means `latest`. With a tag and a digest the digest counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    repository: Repository,
    reference: TagOrDigest,
}

impl Reference {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// `host[:port]`.
    pub fn host(&self) -> &str {
        self.repository.host()
    }

    /// The tag or digest.
    pub fn reference(&self) -> &TagOrDigest {
        &self.reference
    }

    /// The tag, when it is not a reference by digest.
    pub fn tag(&self) -> Option<&str> {
        match &self.reference {
            TagOrDigest::Tag(tag) => Some(tag),
            TagOrDigest::Digest(_) => None,
        }
    }

    /// The digest, when it is a reference by digest.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.reference {
            TagOrDigest::Tag(_) => None,
            TagOrDigest::Digest(digest) => Some(digest),
        }
    }

    /// The same repository under another tag. The tag is not checked: use it for tags made of
    /// valid ones, and `FromStr` for foreign text.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self {
            repository: self.repository.clone(),
            reference: TagOrDigest::Tag(tag.into()),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.digest().is_some() { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.repository, self.reference)
    }
}

impl serde::Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is no image reference.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct InvalidReference {
    text: String,
    reason: String,
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |reason: String| InvalidReference {
            text: text.to_owned(),
            reason,
        };
        let parsed: oci_distribution::Reference = text
            .parse()
            .map_err(|e: oci_distribution::ParseError| invalid(e.to_string()))?;
        let reference = match (parsed.digest(), parsed.tag()) {
            (Some(digest), _) => TagOrDigest::Digest(
                digest
                    .parse()
                    .map_err(|e: super::InvalidDigest| invalid(e.to_string()))?,
            ),
            (None, tag) => TagOrDigest::Tag(tag.unwrap_or("latest").into()),
        };
        let repository = Repository {
            host: parsed.registry().into(),
            path: parsed.repository().into(),
        };
        Ok(Self {
            repository,
            reference,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (text, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            (
                "sonobuoy/sonobuoy:v0.57.5",
                "docker.io/sonobuoy/sonobuoy:v0.57.5",
            ),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            (
                "localhost:5000/k8s/volume/nfs:1.6.0",
                "localhost:5000/k8s/volume/nfs:1.6.0",
            ),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
        ] {
            let reference: Reference = text.parse().expect(text);
            assert_eq!(reference.to_string(), full);
        }
    }

    #[test]
    fn a_digest_wins_over_a_tag() {
        let digest = Digest::of(b"x");
        let reference: Reference = format!("h.io/a/b:t@{digest}").parse().expect("a reference");
        assert_eq!(reference.digest(), Some(&digest));
        assert_eq!(reference.to_string(), format!("h.io/a/b@{digest}"));
        assert!("h.io/a/b@sha256:12".parse::<Reference>().is_err());
        assert!("h.io/A/b:t".parse::<Reference>().is_err());
    }
}
