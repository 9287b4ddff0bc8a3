//! Reading blobs: their bytes from an offset on, and their size (distribution-spec, end-2).

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};

use crate::content::{BlobStream, Code, Failure};
use crate::oci::{Descriptor, Digest, Repository};

use super::auth::Scopes;
use super::client::Inner;
use super::exchange::{Answer, Ask};
use super::place::Place;
use super::range::content_range;
use super::trouble::Trouble;
use super::wire::{authority, innermost};

impl Inner {
    /// The blob's bytes from `offset` on. One request, not tried again here: the caller knows
    /// what else there is to do meanwhile.
    pub(super) async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Failure> {
        let place = self.place(repository).about(&descriptor.digest);
        self.open(&place, descriptor, offset)
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    async fn open(
        &self,
        place: &Place,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, Trouble> {
        if offset > 0 && offset >= descriptor.size {
            return Ok(Box::pin(stream::empty()));
        }
        if let Some(until) = place.host.pause.until() {
            let left = until.saturating_duration_since(std::time::Instant::now());
            return Err(Trouble::quiet(left, "the registry asked for quiet"));
        }
        let host = place.host.authority();
        let quirks = &place.host.quirks;
        let ranged = offset > 0 && !quirks.range_broken();
        let answer = self
            .get_blob(place, &descriptor.digest, ranged.then_some(offset))
            .await?;
        let skip = match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = content_range(answer.headers());
                let fits = range.is_some_and(|range| {
                    range.start == offset && range.total.is_none_or(|t| t == descriptor.size)
                });
                if !fits {
                    quirks.learn_range_broken(host);
                    return Err(Trouble::passing(
                        Code::Protocol,
                        format!("asked for bytes from {offset} on, the answer holds others"),
                    ));
                }
                0
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                quirks.learn_range_broken(host);
                return Err(Trouble::passing(
                    Code::Protocol,
                    format!(
                        "the registry has no bytes from {offset} on, of {}",
                        descriptor.size
                    ),
                ));
            }
            status if status.is_success() => {
                if ranged {
                    tracing::debug!(host, offset, "range ignored: bytes are read again");
                }
                offset
            }
            _ => return Err(self.refused(place, answer).await.1),
        };
        Ok(chunks(
            answer,
            place.clone(),
            skip,
            self.options.idle_timeout,
        ))
    }

    async fn get_blob(
        &self,
        place: &Place,
        digest: &Digest,
        from: Option<u64>,
    ) -> Result<Answer, Trouble> {
        let tail = format!("blobs/{digest}");
        let scopes = Scopes::pull(place.path());
        let mut ask = Ask::new(self, Method::GET, place, &tail, scopes).await?;
        identity(&mut ask.headers);
        if let Some(from) = from
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
        {
            ask.headers.insert(RANGE, range);
        }
        self.exchange(&ask).await
    }

    /// The size of a blob; `None` when it is not there.
    pub(super) async fn blob_size(
        &self,
        repository: &Repository,
        digest: &Digest,
        scopes: impl Fn(&str) -> Scopes,
    ) -> Result<Option<u64>, Failure> {
        let place = self.place(repository).about(digest);
        self.size_at(&place, digest, scopes(place.path()))
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    pub(super) async fn size_at(
        &self,
        place: &Place,
        digest: &Digest,
        scopes: Scopes,
    ) -> Result<Option<u64>, Trouble> {
        let tail = format!("blobs/{digest}");
        let mut ask = Ask::new(self, Method::HEAD, place, &tail, scopes.clone()).await?;
        identity(&mut ask.headers);
        let answer = self.small(ask).await?;
        let status = answer.status();
        if status.is_success() {
            if let Some(size) = length(answer.headers()) {
                return Ok(Some(size));
            }
        } else if status == StatusCode::NOT_FOUND {
            return Ok(None);
        } else if status != StatusCode::METHOD_NOT_ALLOWED && !answer.elsewhere {
            return Err(self.refused(place, answer).await.1);
        }
        // No HEAD here, none without a length, or none where it leads to (a URL signed for GET):
        // the first byte tells the size too.
        let mut ask = Ask::new(self, Method::GET, place, &tail, scopes).await?;
        identity(&mut ask.headers);
        ask.headers
            .insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        let answer = self.small(ask).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::PARTIAL_CONTENT => {
                Ok(content_range(answer.headers()).and_then(|r| r.total))
            }
            // The empty blob has no first byte.
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(Some(0)),
            status if status.is_success() => match length(answer.headers()) {
                Some(size) => Ok(Some(size)),
                None => Err(Trouble::fatal(
                    Code::Protocol,
                    "the registry does not tell the blob's size",
                )),
            },
            _ => Err(self.refused(place, answer).await.1),
        }
    }
}

fn identity(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The body's chunks without its first `skip` bytes. A read that brings nothing for `idle` ends
/// the stream with an error.
fn chunks(answer: Answer, place: Place, skip: u64, idle: Duration) -> BlobStream {
    let from = authority(&answer.url);
    let state = Some((answer.response, skip));
    Box::pin(stream::unfold(state, move |state| {
        let (place, from) = (place.clone(), from.clone());
        async move {
            let (mut response, mut skip) = state?;
            loop {
                let read = tokio::time::timeout(idle, response.chunk()).await;
                let trouble = match read {
                    Ok(Ok(Some(chunk))) => match rest(chunk, &mut skip) {
                        Some(chunk) => return Some((Ok(chunk), Some((response, skip)))),
                        None => continue,
                    },
                    Ok(Ok(None)) => return None,
                    Ok(Err(e)) => Trouble::passing(
                        Code::Interrupted,
                        format!("the bytes from {from} broke off: {}", innermost(&e)),
                    ),
                    Err(_) => Trouble::passing(
                        Code::Interrupted,
                        format!("no byte came from {from} for {} s", idle.as_secs_f32()),
                    ),
                };
                return Some((Err(trouble.at(&place)), None));
            }
        }
    }))
}

/// What is left of a chunk after the bytes still to be skipped.
fn rest(mut chunk: Bytes, skip: &mut u64) -> Option<Bytes> {
    let drop = usize::try_from(*skip)
        .unwrap_or(usize::MAX)
        .min(chunk.len());
    *skip -= drop as u64;
    let chunk = chunk.split_off(drop);
    (!chunk.is_empty()).then_some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn skipping_leaves_exactly_the_rest(
            sizes in proptest::collection::vec(0_usize..20, 0..10), skip in 0_u64..100
        ) {
            let whole: Vec<u8> = (0..=250).cycle().take(sizes.iter().sum()).collect();
            let mut chunks = Bytes::copy_from_slice(&whole);
            let mut left = skip;
            let mut seen = Vec::new();
            for size in sizes {
                if let Some(chunk) = rest(chunks.split_to(size), &mut left) {
                    seen.extend_from_slice(&chunk);
                }
            }
            let start = whole.len().min(usize::try_from(skip).expect("small"));
            prop_assert_eq!(&seen[..], &whole[start..]);
        }
    }
}
