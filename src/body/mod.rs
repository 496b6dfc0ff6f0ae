//! BYTES: the one body type of the gateway, for requests and responses on both sides.
//!
//! Most bodies are empty, or a prebuilt block that is cloned by handle; those two cost no allocation. A body that
//! passes through is hyper's own, or anything else in a box.

mod buffers;
mod limited;

pub use buffers::{BodyBuffers, Held};

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
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
    /// What the peer of a connection sends, as it arrives.
    Incoming(Incoming),
    /// Any other source of frames.
    Boxed(BoxBody<Bytes, BodyError>),
}

/// An extension of a response that is never sent: its connection is cut in its place. (HTTP/2: its stream.)
#[derive(Clone, Copy, Debug)]
pub struct StreamReset;

/// Why a body ended before its end.
#[derive(Debug)]
pub enum BodyError {
    /// The connection that brought it broke, or its framing was wrong.
    Connection(Box<dyn Error + Send + Sync>),
    /// Nothing arrived for as long as the Service's `read_timeout`.
    ReadTimeout,
    /// It has more bytes than a client may send. (Kong: `client_max_body_size`.)
    TooLarge,
    /// It has more bytes than a plugin lets pass. (Kong: Request Size Limiting plugin.)
    OverLimit,
    /// The bodies that are held leave no room for it.
    NoRoom,
    /// The client paused for longer than it may. (nginx: `client_body_timeout`.)
    ClientTimeout,
    /// Another source failed.
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

    /// The same body; its bytes are added to `count` as they are read.
    #[must_use]
    pub fn counted(self, count: Arc<AtomicU64>) -> Self {
        Self::boxed(CountedBody { body: self, count })
    }

    /// The same body, which fails with [`BodyError::OverLimit`] once it has more bytes than this.
    #[must_use]
    pub fn limited(self, most: u64) -> Self {
        Self::boxed(limited::Limited::new(self, most))
    }

    /// A second body with the same content, if it can be had without reading this one.
    pub fn replay(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            Self::Incoming(_) | Self::Boxed(_) => None,
        }
    }
}

impl From<Incoming> for Body {
    /// [`Body::Empty`] if nothing will come.
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
    /// A connection that broke, or brought what nobody can read.
    pub fn connection(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Connection(error.into())
    }

    /// The status of the answer to a request whose body broke off in this way.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge | Self::OverLimit => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Connection(_) | Self::ReadTimeout | Self::Source(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl BodyError {
    /// The message of that answer, where it is not the status's default one.
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

    /// After how many seconds the request may be sent again, if it may.
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
            Self::NoRoom => out.write_str("the bodies that are held leave no room (max_body_memory)"),
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

/// A body whose bytes are counted.
struct CountedBody {
    body: Body,
    count: Arc<AtomicU64>,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.count.fetch_add(data.len() as u64, Relaxed);
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

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    /// Checks the declared size, and that reading gives the content and ends.
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
    fn declares_its_size_and_gives_its_content_once() {
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
    fn only_what_is_in_memory_can_be_sent_again() {
        check(Body::full("abc").replay().unwrap(), b"abc");
        check(Body::Empty.replay().unwrap(), b"");
        assert!(Body::boxed(Body::full("abc")).replay().is_none());
    }
}
