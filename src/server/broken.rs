//! The end of an answer whose body breaks off.
//!
//! The library throws away what it has not written yet when a body fails: the head and all that came before might
//! never reach the client. So the failure is kept back until all of that has been written: in HTTP/1.1 until the
//! connection is flushed, in HTTP/2 until an empty piece behind all others has been taken from the stream's queue.

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

/// A failure that is kept back.
pub(super) struct Break {
    error: Option<BodyError>,
    waits_for: WaitsFor,
}

enum WaitsFor {
    Flush,
    /// The empty piece is still to be sent.
    Piece,
    Taken(Arc<Taken>),
}

/// Whether all of a connection of HTTP/1.1 has been written since this was asked for.
#[derive(Debug, Default)]
pub(super) struct Flush(AtomicU8);

// 0: nothing waits for it.
const ASKED: u8 = 1;
const DONE: u8 = 2;

impl Flush {
    /// Notes that all has been written; whether that was waited for.
    pub(super) fn note(&self) -> bool {
        let asked = self.0.load(Relaxed) == ASKED;
        if asked {
            self.0.store(DONE, Relaxed);
        }
        asked
    }

    /// Whether an answer broke off, and all that came of it has been written.
    pub(super) fn is_done(&self) -> bool {
        self.0.load(Relaxed) == DONE
    }
}

/// Whether a piece has been taken from the queue, and who waits for it.
#[derive(Default)]
struct Taken {
    done: AtomicBool,
    waits: Mutex<Option<Waker>>,
}

/// The empty piece: it is dropped when it has been taken, or when its stream is gone.
struct Mark(Arc<Taken>);

impl Break {
    /// Keeps a failure back.
    pub(super) fn new(error: BodyError, is_http2: bool) -> Self {
        Self { error: Some(error), waits_for: if is_http2 { WaitsFor::Piece } else { WaitsFor::Flush } }
    }

    /// Goes on to the failure. `flush` is that of the connection.
    pub(super) fn poll(
        &mut self,
        flush: &Flush,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &self.waits_for {
            WaitsFor::Flush if flush.is_done() => Poll::Ready(self.error.take().map(Err)),
            WaitsFor::Flush => {
                flush.0.store(ASKED, Relaxed);
                Poll::Pending
            }
            WaitsFor::Piece => {
                let taken = Arc::new(Taken::default());
                self.waits_for = WaitsFor::Taken(Arc::clone(&taken));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(Mark(taken))))))
            }
            WaitsFor::Taken(taken) => {
                *lock(&taken.waits) = Some(context.waker().clone());
                if taken.done.load(SeqCst) { Poll::Ready(self.error.take().map(Err)) } else { Poll::Pending }
            }
        }
    }
}

impl AsRef<[u8]> for Mark {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.done.store(true, SeqCst);
        let waits = lock(&self.0.waits).take();
        if let Some(waker) = waits {
            waker.wake();
        }
    }
}

fn lock(waits: &Mutex<Option<Waker>>) -> MutexGuard<'_, Option<Waker>> {
    // A waker holds no invariant that a panic could break.
    waits.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_http_1_a_failure_waits_for_a_flush() {
        let (flush, mut context) = (Flush::default(), Context::from_waker(Waker::noop()));
        let mut broken = Break::new(BodyError::ReadTimeout, false);
        assert!(!flush.note() && !flush.is_done(), "an earlier flush does not count");
        for _ in 0..2 {
            assert!(broken.poll(&flush, &mut context).is_pending());
        }
        assert!(flush.note() && flush.is_done());
        assert!(matches!(broken.poll(&flush, &mut context), Poll::Ready(Some(Err(BodyError::ReadTimeout)))));
    }

    #[test]
    fn in_http_2_a_failure_waits_until_what_came_before_is_taken() {
        let (flush, mut context) = (Flush::default(), Context::from_waker(Waker::noop()));
        let mut broken = Break::new(BodyError::ReadTimeout, true);
        let Poll::Ready(Some(Ok(piece))) = broken.poll(&flush, &mut context) else { panic!("no piece") };
        let piece = piece.into_data().unwrap();
        assert!(piece.is_empty());
        assert!(broken.poll(&flush, &mut context).is_pending());
        drop(piece);
        assert!(matches!(broken.poll(&flush, &mut context), Poll::Ready(Some(Err(BodyError::ReadTimeout)))));
    }
}
