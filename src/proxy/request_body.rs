//! The body of a request on its way from the client: how large it may be, and how long it may pause.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::headers::{DeniedTrailers, strip_trailers};
use crate::body::{Body, BodyError};

/// What a client may do with the body of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// The most bytes, if there is a limit. (Kong: `client_max_body_size`.)
    pub(super) most: Option<u64>,
    /// The longest pause. (nginx: `client_body_timeout`.)
    pub(super) pause: Duration,
}

/// A body that comes from a client, watched.
struct LimitedBody {
    incoming: Incoming,
    left: Option<u64>,
    pause: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

/// A body whose trailers are those that the head allows.
struct Pruned {
    body: Body,
    denied: DeniedTrailers,
}

impl BodyLimits {
    /// Watches a body that is still to come.
    pub(super) fn watch(self, body: Body) -> Body {
        let Body::Incoming(incoming) = body else { return body };
        let Self { most, pause } = self;
        Body::boxed(LimitedBody { incoming, left: most, pause, stall: None, waiting: false })
    }
}

/// The same body without these trailers. One that is in memory has none.
pub(super) fn without_trailers(body: Body, denied: impl FnOnce() -> Option<DeniedTrailers>) -> Body {
    if matches!(body, Body::Empty | Body::Full(_)) {
        return body;
    }
    match denied() {
        Some(denied) => Body::boxed(Pruned { body, denied }),
        None => body,
    }
}

impl LimitedBody {
    /// Waits for the next byte, but no longer than a client may pause.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(self.pause)));
        if !self.waiting {
            self.waiting = true;
            stall.as_mut().reset(Instant::now() + self.pause);
        }
        stall.as_mut().poll(context).map(|()| Some(Err(BodyError::ClientTimeout)))
    }

    /// Counts data; leaves out of trailers what may not stand in them.
    fn take(&mut self, frame: Frame<Bytes>) -> Option<Result<Frame<Bytes>, BodyError>> {
        if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
            match left.checked_sub(data.len() as u64) {
                Some(less) => *left = less,
                None => return Some(Err(BodyError::TooLarge)),
            }
        }
        match frame.into_trailers() {
            Ok(mut trailers) => {
                strip_trailers(&mut trailers);
                (!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers)))
            }
            Err(data) => Some(Ok(data)),
        }
    }
}

impl hyper::body::Body for LimitedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(polled) = Pin::new(&mut self.incoming).poll_frame(context) else {
            return self.poll_stall(context);
        };
        self.waiting = false;
        Poll::Ready(match polled {
            Some(Ok(frame)) => self.take(frame),
            Some(Err(error)) => Some(Err(BodyError::connection(error))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl hyper::body::Body for Pruned {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        Pin::new(&mut this.body).poll_frame(context).map_ok(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                this.denied.strip(&mut trailers);
                Frame::trailers(trailers)
            }
            Err(data) => data,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
