//! Paths of the distribution-spec. Repository names contain slashes and may contain every word
//! that an endpoint is made of, so a path is read from its end.

use crate::oci::{Digest, TagOrDigest, is_repository, is_tag};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/v2/`.
    Base,
    /// `/v2/_catalog`: not in the specification, but asked for.
    Catalog,
    /// `/v2/<name>/manifests/<reference>`.
    Manifest {
        repository: &'a str,
        reference: TagOrDigest,
    },
    /// `/v2/<name>/blobs/<digest>`.
    Blob { repository: &'a str, digest: Digest },
    /// `/v2/<name>/blobs/uploads/`.
    Uploads { repository: &'a str },
    /// `/v2/<name>/blobs/uploads/<session>`.
    Upload {
        repository: &'a str,
        session: &'a str,
    },
    /// `/v2/<name>/tags/list`.
    Tags { repository: &'a str },
    /// `/v2/<name>/referrers/<digest>`.
    Referrers { repository: &'a str, digest: Digest },
}

/// Which endpoint a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathKind {
    /// `/v2/`.
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// A manifest.
    Manifest,
    /// A blob.
    Blob,
    /// An upload, opened or to be opened.
    Upload,
    /// The list of tags.
    Tags,
    /// The list of referrers.
    Referrers,
    /// `/healthz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// No path of a registry.
    Other,
}

/// Why a path names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoute {
    #[error("no such path in a registry")]
    Unknown,
    #[error("`{0}` is not a repository name")]
    Name(String),
    #[error("`{0}` is not a digest of a registered algorithm")]
    Digest(String),
    #[error("`{0}` is not a tag")]
    Tag(String),
}

impl<'a> Route<'a> {
    /// Reads a decoded path, query left out.
    pub(super) fn parse(path: &'a str) -> Result<Self, NoRoute> {
        let rest = match path {
            "/v2" | "/v2/" => return Ok(Self::Base),
            "/v2/_catalog" => return Ok(Self::Catalog),
            other => other.strip_prefix("/v2/").ok_or(NoRoute::Unknown)?,
        };
        if let Some(name) = rest.strip_suffix("/tags/list") {
            let repository = repository(name)?;
            return Ok(Self::Tags { repository });
        }
        // The Go registries answer with and without the last slash.
        let opening = rest.strip_suffix("/blobs/uploads/");
        if let Some(name) = opening.or_else(|| rest.strip_suffix("/blobs/uploads")) {
            let repository = repository(name)?;
            return Ok(Self::Uploads { repository });
        }
        let (head, last) = rest.rsplit_once('/').ok_or(NoRoute::Unknown)?;
        if let Some(name) = head.strip_suffix("/blobs/uploads") {
            let repository = repository(name)?;
            return Ok(Self::Upload {
                repository,
                session: last,
            });
        }
        let (name, endpoint) = head.rsplit_once('/').ok_or(NoRoute::Unknown)?;
        match endpoint {
            "manifests" => Ok(Self::Manifest {
                repository: repository(name)?,
                reference: reference(last)?,
            }),
            "blobs" => Ok(Self::Blob {
                repository: repository(name)?,
                digest: digest(last)?,
            }),
            "referrers" => Ok(Self::Referrers {
                repository: repository(name)?,
                digest: digest(last)?,
            }),
            _ => Err(NoRoute::Unknown),
        }
    }

    /// Which endpoint it is.
    pub(super) fn kind(&self) -> PathKind {
        match self {
            Self::Base => PathKind::Base,
            Self::Catalog => PathKind::Catalog,
            Self::Manifest { .. } => PathKind::Manifest,
            Self::Blob { .. } => PathKind::Blob,
            Self::Uploads { .. } | Self::Upload { .. } => PathKind::Upload,
            Self::Tags { .. } => PathKind::Tags,
            Self::Referrers { .. } => PathKind::Referrers,
        }
    }

    /// The repository, when the path has one.
    pub(super) fn repository(&self) -> Option<&'a str> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Manifest { repository, .. }
            | Self::Blob { repository, .. }
            | Self::Uploads { repository }
            | Self::Upload { repository, .. }
            | Self::Tags { repository }
            | Self::Referrers { repository, .. } => Some(repository),
        }
    }
}

fn repository(name: &str) -> Result<&str, NoRoute> {
    if is_repository(name) {
        Ok(name)
    } else {
        Err(NoRoute::Name(excerpt(name)))
    }
}

fn digest(text: &str) -> Result<Digest, NoRoute> {
    text.parse().map_err(|_| NoRoute::Digest(excerpt(text)))
}

/// A tag cannot contain a colon and a digest always does.
fn reference(text: &str) -> Result<TagOrDigest, NoRoute> {
    if text.contains(':') {
        digest(text).map(TagOrDigest::Digest)
    } else {
        tag(text)
    }
}

pub(super) fn tag(text: &str) -> Result<TagOrDigest, NoRoute> {
    if is_tag(text) {
        Ok(TagOrDigest::Tag(text.into()))
    } else {
        Err(NoRoute::Tag(excerpt(text)))
    }
}

/// Foreign text goes back to its sender, but not at any length.
fn excerpt(text: &str) -> String {
    text.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}){0,3}";

    /// Names whose components are the words that endpoints are made of.
    fn treacherous() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "v2",
            "tags",
            "list",
            "blobs",
            "uploads",
            "manifests",
            "referrers",
            "latest",
        ]);
        prop::collection::vec(word, 1..5).prop_map(|words| words.join("/"))
    }

    proptest! {
        #[test]
        fn what_was_put_together_is_taken_apart(
            name in prop_oneof![NAME, treacherous()],
            tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}",
            session in "[0-9a-f]{32}",
            content: Vec<u8>,
        ) {
            let name = name.as_str();
            let digest = Digest::of(&content);
            let check = |path: String, route: Route<'_>| {
                prop_assert_eq!(Route::parse(&path), Ok(route));
                Ok(())
            };
            let reference = TagOrDigest::Tag(tag.as_str().into());
            check(format!("/v2/{name}/manifests/{tag}"), Route::Manifest { repository: name, reference })?;
            let reference = TagOrDigest::Digest(digest.clone());
            check(format!("/v2/{name}/manifests/{digest}"), Route::Manifest { repository: name, reference })?;
            check(format!("/v2/{name}/blobs/{digest}"), Route::Blob { repository: name, digest: digest.clone() })?;
            check(format!("/v2/{name}/blobs/uploads/"), Route::Uploads { repository: name })?;
            check(format!("/v2/{name}/blobs/uploads/{session}"), Route::Upload { repository: name, session: &session })?;
            check(format!("/v2/{name}/tags/list"), Route::Tags { repository: name })?;
            check(format!("/v2/{name}/referrers/{digest}"), Route::Referrers { repository: name, digest })?;
        }

        #[test]
        fn no_path_panics_and_no_bad_name_passes(path in "(/v2/)?\\PC{0,40}(/blobs/uploads/|/manifests/|/tags/list)?\\PC{0,10}") {
            if let Ok(route) = Route::parse(&path) {
                prop_assert!(route.repository().is_none_or(is_repository));
            }
        }

        #[test]
        fn a_stray_character_spoils_a_name(name in NAME, at: prop::sample::Index, stray in "[A-Z%:~ é]") {
            let mut name = name;
            name.insert_str(at.index(name.len() + 1), &stray);
            prop_assert!(!is_repository(&name));
        }
    }

    #[test]
    fn names_at_the_edge_of_the_grammar() {
        for good in ["a", "0", "a.b", "a_b", "a__b", "a---b", "a/b/c", "v2/v2"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", ".a", "a.", "a..b", "a___b", "a._b", "a-_b", "a.-b", "-a",
            "A", "a/../b",
        ] {
            assert!(!is_repository(bad), "{bad}");
        }
    }

    #[test]
    fn each_kind_of_wrong_has_its_name() {
        let upper = Route::parse("/v2/Upper/tags/list");
        assert_eq!(upper, Err(NoRoute::Name("Upper".to_owned())));
        let digest = Route::parse("/v2/a/blobs/sha256:12");
        assert_eq!(digest, Err(NoRoute::Digest("sha256:12".to_owned())));
        let tag = Route::parse("/v2/a/manifests/.x");
        assert_eq!(tag, Err(NoRoute::Tag(".x".to_owned())));
        for unknown in ["", "/", "/v1/", "/v2/x", "/v2/a/b/c", "/v22/a/tags/list"] {
            assert_eq!(Route::parse(unknown), Err(NoRoute::Unknown), "{unknown}");
        }
        assert_eq!(Route::parse("/v2"), Ok(Route::Base));
        assert_eq!(Route::parse("/v2/_catalog"), Ok(Route::Catalog));
    }
}
