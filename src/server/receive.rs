//! Bytes of a request into an upload, and changes of a store that go on when their client does
//! not.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};

use super::answer::Refusal;
use super::body::next;
use super::dispatch::Shared;
use super::uploads::Loan;
use crate::content::{Store, StoreError};
use crate::oci::Digest;

/// Runs `change` on a task of its own. A handler is dropped with its connection; a change of a
/// store must not end half-way for that.
pub(super) async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refusal> {
    let task = tokio::spawn(change);
    task.await
        .map_err(|error| StoreError::Io(error.to_string()).into())
}

/// Streams `body` into an upload and with `commit` makes it a blob; gives how many bytes the
/// upload holds. `announced` is how long the body says it is.
///
/// What arrived before a connection broke stays with the session, to be gone on with; a commit or
/// a store that fails ends it.
pub(super) async fn receive<S: Store>(
    shared: &Arc<Shared<S>>,
    mut loan: Loan<S::Upload>,
    announced: Option<u64>,
    body: &mut BodyDataStream,
    commit: Option<Digest>,
) -> Result<u64, Refusal> {
    let shared = Arc::clone(shared);
    let mut source = std::mem::replace(body, Body::empty().into_data_stream());
    let (rest, result) = to_its_end(async move {
        let mut result = take(&shared, &mut loan, announced, &mut source).await;
        if result.is_err()
            && let Some(session) = loan.session()
        {
            // What was announced does not come now: the room for it is others'.
            let _ = shared.store.expect(&mut session.upload, 0).await;
        }
        if let (Ok(()), Some(digest)) = (&result, commit) {
            result = finish(&*shared.store, &mut loan, &digest).await;
        }
        (source, result.map(|()| loan.received()))
    })
    .await?;
    // What is left of a refused body is drained by the caller.
    *body = rest;
    result
}

async fn take<S: Store>(
    shared: &Shared<S>,
    loan: &mut Loan<S::Upload>,
    announced: Option<u64>,
    body: &mut BodyDataStream,
) -> Result<(), Refusal> {
    let limit = shared.operation.limits.blob_size;
    let start = loan.received();
    let end = announced.map(|length| start.saturating_add(length));
    if end.is_some_and(|end| end > limit) {
        loan.close();
        return Err(StoreError::TooLarge { limit }.into());
    }
    if let Some(length) = announced {
        let session = loan.session().ok_or_else(cancelled)?;
        if let Err(error) = shared.store.expect(&mut session.upload, length).await {
            loan.close();
            return Err(error.into());
        }
    }
    while let Some(chunk) = next(body).await? {
        let length = chunk.len();
        let reached = loan.received().saturating_add(length as u64);
        if end.is_some_and(|end| reached > end) {
            return Err(wrong_length());
        }
        if reached > limit {
            loan.close();
            return Err(StoreError::TooLarge { limit }.into());
        }
        let session = loan.session().ok_or_else(cancelled)?;
        if let Err(error) = shared.store.append(&mut session.upload, chunk).await {
            loan.close();
            return Err(error.into());
        }
        loan.arrived(length);
    }
    match end {
        Some(end) if loan.received() != end => Err(wrong_length()),
        _ => Ok(()),
    }
}

async fn finish<S: Store>(
    store: &S,
    loan: &mut Loan<S::Upload>,
    digest: &Digest,
) -> Result<(), Refusal> {
    let session = loan.close().ok_or_else(cancelled)?;
    Ok(store.commit(session.upload, digest).await?)
}

fn wrong_length() -> Refusal {
    let message = "the body is not as long as was announced";
    Refusal::bad("SIZE_INVALID", message)
}

fn cancelled() -> Refusal {
    Refusal::not_found("BLOB_UPLOAD_UNKNOWN", "the upload was cancelled meanwhile")
}
