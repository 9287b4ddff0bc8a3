//! One request with everything that belongs to it: the first contact with a host, the login, its
//! one renewal, and redirects.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::content::Code;

use super::auth::{Access, Grant, Scopes, learn};
use super::client::Inner;
use super::counters::RequestKind;
use super::endpoint::SchemeRule;
use super::place::Place;
use super::redirect;
use super::refusal::Refusal;
use super::trouble::Trouble;
use super::wire::{Outgoing, authority, shown};

/// A small request waits this long for its answer even where bodies are given up sooner:
/// registries think before they answer.
const LEAST_PATIENCE: Duration = Duration::from_secs(15);

/// A request whose body, if any, can be sent again.
pub(super) struct Ask<'a> {
    pub(super) place: &'a Place,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) scopes: Scopes,
    /// Redirects are followed: for reading only.
    pub(super) follow: bool,
    /// How long the head of the answer may take.
    pub(super) limit: Duration,
}

/// An answer of any status.
pub(super) struct Answer {
    pub(super) response: Response,
    /// The URL that was answered in the end.
    pub(super) url: Url,
    /// Somebody else than the registry answered.
    pub(super) elsewhere: bool,
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }
}

impl<'a> Ask<'a> {
    pub(super) async fn new(
        inner: &Inner,
        method: Method,
        place: &'a Place,
        tail: &str,
        scopes: Scopes,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            place,
            url: place.url(tail).await?,
            headers: HeaderMap::new(),
            body: None,
            scopes,
            follow: matches!(method, Method::GET | Method::HEAD),
            limit: inner.small_limit(),
            method,
        })
    }

    fn access(&self) -> Access<'_> {
        Access {
            host: &self.place.host,
            path: self.place.path(),
            scopes: &self.scopes,
            url: &self.url,
        }
    }
}

impl Inner {
    /// How long the head of a small request's answer may take.
    pub(super) fn small_limit(&self) -> Duration {
        self.options.idle_timeout.max(LEAST_PATIENCE)
    }

    /// Sends the request, logged in as far as the host wants it. A refusal that a renewed login
    /// does not change is an answer, not an error.
    pub(super) async fn exchange(&self, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        let host = &ask.place.host;
        let mut first = None;
        let contact = async {
            let answer = self.travel(ask, None).await?;
            if answer.status() == StatusCode::UNAUTHORIZED && !answer.elsewhere {
                learn(host, answer.headers());
            }
            first = Some(answer);
            Ok(())
        };
        host.contact.get(|()| true, contact).await?;
        let (grant, answer) = if let Some(answer) = first {
            (None, answer)
        } else {
            let grant = self.usual_grant(ask.access()).await?;
            let answer = self.travel(ask, grant.as_ref()).await?;
            (grant, answer)
        };
        if answer.elsewhere {
            return Ok(answer);
        }
        match answer.status() {
            StatusCode::UNAUTHORIZED => {
                let renewed = self
                    .renew(ask.access(), answer.headers(), grant.as_ref())
                    .await?;
                match renewed {
                    Some(renewed) => {
                        drain(answer).await;
                        self.travel(ask, Some(&renewed)).await
                    }
                    None => Ok(answer),
                }
            }
            StatusCode::FORBIDDEN => match &grant {
                Some(grant) => self.again_if_forbidden(ask, grant, answer).await,
                None => Ok(answer),
            },
            _ => Ok(answer),
        }
    }

    /// A 403 may mean an expired token (ECR): one more try with a new one.
    async fn again_if_forbidden(
        &self,
        ask: &Ask<'_>,
        grant: &Grant,
        answer: Answer,
    ) -> Result<Answer, Trouble> {
        if !grant.is_token() {
            return Ok(answer);
        }
        let Some(renewed) = self.renew_forbidden(ask.access(), grant).await? else {
            return Ok(answer);
        };
        drain(answer).await;
        let answer = self.travel(ask, Some(&renewed)).await?;
        if answer.status() == StatusCode::FORBIDDEN {
            ask.place.host.auth.learn_forbidden(&ask.scopes);
        }
        Ok(answer)
    }

    /// Sends the request and follows redirects. The login goes to the origin that it is for and
    /// nowhere else.
    async fn travel(&self, ask: &Ask<'_>, grant: Option<&Grant>) -> Result<Answer, Trouble> {
        let mut url = ask.url.clone();
        let mut kind = RequestKind::Registry;
        for _ in 0..=redirect::MOST {
            let elsewhere = url.origin() != ask.url.origin();
            let mut headers = ask.headers.clone();
            if elsewhere {
                if let Some(grant) = self.grant_elsewhere(&url, None).await? {
                    headers.insert(AUTHORIZATION, grant.header);
                }
            } else if let Some(grant) = grant {
                headers.insert(AUTHORIZATION, grant.header.clone());
            }
            let mut response = self.hop(ask, kind, &url, headers.clone()).await?;
            if elsewhere
                && response.status() == StatusCode::UNAUTHORIZED
                && !headers.contains_key(AUTHORIZATION)
                && let Some(grant) = self.grant_elsewhere(&url, Some(response.headers())).await?
            {
                headers.insert(AUTHORIZATION, grant.header);
                response = self.hop(ask, kind, &url, headers).await?;
            }
            if !ask.follow || !redirect::is_redirect(response.status()) {
                return Ok(Answer {
                    response,
                    url,
                    elsewhere,
                });
            }
            let next = redirect::target(&url, response.headers())?;
            tracing::debug!(from = %shown(&url), to = %shown(&next), "redirected");
            url = next;
            kind = RequestKind::Redirect;
        }
        Err(Trouble::fatal(
            Code::Protocol,
            format!(
                "more than {} redirects, the last to {}",
                redirect::MOST,
                shown(&url)
            ),
        ))
    }

    async fn hop(
        &self,
        ask: &Ask<'_>,
        kind: RequestKind,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<Response, Trouble> {
        let outgoing = Outgoing {
            kind,
            method: ask.method.clone(),
            url,
            headers,
            body: ask.body.clone().map(Into::into),
        };
        self.send_within(ask.limit, outgoing).await
    }

    /// The login for another registry that a redirect led to: its own, for the repository in the
    /// URL; nothing of the registry that redirected. `challenge`: the headers of its 401.
    async fn grant_elsewhere(
        &self,
        url: &Url,
        challenge: Option<&HeaderMap>,
    ) -> Result<Option<Grant>, Trouble> {
        let Some(path) = repository_of(url.path()) else {
            return Ok(None);
        };
        let rule = if url.scheme() == "https" {
            SchemeRule::Https
        } else {
            SchemeRule::Http
        };
        let host = self.host(&authority(url), rule);
        let scopes = Scopes::pull(path);
        let access = Access {
            host: &host,
            path,
            scopes: &scopes,
            url,
        };
        match challenge {
            Some(headers) => self.renew(access, headers, None).await,
            None => self.usual_grant(access).await,
        }
    }
}

/// The repository in `/v2/<name>/manifests/…` or `/v2/<name>/blobs/…`.
fn repository_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v2/")?;
    let end = rest
        .rfind("/manifests/")
        .or_else(|| rest.rfind("/blobs/"))?;
    Some(&rest[..end])
}

/// Reads a short body to its end, so that the connection can be used again.
async fn drain(answer: Answer) {
    let refusal = Refusal::read(answer.response).await;
    tracing::trace!("answered {}", refusal.describe());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_urls() {
        assert_eq!(repository_of("/v2/a/b/manifests/1.0"), Some("a/b"));
        assert_eq!(repository_of("/v2/a/blobs/sha256:0"), Some("a"));
        assert_eq!(repository_of("/bucket/v2/a/blobs/x"), None);
        assert_eq!(repository_of("/v2/"), None);
    }
}
