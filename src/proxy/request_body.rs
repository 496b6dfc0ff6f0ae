//! The body of a request on its way from the client: how large it may be, how long it may pause, and how much of it
//! is read before an upstream is asked for.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::headers::strip_trailers;
use crate::body::{Body, BodyError};

/// What a client may do with the body of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The most bytes, if there is a limit. (Kong: `client_max_body_size`.)
    pub(super) most: Option<u64>,
    /// The longest pause. (nginx: `client_body_timeout`.)
    pub(super) pause: Duration,
}

/// A body that comes from a client, watched.
struct Watched {
    incoming: Incoming,
    left: Option<u64>,
    pause: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

/// Frames that have been read ahead, and what comes after them.
struct Resumed {
    ahead: VecDeque<Frame<Bytes>>,
    rest: Body,
}

impl Patience {
    /// Watches a body that is still to come.
    pub(super) fn watch(self, body: Body) -> Body {
        let Body::Incoming(incoming) = body else { return body };
        let Self { most, pause } = self;
        Body::boxed(Watched { incoming, left: most, pause, stall: None, waiting: false })
    }
}

/// Reads a body that has at most `most` bytes into memory: then its length is known, and it can be sent again. A
/// larger one is passed on as it comes.
pub(super) async fn read_ahead(mut body: Body, most: usize) -> Result<Body, BodyError> {
    let fits = |size: u64| usize::try_from(size).is_ok_and(|size| size <= most);
    if body.replay().is_some() || !fits(body.size_hint().lower()) {
        return Ok(body);
    }
    let mut ahead = VecDeque::new();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else {
            ahead.push_back(frame);
            return Ok(Body::boxed(Resumed { ahead, rest: body }));
        };
        read += data.len();
        ahead.push_back(frame);
        if read > most {
            return Ok(Body::boxed(Resumed { ahead, rest: body }));
        }
    }
    let mut pieces = ahead.into_iter().filter_map(|frame| frame.into_data().ok());
    let first = pieces.next().unwrap_or_default();
    if first.len() == read {
        return Ok(Body::full(first));
    }
    let mut whole = BytesMut::with_capacity(read);
    whole.extend_from_slice(&first);
    pieces.for_each(|piece| whole.extend_from_slice(&piece));
    Ok(Body::full(whole))
}

impl Watched {
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

impl hyper::body::Body for Watched {
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

impl hyper::body::Body for Resumed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.ahead.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.ahead.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(ahead)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    /// A body that comes in these pieces, and ends with trailers if they are told.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    /// Checks what is known of the length of a body, read ahead up to 5 bytes, and that nothing of it is lost.
    #[track_caller]
    fn check(pieces: &[&'static str], trailers: bool, expected: Option<u64>) {
        let mut frames: VecDeque<_> =
            pieces.iter().map(|it| Frame::data(Bytes::from_static(it.as_bytes()))).collect();
        frames.extend(trailers.then(|| Frame::trailers(HeaderMap::new())));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (length, repeatable, collected) = runtime.block_on(async {
            let body = read_ahead(Body::boxed(Pieces(frames)), 5).await.unwrap();
            let (length, repeatable) = (body.size_hint().exact(), body.replay().is_some());
            (length, repeatable, body.collect().await.unwrap())
        });
        assert_eq!(length, expected);
        assert_eq!(repeatable, expected.is_some());
        assert_eq!(collected.trailers().is_some(), trailers);
        assert_eq!(collected.to_bytes(), pieces.concat());
    }

    #[test]
    fn a_small_body_has_a_length_after_all() {
        check(&[], false, Some(0));
        check(&["abc"], false, Some(3));
        check(&["abc", "de"], false, Some(5));
        check(&["abc", "def"], false, None);
        check(&["abcdef", "ghi"], false, None);
    }

    #[test]
    fn trailers_are_not_lost() {
        check(&["abc"], true, None);
    }
}
