//! What a registry can do besides being a source and a target: a trial of the right to write,
//! listing tags, removing manifests, sizes of blobs.

use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::content::{Code, Failure};
use crate::oci::{Digest, Reference, Repository, TagOrDigest};

use super::auth::Scopes;
use super::client::{Inner, Registry};
use super::exchange::Ask;
use super::manifests::manifest_tail;
use super::place::Place;
use super::refusal::Refusal;
use super::trouble::Trouble;

/// Tags asked for at once; registries give fewer when that is their limit.
const PAGE: usize = 1000;

/// Pages read before a server is taken to page in circles.
const PAGES: usize = 1000;

/// Largest page that is read, in bytes.
const PAGE_LIMIT: usize = 4 * 1024 * 1024;

impl Registry {
    /// Tries whether the login may write to the repository: opens an upload and gives it back.
    /// A failure says which project is missing or which user may not.
    pub async fn try_repository(&self, repository: &Repository) -> Result<(), Failure> {
        let place = self.0.place(repository);
        match self.0.open_upload(&place).await {
            Ok(upload) => {
                self.0.cancel(upload).await;
                Ok(())
            }
            Err(trouble) => Err(trouble.at(&place)),
        }
    }

    /// The size of a blob in bytes; `None` when it is not in the repository.
    pub async fn blob_size(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, Failure> {
        self.0.blob_size(repository, digest, Scopes::pull).await
    }

    /// Removes a manifest; one that is not there is no failure. A tag is removed as a tag where
    /// the registry can (distribution-spec, end-9). Where it cannot, the manifest is removed by
    /// its digest, **and every other tag of it with it**.
    ///
    /// [`Code::Unsupported`]: the registry removes nothing.
    pub async fn delete_manifest(&self, reference: &Reference) -> Result<(), Failure> {
        let place = self
            .0
            .place(reference.repository())
            .about(reference.reference().clone());
        self.0
            .delete(&place, reference)
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    /// All tags of a repository; none when there is no such repository.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, Failure> {
        let place = self.0.place(repository);
        self.0
            .tags(&place)
            .await
            .map_err(|trouble| trouble.at(&place))
    }
}

impl Inner {
    async fn delete(&self, place: &Place, reference: &Reference) -> Result<(), Trouble> {
        let (refusal, trouble) = match self.delete_once(place).await? {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        if reference.tag().is_none() || !is_disabled(&refusal) {
            return Err(unsupported(&refusal, trouble));
        }
        // This registry does not remove tags, or nothing at all: the digest tells.
        let found = self.resolve(reference, Scopes::delete).await;
        let Ok(Some(digest)) = found else {
            return Ok(());
        };
        let by_digest = place.clone().about(TagOrDigest::Digest(digest));
        match self.delete_once(&by_digest).await? {
            Ok(()) => Ok(()),
            Err((refusal, trouble)) => Err(unsupported(&refusal, trouble)),
        }
    }

    async fn delete_once(&self, place: &Place) -> Result<Result<(), (Refusal, Trouble)>, Trouble> {
        let scopes = Scopes::delete(place.path());
        let tail = manifest_tail(place);
        let ask = Ask::new(self, Method::DELETE, place, &tail, scopes).await?;
        let answer = self.small(ask).await?;
        if answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND {
            return Ok(Ok(()));
        }
        Ok(Err(self.refused(place, answer).await))
    }

    async fn tags(&self, place: &Place) -> Result<Vec<String>, Trouble> {
        let mut tags = Vec::new();
        let mut url = place.url("tags/list").await?;
        url.query_pairs_mut().append_pair("n", &PAGE.to_string());
        for _ in 0..PAGES {
            let scopes = Scopes::pull(place.path());
            let mut ask = Ask::new(self, Method::GET, place, "tags/list", scopes).await?;
            ask.url = url.clone();
            let answer = self.small(ask).await?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Ok(tags);
            }
            if !answer.status().is_success() {
                return Err(self.refused(place, answer).await.1);
            }
            let next = next_page(&url, answer.headers());
            tags.extend(read_page(answer.response).await?);
            match next {
                Some(next) if next != url => url = next,
                _ => return Ok(tags),
            }
        }
        Err(Trouble::fatal(
            Code::Protocol,
            format!("the list of tags has no end after {PAGES} pages"),
        ))
    }
}

/// Deletion disabled is 400 or 405 in the specification.
fn is_disabled(refusal: &Refusal) -> bool {
    matches!(refusal.status.as_u16(), 400 | 405 | 501)
}

fn unsupported(refusal: &Refusal, trouble: Trouble) -> Trouble {
    if !is_disabled(refusal) {
        return trouble;
    }
    Trouble::fatal(Code::Unsupported, trouble.message)
        .hint("the registry does not allow removing manifests over its API: remove it there")
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

async fn read_page(mut response: reqwest::Response) -> Result<Vec<String>, Trouble> {
    let mut body = Vec::new();
    loop {
        let patience = std::time::Duration::from_secs(30);
        let chunk = tokio::time::timeout(patience, response.chunk())
            .await
            .map_err(|_| Trouble::passing(Code::Interrupted, "the list of tags stands still"))?
            .map_err(|_| Trouble::passing(Code::Interrupted, "the list of tags broke off"))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > PAGE_LIMIT {
            return Err(Trouble::fatal(
                Code::TooLarge,
                format!("a page of tags is larger than {PAGE_LIMIT} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    let page: Page = serde_json::from_slice(&body)
        .map_err(|_| Trouble::fatal(Code::Protocol, "the list of tags cannot be read"))?;
    Ok(page.tags.unwrap_or_default())
}

/// The URL of `Link: <…>; rel="next"` (RFC 8288), on the same origin only: the login goes along.
fn next_page(url: &Url, headers: &HeaderMap) -> Option<Url> {
    headers.get_all(LINK).iter().find_map(|value| {
        let (target, parameters) = value
            .to_str()
            .ok()?
            .trim()
            .strip_prefix('<')?
            .split_once('>')?;
        let parameters = parameters.to_ascii_lowercase().replace(['"', ' '], "");
        if !parameters.split(';').any(|p| p == "rel=next") {
            return None;
        }
        let next = url.join(target).ok()?;
        (next.origin() == url.origin()).then_some(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_next_page() {
        let url: Url = "https://r.io/v2/a/tags/list?n=2".parse().expect("a URL");
        let next = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().expect("a header"));
            next_page(&url, &headers).map(|u| u.to_string())
        };
        assert_eq!(
            next(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#).as_deref(),
            Some("https://r.io/v2/a/tags/list?n=2&last=b")
        );
        assert_eq!(next("<https://evil.io/x>; rel=next"), None);
        assert_eq!(next("</x>; rel=prev"), None);
        assert_eq!(next("nonsense"), None);
    }
}
