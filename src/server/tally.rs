//! Bodies that are counted: what a request sends and at which pace, what its answer sends and when
//! it ended.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use axum::http::header::{CONTENT_LENGTH, USER_AGENT};
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use jiff::Timestamp;
use tokio::time::Instant;

use super::PathKind;
use super::access::{AccessLine, CLIENT_GONE};
use super::operation::Operation;
use super::pace::Pace;
use super::socket::Peer;

/// The most of a client's name for itself that is kept.
const USER_AGENT_LIMIT: usize = 256;

/// One request from its head to the end of its answer. Dropping it is that end: it tells the
/// connection, the metrics and the access log.
pub(super) struct Tally {
    operation: Arc<Operation>,
    peer: Arc<Peer>,
    started: Instant,
    method: Method,
    pub(super) kind: PathKind,
    status: u16,
    /// Only when somebody listens.
    pub(super) line: Option<Box<AccessLine>>,
    sent: u64,
    received_before: u64,
    complete: bool,
}

impl Tally {
    pub(super) fn begin(operation: &Arc<Operation>, peer: &Arc<Peer>, parts: &Parts) -> Self {
        peer.turn();
        let line = operation.on_request.is_some().then(|| {
            let agent = parts.headers.get(USER_AGENT);
            let agent = agent.map(|agent| &agent.as_bytes()[..agent.len().min(USER_AGENT_LIMIT)]);
            Box::new(AccessLine {
                time: Timestamp::now(),
                remote: peer.address,
                user: None,
                method: parts.method.to_string(),
                path: PathKind::Other,
                repository: None,
                reference: None,
                status: CLIENT_GONE,
                sent: 0,
                received: 0,
                complete: false,
                duration: Duration::ZERO,
                user_agent: agent.map(|agent| String::from_utf8_lossy(agent).into_owned()),
            })
        });
        Self {
            operation: Arc::clone(operation),
            peer: Arc::clone(peer),
            started: Instant::now(),
            method: parts.method.clone(),
            kind: PathKind::Other,
            status: CLIENT_GONE,
            line,
            sent: 0,
            received_before: peer.received.load(Ordering::Relaxed),
            complete: false,
        }
    }

    /// The address that the request came from.
    pub(super) fn client(&self) -> IpAddr {
        self.peer.address.ip().to_canonical()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.peer.turn();
        let duration = self.started.elapsed();
        let metrics = &self.operation.metrics;
        metrics.request(&self.method, self.kind, self.status, duration);
        if let (Some(mut line), Some(tell)) = (self.line.take(), &self.operation.on_request) {
            let received = self.peer.received.load(Ordering::Relaxed);
            line.path = self.kind;
            line.status = self.status;
            line.sent = self.sent;
            line.received = received - self.received_before;
            line.complete = self.complete;
            line.duration = duration;
            tell(*line);
        }
    }
}

/// The body of an answer.
pub(super) struct Counted {
    inner: Body,
    /// Bytes still to come, when the answer says how many there are.
    left: Option<u64>,
    tally: Tally,
}

impl Counted {
    /// Goes along with `response` until its body has ended.
    pub(super) fn wrap(response: Response, mut tally: Tally) -> Response<Self> {
        tally.status = response.status().as_u16();
        let exact = response.body().size_hint().exact();
        let announced = || {
            let length = response.headers().get(CONTENT_LENGTH)?;
            length.to_str().ok()?.parse().ok()
        };
        let left = exact.or_else(announced);
        tally.complete = left == Some(0);
        response.map(|inner| Self { inner, left, tally })
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.tally.sent += length;
                self.tally.operation.metrics.sent(length);
                self.left = self.left.map(|left| left.saturating_sub(length));
                self.tally.complete = self.left == Some(0);
            }
            // The head is long sent: the connection breaks, and only the log can say why.
            Some(Err(reason)) => tracing::error!(%reason, "an answer broke off"),
            None => self.tally.complete = self.left.is_none_or(|left| left == 0),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0) || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None => self.inner.size_hint(),
        }
    }
}

/// The body of a request, which must keep its pace.
pub(super) struct Received {
    inner: Incoming,
    operation: Arc<Operation>,
    peer: Arc<Peer>,
    pace: Pace,
    latest: Option<Instant>,
}

/// The client sent too slowly or stopped sending.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
pub(super) struct Stalled;

impl Received {
    /// `within`: the time for the whole body.
    pub(super) fn body(
        inner: Incoming,
        operation: &Arc<Operation>,
        peer: &Arc<Peer>,
        within: Option<Duration>,
    ) -> Body {
        if inner.is_end_stream() {
            return Body::empty();
        }
        Body::new(Self {
            inner,
            operation: Arc::clone(operation),
            peer: Arc::clone(peer),
            pace: Pace::new(operation.limits.stall),
            latest: within.map(|within| Instant::now() + within),
        })
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            let this = &mut *self;
            return match this.pace.poll_stalled(cx, this.latest) {
                Poll::Ready(()) => Poll::Ready(Some(Err(Stalled.into()))),
                Poll::Pending => Poll::Pending,
            };
        };
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.pace.moved(length);
            self.operation.metrics.received(length as u64);
            self.peer
                .received
                .fetch_add(length as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
