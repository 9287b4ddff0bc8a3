//! What a request carries to be let in, and its renewal after a refusal.

use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;

use super::challenge::{self, Challenge};
use super::scope::Scopes;
use super::state::Mode;
use super::token::{Token, basic, bearer};
use crate::registry::client::Inner;
use crate::registry::credentials::{Credential, Login, Secret};
use crate::registry::endpoint::DOCKER_HUB;
use crate::registry::host::Host;
use crate::registry::options::Side;
use crate::registry::trouble::Trouble;

/// A token with less of its life left than this is not begun with: it would end under way.
const LEAST_LIFE: f64 = 0.1;

/// Who asks, for what.
#[derive(Clone, Copy)]
pub(in crate::registry) struct Access<'a> {
    pub(in crate::registry) host: &'a Host,
    /// The repository's path on that host: credentials may be scoped to it.
    pub(in crate::registry) path: &'a str,
    pub(in crate::registry) scopes: &'a Scopes,
    /// The URL that is asked, against which a realm is checked.
    pub(in crate::registry) url: &'a Url,
}

/// An `Authorization` header and what it was made of.
pub(in crate::registry) struct Grant {
    pub(in crate::registry) header: HeaderValue,
    /// The token, when it is one that can be renewed.
    token: Option<Secret>,
}

impl Grant {
    fn token(token: &Token) -> Self {
        Self {
            header: bearer(&token.value),
            token: Some(token.value.clone()),
        }
    }

    fn fixed(header: HeaderValue) -> Self {
        Self {
            header,
            token: None,
        }
    }

    pub(in crate::registry) fn is_token(&self) -> bool {
        self.token.is_some()
    }
}

impl Inner {
    /// What the next request is sent with: nothing until the host has asked, then what it asked
    /// for without being asked again. `share` of a token's life must be left.
    pub(in crate::registry) async fn grant(
        &self,
        access: Access<'_>,
        share: f64,
    ) -> Result<Option<Grant>, Trouble> {
        match access.host.auth.mode() {
            Mode::Open => Ok(None),
            Mode::Asks(challenge) => self.answer(access, &challenge, None, share).await,
        }
    }

    /// As [`grant`](Self::grant) with the ordinary share.
    pub(in crate::registry) async fn usual_grant(
        &self,
        access: Access<'_>,
    ) -> Result<Option<Grant>, Trouble> {
        self.grant(access, LEAST_LIFE).await
    }

    /// Learns from a 401 and gives what to try once more with; `None` when there is nothing
    /// else to try.
    pub(in crate::registry) async fn renew(
        &self,
        access: Access<'_>,
        headers: &HeaderMap,
        rejected: Option<&Grant>,
    ) -> Result<Option<Grant>, Trouble> {
        let challenge = match (challenge::first(headers), access.host.auth.mode()) {
            (Some(challenge), _) | (None, Mode::Asks(challenge)) => challenge,
            (None, Mode::Open) => return Ok(None),
        };
        access.host.auth.learn(challenge.clone());
        let fixed = rejected.is_some_and(|grant| grant.token.is_none());
        if fixed && challenge == Challenge::Basic {
            return Ok(None);
        }
        let rejected = rejected.and_then(|grant| grant.token.as_ref());
        self.answer(access, &challenge, rejected, LEAST_LIFE).await
    }

    /// Another token in place of one that met a 403, which is how ECR reports expiry.
    pub(in crate::registry) async fn renew_forbidden(
        &self,
        access: Access<'_>,
        rejected: &Grant,
    ) -> Result<Option<Grant>, Trouble> {
        let (Some(token), Mode::Asks(challenge)) = (&rejected.token, access.host.auth.mode())
        else {
            return Ok(None);
        };
        if access.host.auth.is_forbidden(access.scopes) {
            return Ok(None);
        }
        self.answer(access, &challenge, Some(token), LEAST_LIFE)
            .await
    }

    async fn answer(
        &self,
        access: Access<'_>,
        challenge: &Challenge,
        rejected: Option<&Secret>,
        share: f64,
    ) -> Result<Option<Grant>, Trouble> {
        let authority = access.host.authority();
        let login = self.credentials.login(authority, access.path).await;
        match challenge {
            Challenge::Basic => Ok(match login.map(|login| login.credential) {
                Some(Credential::Password { user, password }) => {
                    Some(Grant::fixed(basic(&user, &password)))
                }
                _ => None,
            }),
            Challenge::Bearer { realm, service } => {
                if let Some(Credential::Bearer(token)) = login.as_ref().map(|l| &l.credential) {
                    return Ok((rejected.is_none()).then(|| Grant::fixed(bearer(token))));
                }
                let good = |token: &Token| Some(&token.value) != rejected && token.has_left(share);
                if let Some(token) = access.host.auth.wider(access.scopes, share)
                    && good(&token)
                {
                    return Ok(Some(Grant::token(&token)));
                }
                let flight = access.host.auth.flight(access.scopes);
                let fetch = self.fetch_token(
                    access.url,
                    realm,
                    service.as_deref(),
                    access.scopes,
                    login.as_ref(),
                );
                let token = flight.get(good, fetch).await?;
                Ok(Some(Grant::token(&token)))
            }
        }
    }

    /// What to do about a login that was refused or is missing.
    pub(in crate::registry) fn login_hint(&self, login: Option<&Login>, server: &str) -> String {
        let server = if server == DOCKER_HUB {
            "docker.io"
        } else {
            server
        };
        if let Some(login) = login {
            return format!(
                "{} was not accepted: log in again, or give another file with --authfile",
                login.describe()
            );
        }
        // A target makes its repositories; a source may hide that it has none.
        let or_absent = match self.options.side {
            Side::Source => {
                "; many registries answer the same for a repository that does not exist"
            }
            Side::Target => "",
        };
        format!(
            "no login for {server} ({}): log in with `docker login` or `podman login`, or give \
             the file with --authfile{or_absent}",
            self.credentials.searched()
        )
    }
}

/// Remembers what a host's 401 asks for.
pub(in crate::registry) fn learn(host: &Host, headers: &HeaderMap) {
    if let Some(challenge) = challenge::first(headers) {
        host.auth.learn(challenge);
    }
}
