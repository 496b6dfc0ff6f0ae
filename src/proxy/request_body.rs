//! Body of a request: limits its size and its pauses, and removes trailers that may not pass.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::headers::{DeniedTrailers, strip_trailers};
use crate::body::{Body, BodyError, StallTimer};

/// Limits of a request body.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// Most bytes; `None` for no limit. (Kong: `client_max_body_size`.)
    pub(super) max_bytes: Option<u64>,
    /// Longest time between two parts. (nginx: `client_body_timeout`.)
    pub(super) max_pause: Duration,
}

/// Body of a client, with its limits.
struct LimitedBody {
    body: Body,
    /// Bytes that may still come.
    remaining: Option<u64>,
    pause_timer: StallTimer,
}

/// Body without the trailers that one request denies.
struct TrailerFilter {
    body: Body,
    denied: DeniedTrailers,
}

impl BodyLimits {
    /// Applies the limits to a body that comes from the connection.
    pub(super) fn apply(self, body: Body) -> Body {
        if matches!(body, Body::Empty | Body::Full(_)) {
            return body;
        }
        let Self { max_bytes, max_pause } = self;
        let pause_timer = StallTimer::new(max_pause);
        Body::boxed(LimitedBody { body, remaining: max_bytes, pause_timer })
    }
}

/// Removes denied trailers from a body. A body in memory has no trailers.
pub(super) fn without_trailers(body: Body, denied: impl FnOnce() -> Option<DeniedTrailers>) -> Body {
    if matches!(body, Body::Empty | Body::Full(_)) {
        return body;
    }
    match denied() {
        Some(denied) => Body::boxed(TrailerFilter { body, denied }),
        None => body,
    }
}

impl LimitedBody {
    /// Counts data, and removes fields that may not stand in trailers.
    fn check_frame(&mut self, frame: Frame<Bytes>) -> Option<Result<Frame<Bytes>, BodyError>> {
        if let (Some(remaining), Some(data)) = (&mut self.remaining, frame.data_ref()) {
            match remaining.checked_sub(data.len() as u64) {
                Some(rest) => *remaining = rest,
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
        let Poll::Ready(polled) = Pin::new(&mut self.body).poll_frame(context) else {
            return self.pause_timer.poll_expired(context).map(|()| Some(Err(BodyError::ClientTimeout)));
        };
        self.pause_timer.stop();
        Poll::Ready(match polled {
            Some(Ok(frame)) => self.check_frame(frame),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl hyper::body::Body for TrailerFilter {
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
