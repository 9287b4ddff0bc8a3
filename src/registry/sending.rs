//! Sending a blob to an open upload: one PUT with the bytes, and what its answers mean
//! (distribution-spec, end-5 and end-6).

use futures_util::StreamExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::content::{BlobStream, Code, Failure, Retry};
use crate::oci::Descriptor;

use super::auth::{Access, Grant, Scopes};
use super::body::Body;
use super::classify::retry_after_of;
use super::client::Inner;
use super::counters::RequestKind;
use super::exchange::Answer;
use super::place::Place;
use super::redirect;
use super::trouble::Trouble;
use super::uploads::Upload;
use super::wire::Outgoing;

/// A token with less than this share of its life left is renewed before a body is sent: it would
/// end under way, and the refusal comes after the last byte.
const LEAST_LIFE: f64 = 0.25;

/// How sending a blob failed.
enum Broken {
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

impl Inner {
    /// Sends the whole blob and commits it.
    pub(super) async fn upload(
        &self,
        upload: Upload,
        blob: &Descriptor,
        body: BlobStream,
    ) -> Result<(), Failure> {
        let place = upload.place.clone();
        match self.send_blob(&upload, blob, body).await {
            Ok(()) => Ok(()),
            Err(Broken::Body(failure)) => {
                self.cancel(upload).await;
                Err(failure)
            }
            Err(Broken::Server(trouble)) => Err(trouble.at(&place)),
        }
    }

    async fn send_blob(
        &self,
        upload: &Upload,
        blob: &Descriptor,
        body: BlobStream,
    ) -> Result<(), Broken> {
        let place = &upload.place;
        let mut location = upload.location.clone();
        let mut body = Some(body);
        if place.host.quirks.patch_first() {
            let bytes = body
                .take()
                .unwrap_or_else(|| Box::pin(futures_util::stream::empty()));
            let response = self
                .send_body(place, Method::PATCH, &location, blob, bytes)
                .await?;
            if !response.status().is_success() {
                return Err(self.body_refused(place, &location, response, blob).await);
            }
            location = redirect::upload(&location, response.headers())?;
        }
        append_digest(&mut location, blob);
        let response = match body {
            Some(bytes) => {
                self.send_body(place, Method::PUT, &location, blob, bytes)
                    .await?
            }
            None => self.commit(place, &location).await?,
        };
        match response.status() {
            StatusCode::CREATED => Ok(()),
            status if status.is_success() => self.look_again(place, blob, status).await,
            _ => Err(self.body_refused(place, &location, response, blob).await),
        }
    }

    /// One request with the blob as its body. An answer that comes early is the answer.
    async fn send_body(
        &self,
        place: &Place,
        method: Method,
        location: &Url,
        blob: &Descriptor,
        mut bytes: BlobStream,
    ) -> Result<Response, Broken> {
        if blob.size == 0 {
            // Nothing of an empty body is ever asked for, so its verdict is asked for here.
            while let Some(chunk) = bytes.next().await {
                chunk.map_err(Broken::Body)?;
            }
        }
        if let Some(until) = place.host.pause.until() {
            let left = until.saturating_duration_since(std::time::Instant::now());
            return Err(Trouble::quiet(left, "the registry asked for quiet").into());
        }
        let mut headers = self.upload_headers(place, location).await?;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(blob.size));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        let (body, watch) = Body::new(bytes, blob.size);
        let outgoing = Outgoing {
            kind: RequestKind::Registry,
            method,
            url: location,
            headers,
            body: Some(if blob.size == 0 {
                reqwest::Body::from("")
            } else {
                reqwest::Body::wrap_stream(body)
            }),
        };
        let result = tokio::select! {
            result = self.send(outgoing) => result,
            why = watch.stalled(self.options.idle_timeout) => {
                Err(Trouble::passing(Code::Interrupted, why))
            }
        };
        // What went wrong on our side of the body is the reason, whatever the connection says.
        if let Some(failure) = watch.failure() {
            return Err(Broken::Body(failure));
        }
        let response = result.map_err(|trouble| cut(trouble, watch.sent(), blob.size))?;
        if response.status().is_success() && watch.sent() < blob.size {
            return Err(Trouble::passing(
                Code::Protocol,
                format!(
                    "the registry said {} after {} of {} bytes",
                    response.status(),
                    watch.sent(),
                    blob.size
                ),
            )
            .into());
        }
        Ok(response)
    }

    /// The PUT without a body that ends an upload whose bytes went ahead.
    async fn commit(&self, place: &Place, location: &Url) -> Result<Response, Broken> {
        let mut headers = self.upload_headers(place, location).await?;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        let outgoing = Outgoing {
            kind: RequestKind::Registry,
            method: Method::PUT,
            url: location,
            headers,
            body: None,
        };
        let limit = self.small_limit() * 10;
        Ok(self.send_within(limit, outgoing).await?)
    }

    /// The login for an upload, when its location is the registry itself.
    pub(super) async fn upload_headers(
        &self,
        place: &Place,
        location: &Url,
    ) -> Result<HeaderMap, Trouble> {
        let mut headers = HeaderMap::new();
        if let Some(grant) = self.upload_grant(place, location).await? {
            headers.insert(AUTHORIZATION, grant.header);
        }
        Ok(headers)
    }

    async fn upload_grant(&self, place: &Place, location: &Url) -> Result<Option<Grant>, Trouble> {
        let registry = place.url("blobs/uploads/").await?;
        if location.origin() != registry.origin() {
            return Ok(None);
        }
        let scopes = Scopes::push(place.path());
        let access = Access {
            host: &place.host,
            path: place.path(),
            scopes: &scopes,
            url: &registry,
        };
        self.grant(access, LEAST_LIFE).await
    }

    /// After an unusual success: is the blob there?
    async fn look_again(
        &self,
        place: &Place,
        blob: &Descriptor,
        status: StatusCode,
    ) -> Result<(), Broken> {
        let size = self
            .size_at(place, &blob.digest, Scopes::push(place.path()))
            .await?;
        if size == Some(blob.size) {
            return Ok(());
        }
        Err(Trouble::passing(
            Code::Protocol,
            format!("the blob was taken with {status} and is not there with its size"),
        )
        .into())
    }

    /// Why the bytes were not taken.
    async fn body_refused(
        &self,
        place: &Place,
        location: &Url,
        response: Response,
        blob: &Descriptor,
    ) -> Broken {
        let quirks = &place.host.quirks;
        let host = place.host.authority();
        let status = response.status();
        let rejected = if status == StatusCode::UNAUTHORIZED {
            Some(self.forget_token(place, location, response.headers()).await)
        } else {
            None
        };
        let after = retry_after_of(response.headers());
        let answer = Answer {
            response,
            url: location.clone(),
            elsewhere: false,
        };
        let (refusal, mut trouble) = self.refused(place, answer).await;
        match status.as_u16() {
            401 if rejected == Some(true) => trouble.retry = Retry::Backoff,
            404 if refusal.has("BLOB_UPLOAD_UNKNOWN") || refusal.has("BLOB_UNKNOWN") => {
                if !quirks.patch_first() {
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
                trouble.hint = Some(format!(
                    "a proxy or the registry limits the size of a body: raise its limit above {} \
                     bytes (nginx: client_max_body_size 0; ingress-nginx: the annotation \
                     proxy-body-size \"0\")",
                    blob.size
                ));
            }
            _ if after.is_none() && status.is_redirection() => {
                trouble.message = format!(
                    "the registry redirects the upload, which is not followed ({})",
                    trouble.message
                );
            }
            _ => {}
        }
        Broken::Server(trouble)
    }

    /// Replaces the token that a PUT was refused with; true when another try may go better.
    async fn forget_token(&self, place: &Place, location: &Url, headers: &HeaderMap) -> bool {
        let Ok(Some(rejected)) = self.upload_grant(place, location).await else {
            return false;
        };
        let Ok(registry) = place.url("blobs/uploads/").await else {
            return false;
        };
        let scopes = Scopes::push(place.path());
        let access = Access {
            host: &place.host,
            path: place.path(),
            scopes: &scopes,
            url: &registry,
        };
        matches!(
            self.renew(access, headers, Some(&rejected)).await,
            Ok(Some(_))
        )
    }
}

/// Adds `digest=` to a location whose query is the server's own business: it is not encoded
/// again.
fn append_digest(location: &mut Url, blob: &Descriptor) {
    let digest = &blob.digest;
    let query = match location.query() {
        Some(query) if !query.is_empty() => format!("{query}&digest={digest}"),
        _ => format!("digest={digest}"),
    };
    location.set_query(Some(&query));
}

/// A connection that ended while bytes were sent.
fn cut(trouble: Trouble, sent: u64, size: u64) -> Trouble {
    if trouble.code != Code::Interrupted || sent == 0 {
        return trouble;
    }
    let message = format!("{} (after {sent} of {size} bytes)", trouble.message);
    Trouble { message, ..trouble }.hint(
        "when this happens at every try, a proxy in front of the registry may limit the size of \
         a body (nginx: client_max_body_size 0)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    #[test]
    fn the_digest_is_added_and_nothing_else_changes() {
        let blob = Descriptor::new("x", Digest::of(b""), 0);
        for (before, separator) in [
            ("https://r.io/u/1", "?"),
            ("https://r.io/u/1?", "?"),
            ("https://r.io/u/1?_state=a%2Fb%3D%3D&x", "&"),
        ] {
            let mut url: Url = before.parse().expect("a URL");
            append_digest(&mut url, &blob);
            let stem = before.trim_end_matches('?');
            assert_eq!(
                url.as_str(),
                format!("{stem}{separator}digest={}", blob.digest)
            );
        }
    }
}
