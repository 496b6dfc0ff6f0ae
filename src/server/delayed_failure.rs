//! Failure of a response body, delayed until everything before it is written.
//!
//! When a body fails, hyper discards what it has not written yet: the head and earlier data might never reach the client.
//! So the failure is delayed: in HTTP/1.1 until the connection is flushed, in HTTP/2 until an empty frame behind all
//! others has been taken from the queue of the stream.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU8,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;

use crate::body::BodyError;

/// Failure of a body that is delayed.
pub(super) struct DelayedFailure {
    error: Option<BodyError>,
    delay: FailureDelay,
}

/// Event that ends the delay.
enum FailureDelay {
    /// HTTP/1.1: the connection is flushed.
    Flush,
    /// HTTP/2: the marker has yet to be queued.
    QueueMarker,
    /// HTTP/2: the marker is taken from the queue.
    MarkerTaken(Arc<TakenSignal>),
}

/// Signal that an HTTP/1.1 connection has been flushed since the flush was requested.
#[derive(Debug, Default)]
pub(super) struct FlushSignal(AtomicU8);

// States of the signal; 0 stands for no request.
const REQUESTED: u8 = 1;
const DONE: u8 = 2;

impl FlushSignal {
    /// Records a flush; returns whether it was requested.
    pub(super) fn record_flush(&self) -> bool {
        let is_requested = self.0.load(Relaxed) == REQUESTED;
        if is_requested {
            self.0.store(DONE, Relaxed);
        }
        is_requested
    }

    /// Whether a response failed, and all of it before the failure has been written.
    pub(super) fn is_done(&self) -> bool {
        self.0.load(Relaxed) == DONE
    }
}

/// Signal that the marker has been taken from the queue.
#[derive(Default)]
struct TakenSignal {
    is_taken: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// Data of an empty frame, which is dropped when it is taken from the queue, or when its stream is gone.
struct QueueMarker(Arc<TakenSignal>);

impl DelayedFailure {
    /// Delays a failure.
    pub(super) fn new(error: BodyError, is_http2: bool) -> Self {
        let delay = if is_http2 { FailureDelay::QueueMarker } else { FailureDelay::Flush };
        Self { error: Some(error), delay }
    }

    /// Polls for the next frame of the body: the marker, then the failure. `flush` is the signal of the connection.
    pub(super) fn poll(
        &mut self,
        flush: &FlushSignal,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &self.delay {
            FailureDelay::Flush if flush.is_done() => Poll::Ready(self.error.take().map(Err)),
            FailureDelay::Flush => {
                flush.0.store(REQUESTED, Relaxed);
                Poll::Pending
            }
            FailureDelay::QueueMarker => {
                let taken = Arc::new(TakenSignal::default());
                self.delay = FailureDelay::MarkerTaken(Arc::clone(&taken));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(QueueMarker(taken))))))
            }
            FailureDelay::MarkerTaken(taken) => {
                *lock(&taken.waker) = Some(context.waker().clone());
                if taken.is_taken.load(SeqCst) {
                    Poll::Ready(self.error.take().map(Err))
                } else {
                    Poll::Pending
                }
            }
        }
    }
}

impl AsRef<[u8]> for QueueMarker {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for QueueMarker {
    fn drop(&mut self) {
        self.0.is_taken.store(true, SeqCst);
        let waker = lock(&self.0.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn lock(waker: &Mutex<Option<Waker>>) -> MutexGuard<'_, Option<Waker>> {
    // A waker holds no invariant that a panic could break.
    waker.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_http_1_a_failure_waits_for_a_flush() {
        let (flush, mut context) = (FlushSignal::default(), Context::from_waker(Waker::noop()));
        let mut failure = DelayedFailure::new(BodyError::ReadTimeout, false);
        assert!(!flush.record_flush() && !flush.is_done(), "an earlier flush does not count");
        for _ in 0..2 {
            assert!(failure.poll(&flush, &mut context).is_pending());
        }
        assert!(flush.record_flush() && flush.is_done());
        assert!(matches!(failure.poll(&flush, &mut context), Poll::Ready(Some(Err(BodyError::ReadTimeout)))));
    }

    #[test]
    fn in_http_2_a_failure_waits_until_earlier_frames_are_taken() {
        let (flush, mut context) = (FlushSignal::default(), Context::from_waker(Waker::noop()));
        let mut failure = DelayedFailure::new(BodyError::ReadTimeout, true);
        let Poll::Ready(Some(Ok(marker))) = failure.poll(&flush, &mut context) else { panic!("no marker") };
        let marker = marker.into_data().unwrap();
        assert!(marker.is_empty());
        assert!(failure.poll(&flush, &mut context).is_pending());
        drop(marker);
        assert!(matches!(failure.poll(&flush, &mut context), Poll::Ready(Some(Err(BodyError::ReadTimeout)))));
    }
}
