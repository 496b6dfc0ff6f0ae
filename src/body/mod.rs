//! Body type of the gateway, for requests and responses on both sides.
//!
//! Most bodies are empty, or a prebuilt block that is cloned by handle; neither allocates. A body that passes through is
//! hyper's own, or any other one in a box.
//!
//! | file | what it holds |
//! |---|---|
//! | `buffers` | [`BodyBuffers`]: bodies in memory, within a shared budget |
//! | `bounded`, `counted`, `prefixed` | wrappers of a body: with a limit, with a counter, after frames that were read |
//! | `stall_timer` | [`StallTimer`]: timeout of the pause between two frames |

mod bounded;
mod buffers;
mod counted;
mod prefixed;
mod stall_timer;

pub use buffers::{BodyBuffers, BudgetedBuffer};
pub use stall_timer::StallTimer;

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::Incoming;

/// The content of a message.
#[derive(Debug, Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// One block, sent once; never empty when made by [`Body::full`].
    Full(Bytes),
    /// Content that the peer of a connection sends, as it arrives.
    Incoming(Incoming),
    /// Any other source of frames.
    Boxed(BoxBody<Bytes, BodyError>),
}

/// Response extension: the server closes the connection in place of sending the response. (HTTP/2: resets the stream.)
#[derive(Clone, Copy, Debug)]
pub struct StreamReset;

/// Why a body is incomplete.
#[derive(Debug)]
pub enum BodyError {
    /// The connection broke, or the framing was invalid.
    Connection(Box<dyn Error + Send + Sync>),
    /// Nothing arrived for as long as the Service's `read_timeout`.
    ReadTimeout,
    /// The body is longer than a client may send. (Kong: `client_max_body_size`.)
    TooLarge,
    /// The body is longer than a plugin allows. (Kong: Request Size Limiting plugin.)
    OverLimit,
    /// The memory budget of bodies is exhausted.
    NoRoom,
    /// The client paused for too long. (nginx: `client_body_timeout`.)
    ClientTimeout,
    /// Another source of the body failed.
    Source(Box<dyn Error + Send + Sync>),
}

impl Body {
    /// A body of one block; [`Body::Empty`] if the block is empty.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }

    /// Boxes any body.
    pub fn boxed<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyError> + Send + Sync + 'static,
    {
        Self::Boxed(body.boxed())
    }

    /// Wraps the body so that its bytes are added to `count` as they are read.
    #[must_use]
    pub fn counted(self, count: Arc<AtomicU64>) -> Self {
        Self::boxed(counted::CountedBody { body: self, count })
    }

    /// Wraps the body so that it fails with [`BodyError::OverLimit`] after `limit` bytes.
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        Self::boxed(bounded::BoundedBody::new(self, limit))
    }

    /// The body that consists of these frames, read from it before, and of the rest.
    #[must_use]
    pub fn prefixed(frames: VecDeque<Frame<Bytes>>, rest: Self) -> Self {
        Self::boxed(prefixed::PrefixedBody { frames, rest })
    }

    /// A second body with the same content, if the content is in memory.
    pub fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            Self::Incoming(_) | Self::Boxed(_) => None,
        }
    }
}

impl From<Incoming> for Body {
    /// [`Body::Empty`] if the stream has ended.
    fn from(body: Incoming) -> Self {
        if http_body::Body::is_end_stream(&body) { Self::Empty } else { Self::Incoming(body) }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Incoming(body) => Pin::new(body).poll_frame(context).map_err(BodyError::connection),
            Self::Boxed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Incoming(body) => body.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Incoming(body) => body.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

impl BodyError {
    /// An error of the connection: it broke, or its framing was invalid.
    pub fn connection(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Connection(error.into())
    }

    /// The status of the answer to a request whose body failed in this way.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge | Self::OverLimit => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Connection(_) | Self::ReadTimeout | Self::Source(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The message of that answer, where it is not the default message of the status.
    #[must_use]
    pub fn message(&self) -> Option<&'static str> {
        match self {
            Self::OverLimit => Some("Request size limit exceeded"),
            Self::NoRoom => Some("Too many request bodies at a time"),
            Self::TooLarge
            | Self::ClientTimeout
            | Self::Connection(_)
            | Self::ReadTimeout
            | Self::Source(_) => None,
        }
    }

    /// Seconds after which the client may repeat the request, for the Retry-After field.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::NoRoom).then_some(1)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadTimeout => out.write_str("the body stalled for longer than read_timeout"),
            Self::TooLarge => out.write_str("the body is larger than client_max_body_size"),
            Self::OverLimit => out.write_str("the body is larger than request-size-limiting allows"),
            Self::NoRoom => out.write_str("the memory budget of bodies is exhausted (max_body_memory)"),
            Self::ClientTimeout => out.write_str("the client paused for longer than client_body_timeout"),
            Self::Connection(error) | Self::Source(error) => write!(out, "the body was cut off: {error}"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ReadTimeout | Self::TooLarge | Self::OverLimit | Self::NoRoom | Self::ClientTimeout => None,
            Self::Connection(error) | Self::Source(error) => Some(&**error),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    /// Checks the declared size, and that reading yields the content and ends.
    #[track_caller]
    fn check(mut body: Body, expected: &'static [u8]) {
        assert_eq!(body.size_hint().exact(), Some(expected.len() as u64));
        assert_eq!(body.is_end_stream(), expected.is_empty());
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut read = Vec::new();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut context) {
            read.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert_eq!(read, expected);
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }

    #[test]
    fn a_body_declares_its_size_and_yields_its_content_once() {
        let inner = |text: &'static str| {
            http_body_util::Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {})
        };
        check(Body::default(), b"");
        check(Body::full(""), b"");
        check(Body::Full(Bytes::new()), b"");
        check(Body::full("abc"), b"abc");
        check(Body::boxed(inner("abc")), b"abc");
    }

    #[test]
    fn only_a_body_in_memory_can_be_cloned() {
        check(Body::full("abc").try_clone().unwrap(), b"abc");
        check(Body::Empty.try_clone().unwrap(), b"");
        assert!(Body::boxed(Body::full("abc")).try_clone().is_none());
    }
}
