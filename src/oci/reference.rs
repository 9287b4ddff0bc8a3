//! Names of images and repositories (OCI distribution-spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::Digest;
use super::name::{is_host, is_repository, is_tag};

/// The host of names that have none.
const DOCKER_HUB: &str = "docker.io";

/// Where Docker Hub keeps names of a single component.
const OFFICIAL_IMAGES: &str = "library";

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

impl<'de> serde::Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is no image reference.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct InvalidReference {
    text: String,
    reason: &'static str,
}

/// Docker Hub's older name for itself.
const DOCKER_HUB_LEGACY: &str = "index.docker.io";

/// The longest repository name that other clients take.
const LONGEST_NAME: usize = 255;

impl FromStr for Reference {
    type Err = InvalidReference;

    /// Docker's grammar, read by hand: a regular expression for it takes about 80 ms to compile,
    /// which is longer than a whole run that finds nothing to do.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |reason| InvalidReference {
            text: text.chars().take(300).collect(),
            reason,
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.parse::<Digest>();
                (
                    rest,
                    Some(digest.map_err(|_| invalid("what follows `@` is no digest"))?),
                )
            }
            None => (text, None),
        };
        // A colon before a slash belongs to a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid(
                "a tag is at most 128 letters, digits, `_`, `.` and `-`",
            ));
        }
        let is_domain = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if is_domain(first) => (first, rest),
            _ => (DOCKER_HUB, name),
        };
        let host = if host == DOCKER_HUB_LEGACY {
            DOCKER_HUB
        } else {
            host
        };
        if !is_host(host) {
            return Err(invalid("the host is not of the form HOST[:PORT]"));
        }
        if !is_repository(path) {
            let reason =
                "a repository is lower-case letters and digits, parted by `/`, `.`, `_` or `-`";
            return Err(invalid(reason));
        }
        let path: Arc<str> = if host == DOCKER_HUB && !path.contains('/') {
            format!("{OFFICIAL_IMAGES}/{path}").into()
        } else {
            path.into()
        };
        if path.len() > LONGEST_NAME {
            return Err(invalid("the repository is longer than 255 characters"));
        }
        let reference = match digest {
            Some(digest) => TagOrDigest::Digest(digest),
            None => TagOrDigest::Tag(tag.unwrap_or("latest").into()),
        };
        Ok(Self {
            repository: Repository {
                host: host.into(),
                path,
            },
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
        // The length counts with what is completed.
        assert!("a".repeat(247).parse::<Reference>().is_ok());
        assert!("a".repeat(248).parse::<Reference>().is_err());
    }

    proptest::proptest! {
        /// The peer's regular expression and this parser agree, but for digests that this
        /// program does not know.
        #[test]
        fn the_grammar_is_the_one_others_use(
            text in "(([a-z0-9.:_-]{1,8}|localhost|index\\.docker\\.io)/)?[a-zA-Z0-9._/-]{0,12}(:[a-zA-Z0-9._:-]{0,9})?",
        ) {
            let ours = text.parse::<Reference>();
            let theirs = text.parse::<oci_distribution::Reference>();
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => {
                    proptest::prop_assert_eq!(ours.host(), theirs.registry());
                    proptest::prop_assert_eq!(ours.repository().path(), theirs.repository());
                    proptest::prop_assert_eq!(ours.tag(), theirs.tag());
                }
                (Err(_), Err(_)) => {}
                // Theirs looks for a host and a repository in one text and parts them later, so
                // it lets `A/a` pass as a repository and `a.b_c/d` as one on the host `a.b_c`.
                (Err(_), Ok(theirs))
                    if !is_repository(theirs.repository()) || !is_host(theirs.registry()) => {}
                _ => proptest::prop_assert!(false, "{text}: {ours:?} and {theirs:?}"),
            }
        }
    }
}
