//! Manifests: HEAD, GET and PUT (distribution-spec, end-3 and end-7).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};

use crate::content::{Code, Failure, Retry};
use crate::oci::{Digest, ManifestError, RawManifest, Reference, media_type};

use super::auth::Scopes;
use super::client::Inner;
use super::exchange::{Answer, Ask};
use super::place::Place;
use super::refusal::Refusal;
use super::retry::jitter;
use super::trouble::Trouble;

/// Largest manifest that is read, in bytes: what registries have to take (distribution-spec,
/// "Pushing Manifests") and what runtimes read at most.
const LIMIT: usize = 4 * 1024 * 1024;

/// The header with the digest of what was answered or stored.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// Registries check everything a manifest names before they answer.
const PUT_PATIENCE: u32 = 4;

impl Inner {
    /// The digest of a manifest by HEAD; `None` for a 404.
    pub(super) async fn resolve(
        &self,
        reference: &Reference,
        scopes: impl Fn(&str) -> Scopes,
    ) -> Result<Option<Digest>, Failure> {
        let place = self
            .place(reference.repository())
            .about(reference.reference().clone());
        self.resolve_at(&place, reference, &scopes)
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    async fn resolve_at(
        &self,
        place: &Place,
        reference: &Reference,
        scopes: &impl Fn(&str) -> Scopes,
    ) -> Result<Option<Digest>, Trouble> {
        let quirks = &place.host.quirks;
        if !quirks.head_useless() || reference.digest().is_some() {
            let answer = self
                .ask_manifest(Method::HEAD, place, scopes(place.path()))
                .await?;
            match answer.status() {
                StatusCode::NOT_FOUND => return Ok(None),
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {}
                status if status.is_success() => {
                    let told = header_digest(answer.headers());
                    if let Some(digest) = reference.digest().cloned().or(told) {
                        return Ok(Some(digest));
                    }
                }
                _ => return Err(self.refused(place, answer).await.1),
            }
            quirks.learn_head_useless(place.host.authority());
        }
        match self.fetch(place, reference, scopes).await {
            Ok(manifest) => Ok(Some(manifest.digest().clone())),
            Err(trouble) if trouble.code == Code::NotFound => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// The manifest by GET, verified.
    pub(super) async fn manifest(
        &self,
        reference: &Reference,
        scopes: impl Fn(&str) -> Scopes,
    ) -> Result<RawManifest, Failure> {
        let place = self
            .place(reference.repository())
            .about(reference.reference().clone());
        self.fetch(&place, reference, &scopes)
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    async fn fetch(
        &self,
        place: &Place,
        reference: &Reference,
        scopes: &impl Fn(&str) -> Scopes,
    ) -> Result<RawManifest, Trouble> {
        let mut tried = 1;
        loop {
            let answer = self
                .ask_manifest(Method::GET, place, scopes(place.path()))
                .await?;
            if !answer.status().is_success() {
                return Err(self.refused(place, answer).await.1);
            }
            let told = header_digest(answer.headers());
            let announced = announced_type(answer.headers());
            let read = read(answer.response, self.options.idle_timeout).await;
            match read.and_then(|bytes| check(bytes, announced.as_deref(), reference, told)) {
                // A body that broke or was mangled under way is asked for again.
                Err(trouble) if trouble.retry != Retry::Never && tried < self.options.attempts => {
                    tracing::debug!(host = place.host.authority(), "again: {}", trouble.message);
                    tokio::time::sleep(self.schedule().delay(tried, jitter())).await;
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    async fn ask_manifest(
        &self,
        method: Method,
        place: &Place,
        scopes: Scopes,
    ) -> Result<Answer, Trouble> {
        let tail = manifest_tail(place);
        let mut ask = Ask::new(self, method, place, &tail, scopes).await?;
        ask.headers
            .insert(ACCEPT, HeaderValue::from_static(media_type::ACCEPT));
        // A proxy that compresses would change the bytes that the digest is of.
        ask.headers
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        self.small(ask).await
    }

    /// Writes the exact bytes of `manifest`.
    pub(super) async fn put_manifest(
        &self,
        reference: &Reference,
        manifest: &RawManifest,
    ) -> Result<(), Failure> {
        let place = self
            .place(reference.repository())
            .about(reference.reference().clone());
        self.put_at(&place, reference, manifest)
            .await
            .map_err(|trouble| trouble.at(&place))
    }

    async fn put_at(
        &self,
        place: &Place,
        reference: &Reference,
        manifest: &RawManifest,
    ) -> Result<(), Trouble> {
        let scopes = Scopes::push(place.path());
        let tail = manifest_tail(place);
        let mut ask = Ask::new(self, Method::PUT, place, &tail, scopes).await?;
        let content_type = HeaderValue::from_str(manifest.media_type())
            .map_err(|_| Trouble::fatal(Code::ManifestInvalid, "its media type is no text"))?;
        ask.headers.insert(CONTENT_TYPE, content_type);
        ask.body = Some(manifest.bytes().clone());
        ask.limit *= PUT_PATIENCE;
        let answer = self.small(ask).await?;
        let status = answer.status();
        if status.is_success() {
            let told = header_digest(answer.headers());
            return match told {
                Some(stored) if stored.algorithm() == manifest.digest().algorithm() => {
                    stored_as_sent(manifest, &stored)
                }
                _ if status == StatusCode::CREATED => Ok(()),
                // ECR and others answer with other statuses: look at what is there.
                _ => match self.resolve_at(place, reference, &Scopes::push).await? {
                    Some(stored) => stored_as_sent(manifest, &stored),
                    None => Err(Trouble::passing(
                        Code::Protocol,
                        format!("the manifest was taken with {status} and is not there"),
                    )),
                },
            };
        }
        let (refusal, trouble) = self.refused(place, answer).await;
        let trouble = meaning(&refusal, manifest, trouble);
        // An immutable tag refuses even the same manifest.
        if reference.tag().is_some()
            && !matches!(
                trouble.code,
                Code::ManifestBlobUnknown | Code::TooLarge | Code::Unauthorized
            )
            && let Ok(Some(there)) = self.resolve_at(place, reference, &Scopes::push).await
        {
            if there == *manifest.digest() {
                return Ok(());
            }
            if refusal.status == StatusCode::CONFLICT || says_immutable(&refusal) {
                let hint = format!(
                    "the tag cannot be changed and is {there}: remove it, or lift the immutability \
                     rule for it"
                );
                return Err(trouble.hint(hint));
            }
        }
        Err(trouble)
    }
}

/// `manifests/<reference>` of a place that is about a manifest.
pub(super) fn manifest_tail(place: &Place) -> String {
    place
        .reference()
        .map_or_else(String::new, |reference| format!("manifests/{reference}"))
}

fn stored_as_sent(manifest: &RawManifest, stored: &Digest) -> Result<(), Trouble> {
    if stored == manifest.digest() {
        return Ok(());
    }
    Err(Trouble::fatal(
        Code::DigestMismatch,
        format!(
            "the registry stored {stored} where {} was sent",
            manifest.digest()
        ),
    ))
}

fn says_immutable(refusal: &Refusal) -> bool {
    let text = refusal.text.to_lowercase();
    text.contains("immutable") || text.contains("overwrit") || text.contains("already exists")
}

/// What the refusal of a manifest means.
fn meaning(refusal: &Refusal, manifest: &RawManifest, trouble: Trouble) -> Trouble {
    let with = |code, hint: Option<String>| Trouble {
        code,
        hint: hint.or(trouble.hint.clone()),
        ..trouble.clone()
    };
    let size = manifest.bytes().len();
    match refusal.status.as_u16() {
        400 | 404 | 422 if refusal.has("MANIFEST_BLOB_UNKNOWN") || refusal.has("BLOB_UNKNOWN") => {
            with(Code::ManifestBlobUnknown, None)
        }
        404 if refusal.has("MANIFEST_UNKNOWN") => with(Code::ManifestBlobUnknown, None),
        404 => with(
            Code::RepositoryRefused,
            Some("create the repository or its project first".to_owned()),
        ),
        413 => with(
            Code::TooLarge,
            Some(format!(
                "the manifest has {size} bytes; raise the limit of the registry or of the proxy \
                 in front of it (nginx: client_max_body_size)"
            )),
        ),
        400 | 415 | 422 => with(
            Code::ManifestInvalid,
            Some(format!(
                "does this registry take the type {}? old ones know no index or no OCI types",
                manifest.media_type()
            )),
        ),
        _ => trouble,
    }
}

fn header_digest(headers: &HeaderMap) -> Option<Digest> {
    headers
        .get(CONTENT_DIGEST)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The announced type, without parameters.
fn announced_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let bare = text.split(';').next().unwrap_or(text).trim();
    (!bare.is_empty()).then(|| bare.to_ascii_lowercase())
}

async fn read(mut response: Response, idle: Duration) -> Result<Bytes, Trouble> {
    let too_large = |size: u64| {
        Trouble::fatal(
            Code::TooLarge,
            format!("the manifest has {size} bytes or more, {LIMIT} are read at most"),
        )
    };
    if let Some(size) = response
        .content_length()
        .filter(|&size| size > LIMIT as u64)
    {
        return Err(too_large(size));
    }
    let mut body = BytesMut::new();
    loop {
        let chunk = tokio::time::timeout(idle, response.chunk())
            .await
            .map_err(|_| Trouble::passing(Code::Interrupted, "the manifest's bytes stand still"))?
            .map_err(|e| {
                let why = super::wire::innermost(&e);
                Trouble::passing(Code::Interrupted, format!("the manifest broke off: {why}"))
            })?;
        let Some(chunk) = chunk else {
            return Ok(body.freeze());
        };
        if body.len() + chunk.len() > LIMIT {
            return Err(too_large((body.len() + chunk.len()) as u64));
        }
        body.extend_from_slice(&chunk);
    }
}

/// Trusts the bytes only when they hash to what was asked for, or to what the header says.
fn check(
    bytes: Bytes,
    announced: Option<&str>,
    reference: &Reference,
    told: Option<Digest>,
) -> Result<RawManifest, Trouble> {
    let expected = reference.digest().cloned().or(told);
    if let Some(expected) = &expected
        && !expected.matches(&bytes)
    {
        return Err(Trouble::passing(
            Code::DigestMismatch,
            format!(
                "the manifest hashes to {} and not to {expected}: something between the registry \
                 and here changes it",
                Digest::of(&bytes)
            ),
        ));
    }
    // A tag's own digest stays the usual one, whatever the header prefers.
    let digest = reference.digest().cloned();
    RawManifest::with_digest(bytes, announced, digest).map_err(|e| match e {
        ManifestError::Schema1 => Trouble::fatal(Code::Schema1, e.to_string())
            .hint("look for a newer tag of the image, or leave it out"),
        other => Trouble::fatal(
            Code::ManifestInvalid,
            format!("the manifest is not usable: {other}"),
        ),
    })
}
