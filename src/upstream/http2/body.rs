//! Bodies of HTTP/2 requests and responses, with timeouts for stalls.
//!
//! [`Http2Upload`] wraps the body of a request and records its progress, so that the task that waits for the response can
//! distinguish an upstream that accepts no data from a client that sends none. [`Http2Download`] wraps the body of a
//! response: it fails after a pause of `read_timeout`, and holds the permit of its stream until its end.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{
    super::{UpstreamTimeouts, error::FailureCause},
    StreamPermit,
};
use crate::body::{Body, BodyError, StallTimer};

/// The largest piece of a block that is written at once: small pieces make the progress of a slow upstream visible.
const MAX_PIECE: usize = 64 * 1024;

/// Body of a request.
#[derive(Debug)]
pub(super) struct Http2Upload {
    body: Body,
    progress: Option<Arc<UploadProgress>>,
}

/// Progress of an upload: what it waits for, and since when.
#[derive(Debug)]
pub(super) struct UploadProgress {
    began: Instant,
    /// Microseconds from `began` to the last step.
    last_step: AtomicU64,
    waits_for: AtomicU8,
}

/// Values of `UploadProgress::waits_for`.
const UPSTREAM: u8 = 0;
const CLIENT: u8 = 1;
const NOTHING: u8 = 2;

impl Http2Upload {
    /// Wraps a body; a body without content has no progress to record.
    pub(super) fn new(body: Body) -> (Self, Option<Arc<UploadProgress>>) {
        let progress = (!body.is_end_stream()).then(|| {
            Arc::new(UploadProgress {
                began: Instant::now(),
                last_step: AtomicU64::new(0),
                waits_for: AtomicU8::new(UPSTREAM),
            })
        });
        (Self { body, progress: progress.clone() }, progress)
    }

    /// The body that was wrapped.
    pub(super) fn into_body(self) -> Body {
        self.body
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Body::Full(bytes) = &mut self.body
            && bytes.len() > MAX_PIECE
        {
            return Poll::Ready(Some(Ok(Frame::data(bytes.split_to(MAX_PIECE)))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }
}

impl hyper::body::Body for Http2Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_piece(context);
        if let Some(progress) = &self.progress {
            progress.record(match &polled {
                Poll::Pending => CLIENT,
                Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => UPSTREAM,
                Poll::Ready(_) => NOTHING,
            });
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl UploadProgress {
    fn record(&self, waits_for: u8) {
        let step = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_step.store(step, Ordering::Relaxed);
        self.waits_for.store(waits_for, Ordering::Release);
    }

    /// Waits until the upstream has accepted no data for `limits.write`, or has not answered for `limits.read` after the
    /// end of the upload.
    pub(super) async fn wait_for_stall(&self, limits: &UpstreamTimeouts) -> FailureCause {
        let shortest = limits.read.min(limits.write);
        loop {
            let now = Instant::now();
            let waits_for = self.waits_for.load(Ordering::Acquire);
            let step = self.began + Duration::from_micros(self.last_step.load(Ordering::Relaxed));
            let (deadline, cause) = match waits_for {
                UPSTREAM => (step + limits.write, FailureCause::WriteTimeout),
                NOTHING => (step + limits.read, FailureCause::ReadTimeout),
                // The server limits the pauses of the client.
                _ => (now + shortest, FailureCause::ReadTimeout),
            };
            if waits_for != CLIENT && deadline <= now {
                return cause;
            }
            tokio::time::sleep_until(deadline.min(now + shortest)).await;
        }
    }
}

/// Body of a response.
#[derive(Debug)]
pub(super) struct Http2Download {
    incoming: Incoming,
    /// `None` once the body has ended or failed.
    stream: Option<StreamPermit>,
    stall: StallTimer,
}

impl Http2Download {
    /// Wraps a body that has not ended.
    pub(super) fn new(incoming: Incoming, stream: StreamPermit, read_timeout: Duration) -> Self {
        Self { incoming, stream: Some(stream), stall: StallTimer::new(read_timeout) }
    }
}

impl hyper::body::Body for Http2Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(polled) = Pin::new(&mut self.incoming).poll_frame(context) else {
            ready!(self.stall.poll_expired(context));
            self.stream = None;
            return Poll::Ready(Some(Err(BodyError::ReadTimeout)));
        };
        self.stall.stop();
        if !matches!(polled, Some(Ok(_))) || self.incoming.is_end_stream() {
            self.stream = None;
        }
        Poll::Ready(polled.map(|frame| frame.map_err(BodyError::connection)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Write 2 s, read 3 s.
    const LIMITS: UpstreamTimeouts = UpstreamTimeouts {
        connect: Duration::from_secs(1),
        write: Duration::from_secs(2),
        read: Duration::from_secs(3),
        retries: 0,
    };

    /// Checks when and why an upload fails whose last step, at second 10, was `waits_for`.
    #[track_caller]
    fn check(waits_for: u8, expected: Option<(u64, FailureCause)>) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let found = runtime.block_on(async {
            let progress = Http2Upload::new(Body::full("x")).1.unwrap();
            let steps = async {
                sleep(Duration::from_millis(1500)).await;
                progress.record(UPSTREAM);
                sleep(Duration::from_millis(1500)).await;
                progress.record(CLIENT);
                sleep(Duration::from_secs(7)).await;
                progress.record(waits_for);
                std::future::pending::<()>().await;
            };
            let began = Instant::now();
            tokio::select! {
                cause = progress.wait_for_stall(&LIMITS) => Some((began.elapsed(), cause)),
                () = steps => None,
                () = sleep(Duration::from_mins(1)) => None,
            }
        });
        let text = |(seconds, cause): (u64, FailureCause)| (seconds, cause.to_string());
        assert_eq!(found.map(|(time, cause)| text((time.as_secs(), cause))), expected.map(text));
    }

    #[test]
    fn the_timeout_of_an_upload_depends_on_what_it_waits_for() {
        check(UPSTREAM, Some((12, FailureCause::WriteTimeout)));
        check(NOTHING, Some((13, FailureCause::ReadTimeout)));
        check(CLIENT, None);
    }

    #[test]
    fn a_large_block_is_written_in_pieces() {
        let (mut upload, progress) = Http2Upload::new(Body::full(vec![0; MAX_PIECE * 2 + 1]));
        let progress = progress.unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut upload).poll_frame(&mut context) {
            let done = progress.waits_for.load(Ordering::Acquire) == NOTHING;
            pieces.push((frame.unwrap().into_data().unwrap().len(), done));
        }
        assert_eq!(pieces, [(MAX_PIECE, false), (MAX_PIECE, false), (1, true)]);
        assert!(Http2Upload::new(Body::Empty).1.is_none());
    }
}
