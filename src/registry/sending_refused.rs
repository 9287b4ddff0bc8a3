//! Why the bytes of a blob were not taken, what is learnt from that, and whether another try helps.

use std::sync::atomic::Ordering;

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use url::Url;

use crate::content::{Code, Failure, Retry};
use crate::event::Event;

use super::auth::{Access, Scopes};
use super::classify::retry_after_of;
use super::client::Inner;
use super::exchange::Answer;
use super::trouble::Trouble;
use super::uploads::Upload;
use super::wire::authority;

/// How sending a blob failed.
pub(super) enum Broken {
    /// Its bytes did: the failure they ended with.
    Body(Failure),
    /// The registry or the way to it.
    Server(Trouble),
}

impl From<Trouble> for Broken {
    fn from(trouble: Trouble) -> Self {
        Self::Server(trouble)
    }
}

/// What a refused request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// A whole blob of so many bytes, and the wish to end the upload.
    Whole(u64),
    /// So many bytes that go ahead of that wish.
    Chunk(u64),
    /// Only the wish to end the upload.
    Nothing,
}

impl Inner {
    /// Why the bytes were not taken.
    pub(super) async fn body_refused(
        &self,
        upload: &Upload,
        location: &Url,
        response: Response,
        carried: Carried,
    ) -> Trouble {
        let place = &upload.place;
        let quirks = &place.host.quirks;
        let host = place.host.authority();
        let status = response.status();
        let registry = place.url("blobs/uploads/").await.ok();
        let rejected = match &registry {
            Some(registry) if status == StatusCode::UNAUTHORIZED => Some(
                self.forget_token(upload, location, registry, response.headers())
                    .await,
            ),
            _ => None,
        };
        let after = retry_after_of(response.headers());
        let elsewhere = registry.is_some_and(|url| authority(&url) != authority(location));
        let answer = Answer {
            response,
            url: location.clone(),
            elsewhere,
        };
        let (refusal, mut trouble) = self.refused(place, answer).await;
        if elsewhere && matches!(trouble.code, Code::Unauthorized | Code::Denied) {
            trouble.hint = Some(foreign_hint(host, &authority(location)));
        }
        let whole = matches!(carried, Carried::Whole(_));
        match status.as_u16() {
            // Nothing but POST and PUT is a MUST, and yet most clients push with PATCH: what
            // stands in between may know no other way.
            400 | 405 | 411 | 501 if whole && (status != 400 || refusal.has("UNSUPPORTED")) => {
                quirks.learn_patch_first(host);
                trouble.retry = Retry::Backoff;
            }
            401 if rejected == Some(true) => trouble.retry = Retry::Backoff,
            404 if refusal.has("BLOB_UPLOAD_UNKNOWN") || refusal.has("BLOB_UNKNOWN") => {
                if whole {
                    quirks.learn_patch_first(host);
                }
                trouble.retry = Retry::Backoff;
            }
            400 if refusal.has("DIGEST_INVALID") => {
                trouble.code = Code::DigestMismatch;
                trouble.retry = Retry::Backoff;
            }
            400 if refusal.has("NAME_INVALID") || refusal.has("UNSUPPORTED") => {}
            // Two uploads of one blob at once (Nexus), a session that went away: what a second
            // look or try settles.
            400 | 404 | 409 | 416 => trouble.retry = Retry::Backoff,
            413 => {
                let (length, least) = match carried {
                    Carried::Whole(length) | Carried::Chunk(length) => (length, upload.least_chunk),
                    Carried::Nothing => (0, 0),
                };
                trouble.hint = Some(limit_hint(length));
                if quirks.chunking.refused(host, length, least) {
                    trouble.retry = Retry::Backoff;
                    self.tell_of_chunks(upload, length);
                }
            }
            _ if after.is_none() && status.is_redirection() => {
                trouble.message = format!(
                    "the registry redirects the upload, which is not followed ({})",
                    trouble.message
                );
            }
            _ => {}
        }
        trouble
    }

    /// Says once a host that its limit costs speed.
    fn tell_of_chunks(&self, upload: &Upload, length: u64) {
        let host = &upload.place.host;
        if !host.quirks.told_of_chunks.swap(true, Ordering::Relaxed) {
            self.tell(Event::Notice(format!(
                "{} refuses a body of {length} bytes (413): large blobs go in chunks, which is \
                 slower than one request each",
                host.authority()
            )));
        }
    }

    /// Replaces the token that a PUT was refused with; true when another try may go better.
    async fn forget_token(
        &self,
        upload: &Upload,
        location: &Url,
        registry: &Url,
        headers: &HeaderMap,
    ) -> bool {
        let place = &upload.place;
        let Ok(Some(rejected)) = self.upload_grant(place, location).await else {
            return false;
        };
        let scopes = Scopes::push(place.path());
        let access = Access {
            host: &place.host,
            path: place.path(),
            scopes: &scopes,
            url: registry,
        };
        matches!(
            self.renew(access, headers, Some(&rejected)).await,
            Ok(Some(_))
        )
    }
}

/// What to do when the registry leads uploads to another address than the one that was named.
fn foreign_hint(host: &str, elsewhere: &str) -> String {
    format!(
        "no login of {host} is sent to {elsewhere}: if that is the same registry, its own address is \
         set wrong there (Distribution: http.host; a proxy: X-Forwarded-Host and X-Forwarded-Proto)"
    )
}

/// What to do about a limit that a body of `length` bytes met.
pub(super) fn limit_hint(length: u64) -> String {
    format!(
        "a proxy or the registry limits the size of a body: raise its limit above {length} bytes \
         (nginx: client_max_body_size 0; ingress-nginx: the annotation proxy-body-size \"0\")"
    )
}

/// A connection that ended while bytes were sent.
pub(super) fn cut(trouble: Trouble, sent: u64, size: u64) -> Trouble {
    if trouble.code != Code::Interrupted || sent == 0 {
        return trouble;
    }
    let message = format!("{} (after {sent} of {size} bytes)", trouble.message);
    Trouble { message, ..trouble }.hint(
        "when this happens at every try, a proxy in front of the registry may limit the size of \
         a body (nginx: client_max_body_size 0)",
    )
}
