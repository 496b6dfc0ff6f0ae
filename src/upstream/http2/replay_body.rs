//! Requests that an upstream says it did not look at: such a one can go again, whatever it asks for, if its body can
//! be had again. (RFC 9113, section 8.7)

use std::{
    collections::VecDeque,
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

/// How much of a body is kept, at most.
const MOST: usize = 64 << 10;

/// In how many parts, at most: each takes room of its own, however small it is.
const MOST_PARTS: usize = 256;

/// Whether an upstream reset a stream before it looked at it, or has gone away before it came to it.
pub(super) fn is_untouched(error: &hyper::Error) -> bool {
    let found = error.source().and_then(|it| it.downcast_ref::<h2::Error>());
    // To streams that it may have come to, the library says that the connection has ended.
    found.is_some_and(|it| it.is_remote() && (it.is_go_away() || it.reason() == Some(Reason::REFUSED_STREAM)))
}

/// A body that can be had again, while not too much of it has gone.
#[derive(Debug)]
pub(super) enum ReplayBody {
    /// It is in memory.
    Whole(Body),
    /// It comes from a client.
    Passing(Arc<Mutex<ReplayBuffer>>),
}

/// What has gone, and what has not.
#[derive(Debug)]
pub(super) struct ReplayBuffer {
    /// None once it is not kept any more.
    gone: Option<Vec<ReplayPart>>,
    size: usize,
    /// None once it has been taken back.
    rest: Option<Body>,
}

#[derive(Clone, Debug)]
enum ReplayPart {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The same body on its way.
struct ReplayingBody(Arc<Mutex<ReplayBuffer>>);

/// A body from its beginning: what had gone before, and what had not.
struct RepeatedBody {
    gone: VecDeque<ReplayPart>,
    rest: Body,
}

impl ReplayBody {
    /// Keeps a body; the second one is to be sent.
    pub(super) fn of(body: Body) -> (Self, Body) {
        if let Some(copy) = body.replay() {
            return (Self::Whole(copy), body);
        }
        let passing = ReplayBuffer { gone: Some(Vec::new()), size: 0, rest: Some(body) };
        let passing = Arc::new(Mutex::new(passing));
        (Self::Passing(Arc::clone(&passing)), Body::boxed(ReplayingBody(passing)))
    }

    /// The body from its beginning, if it is still to be had. What was sent ends here.
    pub(super) fn again(mut self) -> Option<Body> {
        match &mut self {
            Self::Whole(body) => Some(std::mem::take(body)),
            Self::Passing(passing) => {
                let mut passing = lock(passing);
                let gone = passing.gone.take()?;
                let rest = passing.rest.take()?;
                Some(if gone.is_empty() {
                    rest
                } else {
                    Body::boxed(RepeatedBody { gone: gone.into(), rest })
                })
            }
        }
    }
}

impl Drop for ReplayBody {
    fn drop(&mut self) {
        if let Self::Passing(passing) = self {
            lock(passing).gone = None;
        }
    }
}

impl ReplayBuffer {
    fn note(&mut self, frame: &Frame<Bytes>) {
        let Some(gone) = &mut self.gone else { return };
        if let Some(data) = frame.data_ref() {
            self.size += data.len();
            gone.push(ReplayPart::Data(data.clone()));
        } else if let Some(trailers) = frame.trailers_ref() {
            gone.push(ReplayPart::Trailers(trailers.clone()));
        }
        if self.size > MOST || gone.len() > MOST_PARTS {
            self.gone = None;
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

fn lock(passing: &Mutex<ReplayBuffer>) -> MutexGuard<'_, ReplayBuffer> {
    // It holds no invariant that a panic could break.
    passing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl hyper::body::Body for ReplayingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut passing = lock(&self.0);
        // The stream that it belonged to is over.
        let Some(rest) = &mut passing.rest else {
            return Poll::Ready(Some(Err(BodyError::Source("the request goes another way".into()))));
        };
        let polled = Pin::new(rest).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            passing.note(frame);
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

impl hyper::body::Body for RepeatedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.gone.pop_front() {
            Some(part) => Poll::Ready(Some(Ok(part.into()))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.gone.is_empty() && self.rest.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A body that comes in these pieces.
    fn pieces(sizes: &[usize]) -> Body {
        let gone = sizes.iter().map(|size| ReplayPart::Data(vec![b'x'; *size].into())).collect();
        Body::boxed(RepeatedBody { gone, rest: Body::Empty })
    }

    /// Checks how much is to be had again after so many pieces have gone; none if nothing is.
    #[track_caller]
    fn check(body: Body, gone: usize, expected: Option<usize>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let (kept, mut sent) = ReplayBody::of(body);
            for _ in 0..gone {
                sent.frame().await.unwrap().unwrap();
            }
            let again = kept.again()?;
            Some(again.collect().await.unwrap().to_bytes().len())
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_body_is_to_be_had_again_while_it_is_small() {
        check(Body::Empty, 0, Some(0));
        check(Body::full("abc"), 1, Some(3));
        check(pieces(&[3, 4]), 0, Some(7));
        check(pieces(&[3, 4]), 1, Some(7));
        check(pieces(&[3, 4]), 2, Some(7));
        check(pieces(&[MOST, 4]), 1, Some(MOST + 4));
        check(pieces(&[MOST, 4]), 2, None);
        check(pieces(&[1; MOST_PARTS + 1]), MOST_PARTS, Some(MOST_PARTS + 1));
        check(pieces(&[1; MOST_PARTS + 1]), MOST_PARTS + 1, None);
    }

    #[test]
    fn what_was_sent_ends_where_it_is_taken_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (kept, mut sent) = ReplayBody::of(pieces(&[3, 4]));
            assert!(kept.again().is_some());
            assert!(sent.frame().await.unwrap().is_err());
        });
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let (kept, sent) = ReplayBody::of(pieces(&[3, 4]));
        let ReplayBody::Passing(passing) = &kept else { panic!("it is in memory") };
        let passing = Arc::clone(passing);
        drop(kept);
        assert!(lock(&passing).gone.is_none());
        drop(sent);
    }
}
