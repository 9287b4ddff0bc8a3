//! Where an operation happens: the repository as the user names it, and the host, path and URLs
//! that are really asked for it.

use std::sync::Arc;

use url::Url;

use crate::oci::{Repository, TagOrDigest};

use super::host::Host;
use super::trouble::Trouble;

/// One repository on the host that answers for it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) host: Arc<Host>,
    repository: Repository,
    reference: Option<TagOrDigest>,
    path: String,
    mirrored: bool,
}

impl Place {
    pub(super) fn new(
        host: Arc<Host>,
        repository: &Repository,
        prefix: &str,
        mirrored: bool,
    ) -> Self {
        let path = if prefix.is_empty() {
            repository.path().to_owned()
        } else {
            format!("{prefix}/{}", repository.path())
        };
        Self {
            host,
            repository: repository.clone(),
            reference: None,
            path,
            mirrored,
        }
    }

    /// The manifest or blob that it is about.
    pub(super) fn about(mut self, reference: impl Into<TagOrDigest>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// The repository as the user names it.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn reference(&self) -> Option<&TagOrDigest> {
        self.reference.as_ref()
    }

    /// The repository's path on the host that is asked.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Says where a mirrored repository was really asked for.
    pub(super) fn asked_elsewhere(&self) -> Option<String> {
        self.mirrored.then(|| {
            format!(
                "asked at the mirror {}/{}",
                self.host.authority(),
                self.path
            )
        })
    }

    /// `<scheme>://<authority>/v2/<path>/<tail>`; decides the scheme when that is still open.
    pub(super) async fn url(&self, tail: &str) -> Result<Url, Trouble> {
        let base = self.host.base().await?;
        // Paths, tags and digests hold no character that a URL path would change.
        let text = format!("{base}/v2/{}/{tail}", self.path);
        Url::parse(&text).map_err(|e| {
            Trouble::fatal(
                crate::content::Code::Unreachable,
                format!("`{}` is no host name: {e}", self.host.authority()),
            )
        })
    }
}
