//! Bodies on their way to and from an upstream in HTTP/2, watched for stalls.
//!
//! [`Http2Upload`] wraps the request's body and notes its pace, so that whoever waits for the response can tell an
//! upstream that takes no data from a client that sends none. [`Http2Download`] wraps the response's body: it ends a
//! stall after `read_timeout`, and keeps the request's place on the connection until then.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    super::{UpstreamTimeouts, error::FailureCause},
    StreamPermit,
};
use crate::body::{Body, BodyError};

/// The largest piece of a block that is written at once; smaller ones make the pace of a slow upstream visible.
const PIECE: usize = 64 * 1024;

/// A request's body on its way out.
#[derive(Debug)]
pub(super) struct Http2Upload {
    body: Body,
    pace: Option<Arc<UploadPace>>,
}

/// How an upload goes on: what it waits for, and since when.
#[derive(Debug)]
pub(super) struct UploadPace {
    began: Instant,
    /// Microseconds from `began` to the last step.
    step: AtomicU64,
    waits_for: AtomicU8,
}

/// What an upload waits for.
const UPSTREAM: u8 = 0;
const CLIENT: u8 = 1;
const NOTHING: u8 = 2;

impl Http2Upload {
    /// Wraps a body; one without content has no pace.
    pub(super) fn new(body: Body) -> (Self, Option<Arc<UploadPace>>) {
        let pace = (!body.is_end_stream()).then(|| {
            Arc::new(UploadPace {
                began: Instant::now(),
                step: AtomicU64::new(0),
                waits_for: AtomicU8::new(UPSTREAM),
            })
        });
        (Self { body, pace: pace.clone() }, pace)
    }

    /// Gives the body back.
    pub(super) fn into_body(self) -> Body {
        self.body
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Body::Full(bytes) = &mut self.body
            && bytes.len() > PIECE
        {
            return Poll::Ready(Some(Ok(Frame::data(bytes.split_to(PIECE)))));
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
        if let Some(pace) = &self.pace {
            pace.note(match &polled {
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

impl UploadPace {
    fn note(&self, waits_for: u8) {
        let step = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.step.store(step, Ordering::Relaxed);
        self.waits_for.store(waits_for, Ordering::Release);
    }

    /// Waits until the upstream has taken no data for `write`, or has not answered for `read` after all of it.
    pub(super) async fn stalled(&self, limits: &UpstreamTimeouts) -> FailureCause {
        let shortest = limits.read.min(limits.write);
        loop {
            let now = Instant::now();
            let waits_for = self.waits_for.load(Ordering::Acquire);
            let step = self.began + Duration::from_micros(self.step.load(Ordering::Relaxed));
            let (deadline, cause) = match waits_for {
                UPSTREAM => (step + limits.write, FailureCause::WriteTimeout),
                NOTHING => (step + limits.read, FailureCause::ReadTimeout),
                // The client's pace is the server's concern.
                _ => (now + shortest, FailureCause::ReadTimeout),
            };
            if waits_for != CLIENT && deadline <= now {
                return cause;
            }
            tokio::time::sleep_until(deadline.min(now + shortest)).await;
        }
    }
}

/// A response's body on its way in.
#[derive(Debug)]
pub(super) struct Http2Download {
    incoming: Incoming,
    stream: Option<StreamPermit>,
    read_timeout: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Http2Download {
    /// Wraps a body that is not at its end.
    pub(super) fn new(incoming: Incoming, stream: StreamPermit, read_timeout: Duration) -> Self {
        Self { incoming, stream: Some(stream), read_timeout, stall: None, waiting: false }
    }

    /// Waits for the next byte, but no longer than `read_timeout`.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(self.read_timeout)));
        if !self.waiting {
            self.waiting = true;
            stall.as_mut().reset(Instant::now() + self.read_timeout);
        }
        if stall.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.stream = None;
        Poll::Ready(Some(Err(BodyError::ReadTimeout)))
    }
}

impl hyper::body::Body for Http2Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending => return self.poll_stall(context),
            Poll::Ready(polled) => polled,
        };
        self.waiting = false;
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
    use super::*;

    /// Write 2 s, read 3 s.
    const LIMITS: UpstreamTimeouts = UpstreamTimeouts {
        connect: Duration::from_secs(1),
        write: Duration::from_secs(2),
        read: Duration::from_secs(3),
        retries: 0,
    };

    /// Checks when an upload is given up, and why, if its last step was `waits_for`, at second 10.
    #[track_caller]
    fn check(waits_for: u8, expected: Option<(u64, FailureCause)>) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let found = runtime.block_on(async {
            let pace = Http2Upload::new(Body::full("x")).1.unwrap();
            let steps = async {
                sleep(Duration::from_millis(1500)).await;
                pace.note(UPSTREAM);
                sleep(Duration::from_millis(1500)).await;
                pace.note(CLIENT);
                sleep(Duration::from_secs(7)).await;
                pace.note(waits_for);
                std::future::pending::<()>().await;
            };
            let began = Instant::now();
            tokio::select! {
                cause = pace.stalled(&LIMITS) => Some((began.elapsed(), cause)),
                () = steps => None,
                () = sleep(Duration::from_mins(1)) => None,
            }
        });
        let text = |(seconds, cause): (u64, FailureCause)| (seconds, cause.to_string());
        assert_eq!(found.map(|(time, cause)| text((time.as_secs(), cause))), expected.map(text));
    }

    #[test]
    fn an_upload_is_given_up_by_whom_it_waits_for() {
        check(UPSTREAM, Some((12, FailureCause::WriteTimeout)));
        check(NOTHING, Some((13, FailureCause::ReadTimeout)));
        check(CLIENT, None);
    }

    #[test]
    fn a_large_block_goes_in_pieces() {
        let (mut upload, pace) = Http2Upload::new(Body::full(vec![0; PIECE * 2 + 1]));
        let pace = pace.unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut upload).poll_frame(&mut context) {
            let done = pace.waits_for.load(Ordering::Acquire) == NOTHING;
            pieces.push((frame.unwrap().into_data().unwrap().len(), done));
        }
        assert_eq!(pieces, [(PIECE, false), (PIECE, false), (1, true)]);
        assert!(Http2Upload::new(Body::Empty).1.is_none());
    }
}
