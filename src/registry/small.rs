//! Small requests: a slot of the host, as many tries as the options allow, and no slot held
//! while waiting.

use reqwest::StatusCode;

use crate::content::{Code, Retry};
use crate::event::Event;

use super::classify::{self, is_passing, retry_after_of};
use super::client::Inner;
use super::endpoint::DOCKER_HUB;
use super::exchange::{Answer, Ask};
use super::host::Host;
use super::place::Place;
use super::refusal::Refusal;
use super::retry::{Schedule, jitter};
use super::trouble::Trouble;

impl Inner {
    /// When to try a small request again.
    pub(super) fn schedule(&self) -> Schedule {
        Schedule {
            first: self.options.first_backoff,
        }
    }

    /// Sends a small request until it is answered with something that stays.
    pub(super) async fn small(&self, ask: Ask<'_>) -> Result<Answer, Trouble> {
        self.small_while(ask, is_passing).await
    }

    /// As [`small`](Self::small), with `passing` deciding which answers do not stay.
    pub(super) async fn small_while(
        &self,
        ask: Ask<'_>,
        passing: fn(StatusCode) -> bool,
    ) -> Result<Answer, Trouble> {
        let place = ask.place;
        let host = &place.host;
        let schedule = self.schedule();
        let mut tried = 0;
        loop {
            host.pause.wait().await;
            let outcome = {
                let _slot = host.slots.acquire().await;
                self.exchange(&ask).await
            };
            tried += 1;
            let trouble = match outcome {
                Ok(answer) if passing(answer.status()) => self.refused(place, answer).await.1,
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            if tried >= self.options.attempts || trouble.retry == Retry::Never {
                return Err(trouble);
            }
            let delay = schedule.delay(tried, jitter());
            tracing::debug!(
                host = host.authority(),
                repository = place.path(),
                method = %ask.method,
                tried,
                ?delay,
                "again: {}",
                trouble.message
            );
            match trouble.retry {
                // Throttled without a time: the whole host is left alone.
                Retry::Backoff if trouble.code == Code::Throttled => {
                    self.leave_alone(host, delay, &trouble.message);
                }
                Retry::Backoff => tokio::time::sleep(delay).await,
                Retry::After(wish) => self.leave_alone(host, wish, &trouble.message),
                Retry::Never => {}
            }
        }
    }

    /// What a refusing answer says and means. A wish for quiet is granted at once, to the whole
    /// host; a refused login is told with its name and file.
    pub(super) async fn refused(&self, place: &Place, answer: Answer) -> (Refusal, Trouble) {
        let after = retry_after_of(answer.headers());
        let elsewhere = answer
            .elsewhere
            .then(|| super::wire::authority(&answer.url));
        let answered = answer.url;
        let refusal = Refusal::read(answer.response).await;
        let mut trouble = classify::refused(&refusal, after);
        if let Some(host) = elsewhere {
            trouble.message = format!(
                "{host}, where the registry redirects to, says {}",
                trouble.message
            );
            if trouble.code == Code::Denied {
                trouble.hint = Some(format!("open {host} for this machine: it serves the bytes"));
            }
            return (refusal, trouble);
        }
        if wants_client_certificate(&refusal) {
            let authority = super::wire::authority(&answered);
            let shown = self.shown_to(&authority);
            let trouble = self.not_let_in(&authority, &refusal.describe(), shown.as_deref());
            return (refusal, trouble);
        }
        if let Retry::After(delay) = trouble.retry {
            self.leave_alone(&place.host, delay, &trouble.message);
        }
        if matches!(trouble.code, Code::Unauthorized | Code::Denied) {
            trouble = self.with_login(place, trouble).await;
        }
        if trouble.code == Code::Throttled && place.host.authority() == DOCKER_HUB {
            trouble.hint = Some(
                "Docker Hub limits the pulls of an address: log in with `docker login`, or wait"
                    .to_owned(),
            );
        }
        (refusal, trouble)
    }

    async fn with_login(&self, place: &Place, trouble: Trouble) -> Trouble {
        let authority = place.host.authority();
        let login = self.credentials.login(authority, place.path()).await;
        let hint = match &login {
            Some(login) if trouble.code == Code::Denied => {
                format!("{} may not do this there", login.describe())
            }
            login => self.login_hint(login.as_ref(), authority),
        };
        trouble.hint(hint)
    }

    /// Leaves the host alone for a while, and says so when that is news.
    pub(super) fn leave_alone(&self, host: &Host, delay: std::time::Duration, reason: &str) {
        if host.pause.extend(delay) && !delay.is_zero() {
            self.tell(Event::Waiting {
                host: host.authority().to_owned(),
                delay,
                reason: reason.to_owned(),
            });
        }
    }
}

/// nginx ends the handshake without a client certificate, or with one that it does not trust, and
/// refuses the request instead: "No required SSL certificate was sent", "The SSL certificate
/// error".
fn wants_client_certificate(refusal: &Refusal) -> bool {
    refusal.status == StatusCode::BAD_REQUEST
        && refusal.codes.is_empty()
        && refusal.text.contains("SSL certificate")
}
