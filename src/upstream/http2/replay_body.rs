//! Body of a request that may be sent again.
//!
//! A request that the upstream reports as unprocessed can be repeated, whatever its method, if its body is still
//! available. (RFC 9113, section 8.7)

use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::body::{Body, BodyError};

/// The largest part of a body that is kept for a replay, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// The largest number of frames that are kept for a replay: each takes memory of its own, however small it is.
const MAX_PARTS: usize = 256;

/// Whether the upstream has not processed the request: it refused the stream, or sent GOAWAY before the stream.
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    // For streams that may have been processed before GOAWAY, the library reports that the connection has ended.
    error.is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
    })
}

/// Copy of a body that is being sent, up to [`MAX_BYTES`].
#[derive(Debug)]
pub(super) enum ReplayBody {
    /// The body is in memory.
    InMemory(Body),
    /// The body arrives from a client.
    Streaming(Arc<Mutex<ReplayBuffer>>),
}

/// Frames that were sent, and the rest of the body.
#[derive(Debug)]
pub(super) struct ReplayBuffer {
    /// `None` once nothing is replay any more.
    sent: Option<Vec<ReplayPart>>,
    size: usize,
    /// `None` once the body was taken back.
    rest: Option<Body>,
}

#[derive(Clone, Debug)]
enum ReplayPart {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The body that is sent; it records its frames.
struct RecordedBody(Arc<Mutex<ReplayBuffer>>);

impl ReplayBody {
    /// Begins to keep a body; the second one is to be sent.
    pub(super) fn new(body: Body) -> (Self, Body) {
        if let Some(copy) = body.try_clone() {
            return (Self::InMemory(copy), body);
        }
        let buffer = ReplayBuffer { sent: Some(Vec::new()), size: 0, rest: Some(body) };
        let buffer = Arc::new(Mutex::new(buffer));
        (Self::Streaming(Arc::clone(&buffer)), Body::boxed(RecordedBody(buffer)))
    }

    /// The body from its beginning, if it is still available. The body that is being sent fails from now on.
    pub(super) fn into_body(mut self) -> Option<Body> {
        match &mut self {
            Self::InMemory(body) => Some(std::mem::take(body)),
            Self::Streaming(buffer) => {
                let mut buffer = lock(buffer);
                let sent = buffer.sent.take()?;
                let rest = buffer.rest.take()?;
                Some(if sent.is_empty() {
                    rest
                } else {
                    Body::prefixed(sent.into_iter().map(Frame::from).collect(), rest)
                })
            }
        }
    }
}

impl Drop for ReplayBody {
    fn drop(&mut self) {
        if let Self::Streaming(buffer) = self {
            lock(buffer).sent = None;
        }
    }
}

impl ReplayBuffer {
    fn record(&mut self, frame: &Frame<Bytes>) {
        let Some(sent) = &mut self.sent else { return };
        if let Some(data) = frame.data_ref() {
            self.size += data.len();
            sent.push(ReplayPart::Data(data.clone()));
        } else if let Some(trailers) = frame.trailers_ref() {
            sent.push(ReplayPart::Trailers(trailers.clone()));
        }
        if self.size > MAX_BYTES || sent.len() > MAX_PARTS {
            self.sent = None;
        }
    }
}

impl From<ReplayPart> for Frame<Bytes> {
    fn from(part: ReplayPart) -> Self {
        match part {
            ReplayPart::Data(data) => Self::data(data),
            ReplayPart::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

fn lock(buffer: &Mutex<ReplayBuffer>) -> MutexGuard<'_, ReplayBuffer> {
    // It holds no invariant that a panic could break.
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl hyper::body::Body for RecordedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut buffer = lock(&self.0);
        // The body was taken back, and is sent on another stream.
        let Some(rest) = &mut buffer.rest else {
            return Poll::Ready(Some(Err(BodyError::Source(
                "the request is sent again on another connection".into(),
            ))));
        };
        let polled = Pin::new(rest).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            buffer.record(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).rest.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).rest.as_ref().map(hyper::body::Body::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A body of frames of these sizes.
    fn pieces(sizes: &[usize]) -> Body {
        let frames = sizes.iter().map(|size| Frame::data(vec![b'x'; *size].into())).collect();
        Body::prefixed(frames, Body::Empty)
    }

    /// Checks the length of the replayed body after `sent_frames` frames were sent; `None` if it is not available.
    #[track_caller]
    fn check(body: Body, sent_frames: usize, expected: Option<usize>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let (replay, mut sent) = ReplayBody::new(body);
            for _ in 0..sent_frames {
                sent.frame().await.unwrap().unwrap();
            }
            let replayed = replay.into_body()?;
            Some(replayed.collect().await.unwrap().to_bytes().len())
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_body_can_be_replayed_while_it_is_small() {
        check(Body::Empty, 0, Some(0));
        check(Body::full("abc"), 1, Some(3));
        check(pieces(&[3, 4]), 0, Some(7));
        check(pieces(&[3, 4]), 1, Some(7));
        check(pieces(&[3, 4]), 2, Some(7));
        check(pieces(&[MAX_BYTES, 4]), 1, Some(MAX_BYTES + 4));
        check(pieces(&[MAX_BYTES, 4]), 2, None);
        check(pieces(&[1; MAX_PARTS + 1]), MAX_PARTS, Some(MAX_PARTS + 1));
        check(pieces(&[1; MAX_PARTS + 1]), MAX_PARTS + 1, None);
    }

    #[test]
    fn the_body_that_is_sent_fails_once_it_is_taken_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (replay, mut sent) = ReplayBody::new(pieces(&[3, 4]));
            assert!(replay.into_body().is_some());
            assert!(sent.frame().await.unwrap().is_err());
        });
    }

    #[test]
    fn frames_are_dropped_with_the_replay_body() {
        let (replay, sent) = ReplayBody::new(pieces(&[3, 4]));
        let ReplayBody::Streaming(buffer) = &replay else { panic!("the body is in memory") };
        let buffer = Arc::clone(buffer);
        drop(replay);
        assert!(lock(&buffer).sent.is_none());
        drop(sent);
    }
}
