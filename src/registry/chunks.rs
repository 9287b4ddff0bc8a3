//! Sending a blob in chunks: PATCH after PATCH to an open upload, and after a break on from where
//! the registry says that it is (distribution-spec, end-5 and end-13).

use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};

use crate::content::{BlobStream, Code, Retry};
use crate::oci::Descriptor;

use super::chunking::LARGEST;
use super::client::Inner;
use super::counters::RequestKind;
use super::feed::Feed;
use super::range::upload_length;
use super::redirect;
use super::refusal::Refusal;
use super::retry::jitter;
use super::sending::Load;
use super::sending_refused::{Broken, Carried, limit_hint};
use super::trouble::Trouble;
use super::uploads::Upload;
use super::wire::Outgoing;

/// Longest wish for quiet that an open upload sits out. Beyond it the blob gives its place back
/// and starts anew later, because registries sweep idle uploads.
const LONGEST_QUIET: Duration = Duration::from_mins(1);

/// Bytes that may be sent in vain, in sizes of the blob with one chunk: far more than the breaks of
/// a bad line cost, and an end where only a little of each chunk arrives.
const IN_VAIN: u64 = 16;

/// What one request taught.
enum Step {
    /// The registry holds so many bytes of the blob.
    Holds(u64),
    /// The chunk was too large; the next is smaller.
    Smaller,
    /// Nobody knows how much of the chunk arrived.
    Unsure(Trouble),
}

impl Inner {
    /// Sends all bytes in chunks and commits them. `upload` follows the registry's `Location`s, so
    /// that it can be given back also when this fails.
    pub(super) async fn send_chunks(
        &self,
        upload: &mut Upload,
        blob: &Descriptor,
        body: BlobStream,
    ) -> Result<(), Broken> {
        let feed = Feed::new(body, blob.size);
        let mut held = 0;
        let sent = self.fill(upload, blob, &feed, &mut held).await;
        feed.close();
        if let Err(Broken::Server(mut trouble)) = sent {
            if held == 0 && is_no_for_chunks(&trouble) {
                let host = &upload.place.host;
                if host.quirks.chunking.unsupported(host.authority()) {
                    trouble.retry = Retry::Backoff;
                } else if trouble.code != Code::TooLarge
                    && (trouble.retry == Retry::Never || is_answer(&trouble))
                {
                    let hint = limit_hint(blob.size);
                    trouble.hint = Some(format!(
                        "the blob is too large for one request there, and chunks are refused: {hint}"
                    ));
                }
            }
            return Err(trouble.into());
        }
        sent?;
        self.commit(upload, blob).await
    }

    /// Gets the registry to hold all bytes; `held` says how far that is.
    async fn fill(
        &self,
        upload: &mut Upload,
        blob: &Descriptor,
        feed: &Feed,
        held: &mut u64,
    ) -> Result<(), Broken> {
        let mut fruitless = 0;
        let mut asking = false;
        let mut in_vain = 0;
        while *held < blob.size {
            let asked = asking;
            let step = if asked {
                self.ask(upload, *held).await?
            } else {
                self.patch(upload, blob, feed, *held).await?
            };
            let trouble = match step {
                Step::Holds(now) if now < *held => return Err(lost(now, *held).into()),
                Step::Holds(now) if now > feed.end() => return Err(never_sent(now, feed).into()),
                Step::Holds(now) if now > *held => {
                    in_vain += feed.end() - now;
                    let chunk = upload
                        .place
                        .host
                        .quirks
                        .chunking
                        .current(upload.least_chunk);
                    if in_vain > IN_VAIN * (blob.size + chunk) {
                        return Err(takes_little(now, in_vain).into());
                    }
                    (*held, fruitless, asking) = (now, 0, false);
                    continue;
                }
                Step::Holds(_) if asked => {
                    asking = false;
                    continue;
                }
                Step::Smaller => continue,
                Step::Holds(_) => Trouble::passing(
                    Code::Protocol,
                    format!("the registry still has {held} bytes after another chunk"),
                ),
                Step::Unsure(trouble) => trouble,
            };
            fruitless += 1;
            if fruitless >= self.options.attempts {
                return Err(trouble.into());
            }
            self.wait(upload, fruitless, &trouble).await;
            asking = true;
        }
        feed.finish().await.map_err(Broken::Body)
    }

    /// Sends the chunk that begins at `at`.
    async fn patch(
        &self,
        upload: &mut Upload,
        blob: &Descriptor,
        feed: &Feed,
        at: u64,
    ) -> Result<Step, Broken> {
        self.sit_out(upload).await?;
        let host = &upload.place.host;
        let chunking = &host.quirks.chunking;
        let size = chunking.current(upload.least_chunk);
        if size > LARGEST {
            let message = format!(
                "the registry wants chunks of at least {size} bytes, and more than {LARGEST} are \
                 not held in memory"
            );
            return Err(Trouble::fatal(Code::TooLarge, message)
                .hint(limit_hint(blob.size))
                .into());
        }
        let length = size.min(blob.size - at);
        let load = Load {
            bytes: feed.chunk(at, length),
            length,
            start: Some(at),
        };
        let location = upload.location.clone();
        let sent = self.send_load(upload, Method::PATCH, &location, load).await;
        let response = match sent {
            Ok(response) => response,
            Err(Broken::Server(trouble)) if trouble.retry != Retry::Never => {
                return Ok(Step::Unsure(trouble));
            }
            Err(broken) => return Err(broken),
        };
        let status = response.status();
        if status.is_success() {
            follow(upload, response.headers())?;
            let length_there = upload_length(response.headers());
            return Ok(Step::Holds(length_there.unwrap_or(at + length)));
        }
        if status == StatusCode::PAYLOAD_TOO_LARGE
            && chunking.refused(host.authority(), length, upload.least_chunk)
        {
            let refusal = Refusal::read(response).await;
            tracing::debug!(host = host.authority(), length, "{}", refusal.describe());
            return Ok(Step::Smaller);
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE
            && let Some(length_there) = upload_length(response.headers())
        {
            follow(upload, response.headers())?;
            return Ok(Step::Holds(length_there));
        }
        let carried = Carried::Chunk(length);
        let trouble = self
            .body_refused(upload, &location, response, carried)
            .await;
        unsure(status, trouble)
    }

    /// Asks how much of the upload the registry holds; `held` is what it said last.
    async fn ask(&self, upload: &mut Upload, held: u64) -> Result<Step, Broken> {
        self.sit_out(upload).await?;
        let headers = self.upload_headers(&upload.place, &upload.location).await?;
        let location = upload.location.clone();
        let outgoing = Outgoing {
            kind: RequestKind::Registry,
            method: Method::GET,
            url: &location,
            headers,
            body: None,
        };
        let response = match self.send_within(self.small_limit(), outgoing).await {
            Ok(response) => response,
            Err(trouble) if trouble.retry == Retry::Never => return Err(trouble.into()),
            Err(trouble) => return Ok(Step::Unsure(trouble)),
        };
        let status = response.status();
        if status.is_success() {
            follow(upload, response.headers())?;
            // An upload that holds nothing often has no Range, and some registries never send it:
            // then the next chunk tells, as one that is refused with 416 names the place.
            let held = upload_length(response.headers()).unwrap_or(held);
            tracing::debug!(host = upload.place.host.authority(), held, "upload goes on");
            return Ok(Step::Holds(held));
        }
        let trouble = self
            .body_refused(upload, &location, response, Carried::Nothing)
            .await;
        if trouble.code == Code::Unsupported {
            // Then sending the chunk again tells: 416 names the place.
            return Ok(Step::Holds(held));
        }
        unsure(status, trouble)
    }

    /// Waits until the host may be asked again, unless that is too long for an open upload.
    async fn sit_out(&self, upload: &Upload) -> Result<(), Trouble> {
        let pause = &upload.place.host.pause;
        if let Some(until) = pause.until() {
            let left = until.saturating_duration_since(Instant::now());
            if left > LONGEST_QUIET {
                return Err(Trouble::quiet(left, "the registry asked for quiet"));
            }
            pause.wait().await;
        }
        Ok(())
    }

    async fn wait(&self, upload: &Upload, fruitless: u32, trouble: &Trouble) {
        let host = &upload.place.host;
        let delay = self.schedule().delay(fruitless, jitter());
        tracing::debug!(
            host = host.authority(),
            repository = upload.place.path(),
            fruitless,
            ?delay,
            "a chunk again: {}",
            trouble.message
        );
        match trouble.retry {
            // Throttled without a time: the whole host is left alone.
            Retry::Backoff if trouble.code == Code::Throttled => {
                self.leave_alone(host, delay, &trouble.message);
            }
            // The host's pause is known already and sat out before the next request.
            Retry::After(_) | Retry::Never => {}
            Retry::Backoff => tokio::time::sleep(delay).await,
        }
    }
}

/// The next request goes where the answer says; an answer that says nothing changes nothing.
fn follow(upload: &mut Upload, headers: &HeaderMap) -> Result<(), Trouble> {
    if headers.contains_key(LOCATION) {
        upload.location = redirect::upload(&upload.location, headers)?;
    }
    Ok(())
}

/// What a refusal means for the upload: one that is no more needs another.
fn unsure(status: StatusCode, trouble: Trouble) -> Result<Step, Broken> {
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        let retry = Retry::Backoff;
        return Err(Trouble { retry, ..trouble }.into());
    }
    if trouble.retry == Retry::Never {
        return Err(trouble.into());
    }
    Ok(Step::Unsure(trouble))
}

/// Whether a failure before the first byte was taken may mean that chunks are not taken at all.
fn is_no_for_chunks(trouble: &Trouble) -> bool {
    matches!(
        trouble.code,
        Code::Unsupported
            | Code::Protocol
            | Code::NotFound
            | Code::ServerError
            | Code::Interrupted
            | Code::TooLarge
    )
}

/// Whether it is an answer that another try will hardly change, and no break on the way.
fn is_answer(trouble: &Trouble) -> bool {
    matches!(
        trouble.code,
        Code::Unsupported | Code::Protocol | Code::NotFound
    )
}

fn takes_little(held: u64, in_vain: u64) -> Trouble {
    Trouble::fatal(
        Code::Protocol,
        format!("{in_vain} bytes of chunks were lost on the way, and {held} bytes arrived"),
    )
    .hint(
        "a proxy in front of the registry passes on only a part of each request: look at its \
         limits and its log",
    )
}

fn lost(now: u64, held: u64) -> Trouble {
    Trouble::passing(
        Code::Interrupted,
        format!("the registry lost what it had of the upload: {now} of {held} bytes are left"),
    )
}

fn never_sent(now: u64, feed: &Feed) -> Trouble {
    Trouble::passing(
        Code::Protocol,
        format!(
            "the registry says it has {now} bytes of the upload, and {} were sent",
            feed.end()
        ),
    )
}
