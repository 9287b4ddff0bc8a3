//! Asking a token server (distribution's "Token Authentication" and "`OAuth2`" specifications).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::realm;
use super::scope::Scopes;
use crate::content::Code;
use crate::registry::classify;
use crate::registry::client::Inner;
use crate::registry::counters::RequestKind;
use crate::registry::credentials::{Credential, Login, Secret};
use crate::registry::refusal::Refusal;
use crate::registry::trouble::Trouble;
use crate::registry::wire::{Outgoing, authority, shown};

const CLIENT_ID: &str = "airbuoy";

/// Largest token answer that is read, in bytes.
const LIMIT: usize = 1024 * 1024;

/// Life of a token whose server does not say; also the least it may say (token specification).
const SHORTEST_LIFE: u64 = 60;

/// A server that says more is not believed.
const LONGEST_LIFE: u64 = 24 * 60 * 60;

/// Redirects of a token server that are followed.
const REDIRECTS: usize = 10;

/// A bearer token and its life.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) value: Secret,
    pub(super) fetched: Instant,
    pub(super) life: Duration,
}

impl Token {
    /// Whether at least this share of its life is left.
    pub(super) fn has_left(&self, share: f64) -> bool {
        self.fetched.elapsed() < self.life.mul_f64(1.0 - share)
    }
}

/// What a token server answers.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
    issued_at: Option<String>,
}

impl Inner {
    /// Fetches a token for `scopes` from the server that was named to the request `asked`.
    pub(super) async fn fetch_token(
        &self,
        asked: &Url,
        realm: &str,
        service: Option<&str>,
        scopes: &Scopes,
        login: Option<&Login>,
    ) -> Result<Token, Trouble> {
        let realm = realm::check(asked, realm)?;
        let response = match login.map(|login| &login.credential) {
            Some(Credential::Identity(refresh)) => {
                let response = self.oauth2(&realm, service, scopes, refresh).await?;
                // Servers without the `OAuth2` endpoint take the refresh token as a password.
                if matches!(
                    response.status(),
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                ) {
                    let basic = basic("<token>", refresh);
                    self.get_token(&realm, service, scopes, None, Some(basic))
                        .await?
                } else {
                    response
                }
            }
            Some(Credential::Password { user, password }) => {
                let basic = basic(user, password);
                self.get_token(&realm, service, scopes, Some(user), Some(basic))
                    .await?
            }
            Some(Credential::Bearer(_)) | None => {
                self.get_token(&realm, service, scopes, None, None).await?
            }
        };
        if !response.status().is_success() {
            return Err(self.token_refused(&realm, response, login).await);
        }
        let body = read(response).await?;
        parse(&body, Instant::now(), Timestamp::now())
            .map_err(|why| Trouble::fatal(Code::Protocol, format!("{} {why}", shown(&realm))))
    }

    async fn get_token(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &Scopes,
        account: Option<&str>,
        basic: Option<HeaderValue>,
    ) -> Result<Response, Trouble> {
        let mut url = realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            for scope in scopes.texts() {
                query.append_pair("scope", &scope);
            }
            query.append_pair("client_id", CLIENT_ID);
            if let Some(account) = account {
                query.append_pair("account", account);
            }
        }
        for _ in 0..=REDIRECTS {
            let mut headers = HeaderMap::new();
            if let Some(basic) = &basic
                && url.origin() == realm.origin()
            {
                headers.insert(AUTHORIZATION, basic.clone());
            }
            let outgoing = Outgoing {
                kind: RequestKind::Token,
                method: Method::GET,
                url: &url,
                headers,
                body: None,
            };
            let response = self.send_within(self.small_limit(), outgoing).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = response
                .headers()
                .get(LOCATION)
                .and_then(|l| l.to_str().ok());
            url = realm::check(&url, next.unwrap_or_default())?;
        }
        Err(Trouble::fatal(
            Code::Protocol,
            format!("the token server {} redirects in circles", shown(realm)),
        ))
    }

    async fn oauth2(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &Scopes,
        refresh: &Secret,
    ) -> Result<Response, Trouble> {
        let form = {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token")
                .append_pair("service", service.unwrap_or_default())
                .append_pair("client_id", CLIENT_ID)
                .append_pair("scope", &scopes.texts().join(" "))
                .append_pair("refresh_token", refresh.reveal());
            form.finish()
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let outgoing = Outgoing {
            kind: RequestKind::Token,
            method: Method::POST,
            url: realm,
            headers,
            body: Some(form.into()),
        };
        self.send_within(self.small_limit(), outgoing).await
    }

    async fn token_refused(
        &self,
        realm: &Url,
        response: Response,
        login: Option<&Login>,
    ) -> Trouble {
        let after = classify::retry_after_of(response.headers());
        let refusal = Refusal::read(response).await;
        let server = authority(realm);
        let said = format!("the token server {server} says {}", refusal.describe());
        match refusal.status.as_u16() {
            429 | 503 => classify::throttled(refusal.status, after, said),
            500..=599 => Trouble::passing(Code::ServerError, said),
            _ => {
                let code = if refusal.status == StatusCode::FORBIDDEN {
                    Code::Denied
                } else {
                    Code::Unauthorized
                };
                Trouble::fatal(code, said).hint(self.login_hint(login, &server))
            }
        }
    }
}

/// `Authorization: Basic`, marked so that no log shows it.
pub(super) fn basic(user: &str, password: &Secret) -> HeaderValue {
    let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
    secret_header(&format!("Basic {pair}"))
}

/// `Authorization: Bearer`, marked so that no log shows it.
pub(super) fn bearer(token: &Secret) -> HeaderValue {
    secret_header(&format!("Bearer {}", token.reveal()))
}

/// Characters that no header may hold cannot be part of a login; such a header is left empty,
/// and the server refuses it.
fn secret_header(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

async fn read(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    let broken =
        |why: &str| Trouble::passing(Code::Interrupted, format!("the token's answer {why}"));
    let patience = Duration::from_secs(15);
    loop {
        let chunk = tokio::time::timeout(patience, response.chunk())
            .await
            .map_err(|_| broken("stands still"))?
            .map_err(|_| broken("broke off"))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > LIMIT {
            return Err(Trouble::fatal(
                Code::TooLarge,
                format!("the token's answer is larger than {LIMIT} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
}

/// Reads an answer that arrived at `now`. Its own clock is not trusted: the life is the shorter
/// of what is left by its `issued_at` and by our arrival.
fn parse(body: &[u8], arrived: Instant, now: Timestamp) -> Result<Token, &'static str> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| "gave an answer that is no token")?;
    let value = answer
        .token
        .filter(|t| !t.is_empty())
        .or(answer.access_token)
        .filter(|t| !t.is_empty())
        .ok_or("gave an answer without a token")?;
    let life = answer
        .expires_in
        .unwrap_or(0)
        .clamp(SHORTEST_LIFE, LONGEST_LIFE);
    let age = answer
        .issued_at
        .and_then(|at| at.parse::<Timestamp>().ok())
        .and_then(|at| u64::try_from(now.duration_since(at).as_secs()).ok())
        .unwrap_or(0);
    Ok(Token {
        value: Secret::new(value),
        fetched: arrived,
        // A clock that is wrong by more than the life would make every token useless.
        life: Duration::from_secs(if age < life { life - age } else { life }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn life(body: &str) -> Result<u64, &'static str> {
        let now: Timestamp = "2026-11-06T12:00:00Z".parse().expect("a time");
        parse(body.as_bytes(), Instant::now(), now).map(|t| t.life.as_secs())
    }

    #[test]
    fn lives_of_tokens() {
        assert_eq!(life(r#"{"token":"t"}"#), Ok(60));
        assert_eq!(life(r#"{"access_token":"t","expires_in":300}"#), Ok(300));
        assert_eq!(life(r#"{"token":"t","expires_in":1}"#), Ok(60));
        assert_eq!(life(r#"{"token":"t","expires_in":999999999}"#), Ok(86400));
        let issued = |at: &str| {
            life(&format!(
                r#"{{"token":"t","expires_in":300,"issued_at":"{at}"}}"#
            ))
        };
        assert_eq!(issued("2026-11-06T11:59:00Z"), Ok(240));
        assert_eq!(issued("2026-11-06T12:10:00Z"), Ok(300));
        assert_eq!(issued("2020-01-01T00:00:00Z"), Ok(300));
        assert_eq!(issued("yesterday"), Ok(300));
    }

    #[test]
    fn answers_without_a_token() {
        for body in ["", "[]", "{}", r#"{"token":""}"#, r#"{"token":7}"#] {
            assert!(life(body).is_err(), "{body}");
        }
        assert!(life(r#"{"token":"","access_token":"t"}"#).is_ok());
    }

    #[test]
    fn a_share_of_the_life() {
        let token = Token {
            value: Secret::new("t"),
            fetched: Instant::now(),
            life: Duration::from_secs(100),
        };
        assert!(token.has_left(0.25) && token.has_left(0.9));
        assert!(!format!("{token:?}").contains("\"t\""));
        assert!(format!("{:?}", bearer(&token.value)).contains("Sensitive"));
    }

    proptest! {
        #[test]
        fn hostile_answers_are_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body, Instant::now(), Timestamp::UNIX_EPOCH);
        }
    }
}
