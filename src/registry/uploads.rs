//! Beginning to write a blob: mount it or open an upload, and give one back
//! (distribution-spec, end-4, end-11, end-14). Sending the bytes is next door.

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use crate::content::{Begun, Code, Failure};
use crate::oci::{Descriptor, Repository};

use super::auth::Scopes;
use super::classify::is_passing;
use super::client::Inner;
use super::counters::RequestKind;
use super::exchange::{Answer, Ask};
use super::place::Place;
use super::redirect;
use super::trouble::Trouble;
use super::wire::Outgoing;

/// An open upload session.
pub struct Upload {
    pub(super) place: Place,
    /// Where the bytes go: the answer's `Location`, its query untouched.
    pub(super) location: Url,
    /// The least that a chunk may hold, but the last, in bytes: `OCI-Chunk-Min-Length`.
    pub(super) least_chunk: u64,
}

impl Upload {
    /// The upload that `answer` opened.
    fn opened(place: &Place, answer: &Answer) -> Result<Self, Trouble> {
        let headers = answer.headers();
        let least = headers.get("oci-chunk-min-length");
        Ok(Self {
            place: place.clone(),
            location: redirect::upload(&answer.url, headers)?,
            least_chunk: least
                .and_then(|least| least.to_str().ok()?.trim().parse().ok())
                .unwrap_or(0),
        })
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("location", &super::wire::shown(&self.location))
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Opens an upload for `blob`, or mounts it from `from`.
    pub(super) async fn begin(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        from: Option<&Repository>,
    ) -> Result<Begun<Upload>, Failure> {
        let place = self.place(repository).about(&blob.digest);
        self.begin_at(&place, blob, from)
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    async fn begin_at(
        &self,
        place: &Place,
        blob: &Descriptor,
        from: Option<&Repository>,
    ) -> Result<Begun<Upload>, Trouble> {
        let from = from
            .map(|from| self.place(from))
            .filter(|from| from.host.authority() == place.host.authority())
            .filter(|from| place.host.quirks.mounts(place.path(), from.path()));
        if let Some(from) = from
            && let Some(begun) = self.mount(place, blob, from.path()).await?
        {
            return Ok(begun);
        }
        self.open_upload(place).await.map(Begun::Upload)
    }

    /// Asks for a mount; `None` when the host answers that with an error.
    async fn mount(
        &self,
        place: &Place,
        blob: &Descriptor,
        from: &str,
    ) -> Result<Option<Begun<Upload>>, Trouble> {
        let scopes = Scopes::push(place.path()).and_pull(from);
        let mut ask = post(self, place, scopes).await?;
        ask.url
            .query_pairs_mut()
            .append_pair("mount", blob.digest.as_str())
            .append_pair("from", from);
        // Some registries answer a mount they do not like with 500: not worth trying again.
        let passing =
            |status: StatusCode| is_passing(status) && status != StatusCode::INTERNAL_SERVER_ERROR;
        let answer = match self.small_while(ask, passing).await {
            Ok(answer) => answer,
            Err(trouble) if matches!(trouble.code, Code::Unauthorized | Code::Denied) => {
                return Ok(self.mount_refused(place, from, &trouble.message));
            }
            Err(trouble) => return Err(trouble),
        };
        match answer.status() {
            StatusCode::CREATED => Ok(Some(Begun::Mounted)),
            status if status.is_success() => {
                Upload::opened(place, &answer).map(|upload| Some(Begun::Upload(upload)))
            }
            _ => {
                let (refusal, _) = self.refused(place, answer).await;
                Ok(self.mount_refused(place, from, &refusal.describe()))
            }
        }
    }

    fn mount_refused(&self, place: &Place, from: &str, why: &str) -> Option<Begun<Upload>> {
        tracing::debug!(side = self.options.side.as_str(), "mount refused: {why}");
        let quirks = &place.host.quirks;
        quirks.learn_mount_refused(place.host.authority(), place.path(), from);
        None
    }

    /// Opens a plain upload.
    pub(super) async fn open_upload(&self, place: &Place) -> Result<Upload, Trouble> {
        let ask = post(self, place, Scopes::push(place.path())).await?;
        let answer = self.small(ask).await?;
        if answer.status().is_success() {
            return Upload::opened(place, &answer);
        }
        Err(self.upload_refused(place, answer).await)
    }

    /// Why no upload may be opened: the project is missing, or the login may not write.
    async fn upload_refused(&self, place: &Place, answer: Answer) -> Trouble {
        let moved = answer.status().is_redirection();
        let to = answer
            .headers()
            .get("location")
            .and_then(|l| l.to_str().ok())
            .and_then(|l| answer.url.join(l).ok());
        let (refusal, trouble) = self.refused(place, answer).await;
        if moved {
            let to = to.map_or_else(String::new, |to| format!(" to {}", super::wire::shown(&to)));
            return Trouble::fatal(
                Code::Protocol,
                format!("the registry redirects uploads{to}, which is not followed"),
            )
            .hint("name the registry by the scheme and host that it redirects to");
        }
        let project = place.path().split('/').next().unwrap_or_default();
        match trouble.code {
            Code::NotFound => {
                Trouble::fatal(Code::RepositoryRefused, trouble.message).hint(format!(
                    "create the project or repository first: \"{project}\" in Harbor, Quay or \
                 Artifactory, \"{}\" in ECR",
                    place.path()
                ))
            }
            Code::Denied => {
                let who = trouble.hint.unwrap_or_default();
                Trouble::fatal(Code::Denied, trouble.message).hint(format!(
                    "{who}; give that account the right to push to project \"{project}\", or \
                     create the project when it is missing"
                ))
            }
            Code::Unauthorized if refusal.status == StatusCode::UNAUTHORIZED => {
                let who = trouble.hint.clone().unwrap_or_default();
                trouble.hint(format!(
                    "{who}; Harbor answers the same when the project is missing"
                ))
            }
            Code::Unsupported => Trouble::fatal(Code::RepositoryRefused, trouble.message)
                .hint("it takes no uploads: is it in read-only mode, or a pull-through cache?"),
            Code::Protocol if refusal.status.is_client_error() => {
                Trouble::fatal(Code::RepositoryRefused, trouble.message).hint(format!(
                    "does the registry take the name \"{}\"? some limit its depth",
                    place.path()
                ))
            }
            _ => trouble,
        }
    }

    /// Gives an upload back; what comes of it is of no interest.
    pub(super) async fn cancel(&self, upload: Upload) {
        if upload.place.host.pause.until().is_some() {
            return;
        }
        let Ok(headers) = self.upload_headers(&upload.place, &upload.location).await else {
            return;
        };
        let outgoing = Outgoing {
            kind: RequestKind::Registry,
            method: Method::DELETE,
            url: &upload.location,
            headers,
            body: None,
        };
        let patience = Duration::from_secs(5).min(self.small_limit());
        if let Err(trouble) = self.send_within(patience, outgoing).await {
            tracing::debug!("upload not cancelled: {}", trouble.message);
        }
    }
}

async fn post<'a>(inner: &Inner, place: &'a Place, scopes: Scopes) -> Result<Ask<'a>, Trouble> {
    let mut ask = Ask::new(inner, Method::POST, place, "blobs/uploads/", scopes).await?;
    // Some servers refuse a POST without a length (411).
    ask.headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    Ok(ask)
}
