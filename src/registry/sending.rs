//! Sending a blob to an open upload: in chunks where the host needs them, else one PUT with the
//! bytes (distribution-spec, end-5 and end-6).

use futures_util::StreamExt as _;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::content::{BlobStream, Code, Failure};
use crate::oci::{Descriptor, TagOrDigest};

use super::auth::{Access, Grant, Scopes};
use super::body::Body;
use super::client::Inner;
use super::counters::RequestKind;
use super::place::Place;
use super::redirect;
use super::sending_refused::{Broken, Carried, cut};
use super::trouble::Trouble;
use super::uploads::Upload;
use super::wire::Outgoing;

/// A token with less than this share of its life left is renewed before a body is sent: it would
/// end under way, and the refusal comes after the last byte.
const LEAST_LIFE: f64 = 0.25;

/// What one request carries.
pub(super) struct Load {
    pub(super) bytes: BlobStream,
    /// How many they are.
    pub(super) length: u64,
    /// Where they begin in the blob, when they are a chunk of it.
    pub(super) start: Option<u64>,
}

impl Inner {
    /// Sends the whole blob and commits it.
    pub(super) async fn upload(
        &self,
        mut upload: Upload,
        blob: &Descriptor,
        body: BlobStream,
    ) -> Result<(), Failure> {
        let place = upload.place.clone();
        let chunk = place
            .host
            .quirks
            .chunking
            .size(blob.size, upload.least_chunk);
        let sent = match chunk {
            Some(_) => self.send_chunks(&mut upload, blob, body).await,
            None => self.send_whole(&mut upload, blob, body).await,
        };
        match sent {
            Ok(()) => Ok(()),
            Err(Broken::Body(failure)) => {
                self.cancel(upload).await;
                Err(failure)
            }
            Err(Broken::Server(trouble)) => {
                if chunk.is_some() {
                    // Some of it is held there.
                    self.cancel(upload).await;
                }
                Err(trouble.at(&place))
            }
        }
    }

    /// One PUT with everything, or one PATCH and a PUT where that is wanted.
    async fn send_whole(
        &self,
        upload: &mut Upload,
        blob: &Descriptor,
        bytes: BlobStream,
    ) -> Result<(), Broken> {
        let quirks = &upload.place.host.quirks;
        let load = Load {
            bytes,
            length: blob.size,
            start: None,
        };
        let location = upload.location.clone();
        if quirks.patch_first() {
            let response = self
                .send_load(upload, Method::PATCH, &location, load)
                .await?;
            if !response.status().is_success() {
                let carried = Carried::Chunk(blob.size);
                let refused = self.body_refused(upload, &location, response, carried);
                return Err(refused.await.into());
            }
            upload.location = redirect::upload(&location, response.headers())?;
            return self.commit(upload, blob).await;
        }
        let location = with_digest(location, blob);
        let response = self.send_load(upload, Method::PUT, &location, load).await?;
        self.committed(upload, blob, &location, response, Carried::Whole(blob.size))
            .await
    }

    /// The PUT without a body that ends an upload whose bytes went ahead.
    pub(super) async fn commit(&self, upload: &Upload, blob: &Descriptor) -> Result<(), Broken> {
        let location = with_digest(upload.location.clone(), blob);
        let mut headers = self.upload_headers(&upload.place, &location).await?;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        let outgoing = Outgoing {
            kind: RequestKind::Registry,
            method: Method::PUT,
            url: &location,
            headers,
            body: None,
        };
        let limit = self.small_limit() * 10;
        let response = self.send_within(limit, outgoing).await?;
        self.committed(upload, blob, &location, response, Carried::Nothing)
            .await
    }

    /// What the answer to the request that ends an upload means.
    async fn committed(
        &self,
        upload: &Upload,
        blob: &Descriptor,
        location: &Url,
        response: Response,
        carried: Carried,
    ) -> Result<(), Broken> {
        match response.status() {
            StatusCode::CREATED => Ok(()),
            status if status.is_success() => self.look_again(&upload.place, blob, status).await,
            _ => {
                let refused = self.body_refused(upload, location, response, carried);
                Err(refused.await.into())
            }
        }
    }

    /// One request with `load` as its body. An answer that comes early is the answer.
    pub(super) async fn send_load(
        &self,
        upload: &Upload,
        method: Method,
        location: &Url,
        load: Load,
    ) -> Result<Response, Broken> {
        let place = &upload.place;
        let Load {
            mut bytes,
            length,
            start,
        } = load;
        if length == 0 {
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
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        if let Some(start) = start
            && let Ok(range) = HeaderValue::from_str(&format!("{start}-{}", start + length - 1))
        {
            headers.insert(CONTENT_RANGE, range);
        }
        let (body, watch) = Body::new(bytes, length);
        let outgoing = Outgoing {
            kind: RequestKind::Registry,
            method,
            url: location,
            headers,
            body: Some(if length == 0 {
                reqwest::Body::from("")
            } else {
                reqwest::Body::wrap_stream(body)
            }),
        };
        let result = tokio::select! {
            result = self.send(outgoing) => result,
            why = watch.stalled(self.options.idle_timeout) => {
                return Err(Trouble::passing(Code::Interrupted, why).into());
            }
        };
        // What went wrong on our side of the body is the reason, whatever the connection says.
        if let Some(failure) = watch.failure() {
            return Err(Broken::Body(failure));
        }
        let response = result.map_err(|trouble| {
            if start.is_none() && trouble.code == Code::Interrupted && watch.sent() > 0 {
                whole_broke(place, length);
            }
            cut(trouble, watch.sent(), length)
        })?;
        if response.status().is_success() && watch.sent() < length {
            return Err(Trouble::passing(
                Code::Protocol,
                format!(
                    "the registry said {} after {} of {length} bytes",
                    response.status(),
                    watch.sent(),
                ),
            )
            .into());
        }
        Ok(response)
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

    pub(super) async fn upload_grant(
        &self,
        place: &Place,
        location: &Url,
    ) -> Result<Option<Grant>, Trouble> {
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
}

/// Counts a single PUT that broke under way: its size may be why.
fn whole_broke(place: &Place, length: u64) {
    if let Some(TagOrDigest::Digest(digest)) = place.reference() {
        let chunking = &place.host.quirks.chunking;
        chunking.broke(place.host.authority(), digest, length);
    }
}

/// `location` with `digest=`; its query is the server's own business and is not encoded again.
fn with_digest(mut location: Url, blob: &Descriptor) -> Url {
    let digest = &blob.digest;
    let query = match location.query() {
        Some(query) if !query.is_empty() => format!("{query}&digest={digest}"),
        _ => format!("digest={digest}"),
    };
    location.set_query(Some(&query));
    location
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
            let url = with_digest(before.parse().expect("a URL"), &blob);
            let stem = before.trim_end_matches('?');
            assert_eq!(
                url.as_str(),
                format!("{stem}{separator}digest={}", blob.digest)
            );
        }
    }
}
