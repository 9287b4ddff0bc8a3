//! A connection's bytes, with the clocks that hyper does not have: one for the head of a request,
//! one between requests, one for a client that does not read.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::limits::Limits;
use super::pace::{Alarm, Pace};

/// What a connection and its requests know of each other.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Bytes of request bodies so far.
    pub(super) received: AtomicU64,
    /// Grows when a request begins and when its answer ends: odd during a request.
    phase: AtomicUsize,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            received: AtomicU64::new(0),
            phase: AtomicUsize::new(0),
        }
    }

    /// A request begins, or its answer has ended.
    pub(super) fn turn(&self) {
        self.phase.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a connection between two answers waits for, and until when.
enum Wait {
    Request(Instant),
    RestOfHead(Instant),
}

/// The stream of one connection.
pub(super) struct Socket<T> {
    io: T,
    peer: std::sync::Arc<Peer>,
    limits: Limits,
    phase: usize,
    /// `None` until it is asked for: the clock is not read during a request.
    wait: Option<Wait>,
    alarm: Alarm,
    writing: Pace,
}

impl<T> Socket<T> {
    pub(super) fn new(io: T, peer: std::sync::Arc<Peer>, limits: &Limits) -> Self {
        Self {
            io,
            peer,
            phase: 0,
            wait: Some(Wait::RestOfHead(Instant::now() + limits.head)),
            alarm: Alarm::default(),
            writing: Pace::new(limits.stall),
            limits: limits.clone(),
        }
    }

    /// Whether a request is under way; what was waited for before it is forgotten.
    fn busy(&mut self) -> bool {
        let phase = self.peer.phase.load(Ordering::Relaxed);
        if phase != self.phase {
            self.phase = phase;
            self.wait = None;
        }
        phase % 2 == 1
    }

    /// Turns waiting into an error when the client takes too little for too long.
    fn written<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_pending() && self.writing.poll_stalled(cx, None).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if self.busy() {
            return polled;
        }
        if polled.is_ready() {
            if buf.filled().len() > before && !matches!(self.wait, Some(Wait::RestOfHead(_))) {
                self.wait = Some(Wait::RestOfHead(Instant::now() + self.limits.head));
            }
            return polled;
        }
        let idle = self.limits.idle;
        let wait = self
            .wait
            .get_or_insert_with(|| Wait::Request(Instant::now() + idle));
        let (Wait::Request(deadline) | Wait::RestOfHead(deadline)) = *wait;
        match self.alarm.poll(cx, deadline) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = polled {
            self.writing.moved(count);
        }
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(count)) = polled {
            self.writing.moved(count);
        }
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        if polled.is_ready() {
            self.writing.settled();
        }
        self.written(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.written(cx, polled)
    }
}
