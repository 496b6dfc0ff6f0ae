//! HTTP/1.1 with an upstream: one request and its response on one connection, driven by whoever waits for them.
//!
//! There is no task behind a connection: the request's own task writes, reads and keeps the time, so that nothing is
//! handed over, and a connection that waits for its next request is a socket and nothing else. What a client may get
//! wrong is hyper's business; what an upstream may get wrong is refused here.
//!
//! | part | what it is for |
//! |---|---|
//! | [`request`] | the request on its way out |
//! | [`response`] | the head of the response, and what it says about its body |
//! | [`chunked`] | bodies in chunks |
//! | [`connection`] | a connection |
//! | [`idle_pool`] | connections that wait for a request |
//! | [`lazy_timer`] | timeouts |

mod chunked;
mod connection;
mod idle_pool;
mod lazy_timer;
mod request;
mod response;

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::{io::AsyncReadExt, time::Instant};

use self::{
    chunked::{ChunkPart, ChunkedDecoder},
    request::{RequestWriter, WriteBlocked, WriteStage},
    response::{Heads, ReceivedHead},
};
pub(super) use self::{
    connection::Http1Connection,
    idle_pool::{IdlePool, PoolSlot},
};
use super::{
    UpstreamTimeouts,
    error::FailureCause,
    framing::{InvalidFraming, ResponseFraming},
    head::{HeadForPeer, RequestHead},
    stream::UpgradedStream,
};
use crate::body::{Body, BodyError};

/// How much is read at a time, and how much once an upstream has more to say.
const READ: usize = 8 * 1024;
const READ_MOST: usize = 64 * 1024;

/// A response that is not HTTP, or more of it than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidResponse {
    Head(httparse::Error),
    TooLarge,
    Status,
    Field,
    Framing(InvalidFraming),
    Interim,
    Chunk,
    Trailers,
}

/// What a request came to.
#[derive(Debug)]
pub(super) enum ExchangeResult {
    Response(Response<Body>),
    /// The upstream has switched protocols.
    Switched(Response<Body>, UpgradedStream),
}

/// A request that got no response.
#[derive(Debug)]
pub(super) struct Http1SendError {
    pub(super) cause: FailureCause,
    /// Whether not a byte of it was written.
    pub(super) unsent: bool,
}

/// A request on its way and the response to it.
#[derive(Debug)]
struct Http1Exchange {
    link: Http1Connection,
    home: PoolSlot,
    outgoing: RequestWriter,
    /// What has been read and is not understood yet.
    read: Bytes,
    /// Where more is read to.
    room: BytesMut,
    /// How much is read at a time.
    appetite: usize,
    patience: ExchangeTimeouts,
    heads: Heads,
}

/// How long is waited for an upstream.
#[derive(Clone, Copy, Debug)]
struct ExchangeTimeouts {
    write: Duration,
    read: Duration,
}

/// The body of a response on its way in. Dropping it before its end closes the connection.
#[derive(Debug)]
struct Http1Download {
    /// None once the body has ended.
    exchange: Option<Http1Exchange>,
    ahead: BodyDecoder,
    keep_alive: bool,
    /// Since when nothing has come.
    waits_since: Option<Instant>,
}

/// What is still to come of a body.
#[derive(Debug)]
enum BodyDecoder {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

/// Sends a request over a connection that belongs to `home`, and waits for the head of the response. The connection
/// goes home as soon as the response has been read, or is closed if it cannot be used again.
pub(super) async fn send<H: RequestHead>(
    link: Http1Connection,
    home: PoolSlot,
    (said, body): (&HeadForPeer<'_, H>, Body),
    limits: &UpstreamTimeouts,
    now: Instant,
) -> Result<ExchangeResult, Http1SendError> {
    let mut exchange = Http1Exchange {
        link,
        home,
        outgoing: RequestWriter::new(said, body, now),
        read: Bytes::new(),
        room: BytesMut::new(),
        appetite: READ,
        patience: ExchangeTimeouts { write: limits.write, read: limits.read },
        heads: Heads::default(),
    };
    match poll_fn(|context| exchange.poll_head(said.head.method(), context)).await {
        Ok(head) => Ok(exchange.answer(head)),
        Err(cause) => Err(Http1SendError { cause, unsent: exchange.outgoing.is_unsent() }),
    }
}

impl Http1Exchange {
    /// Writes the request, as far as the upstream takes it, and reads the head of its final response.
    fn poll_head(
        &mut self,
        method: &Method,
        context: &mut Context<'_>,
    ) -> Poll<Result<ReceivedHead, FailureCause>> {
        // An upstream that takes no more may have said why.
        let obstacle = match self.outgoing.poll(&mut self.link.stream, context) {
            Poll::Ready(Err(WriteBlocked::Connection(error))) => Some(error),
            Poll::Ready(Err(WriteBlocked::Body(error))) => {
                return Poll::Ready(Err(FailureCause::RequestBody(error.into())));
            }
            Poll::Ready(Ok(())) | Poll::Pending => None,
        };
        loop {
            let (came, closed) = match self.poll_read(context) {
                Poll::Ready(Ok(0)) => (0, Some(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(came)) => (came, None),
                Poll::Ready(Err(error)) => (0, Some(error)),
                Poll::Pending if obstacle.is_some() => (0, Some(io::ErrorKind::BrokenPipe.into())),
                Poll::Pending => return self.poll_patience(context).map(Err),
            };
            if closed.is_some() {
                self.keep_read();
            }
            let head = self.heads.take(&mut self.read, came, method, closed.is_some());
            if let Some(head) = head.map_err(FailureCause::invalid)? {
                return Poll::Ready(Ok(head));
            }
            if let Some(closed) = closed {
                return Poll::Ready(Err(FailureCause::Closed(obstacle.unwrap_or(closed).into())));
            }
        }
    }

    /// Waits until whoever is to do something has had the time for it.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<FailureCause> {
        let (stage, since) = self.outgoing.pace();
        let (deadline, cause) = match stage {
            WriteStage::Upstream => (since + self.patience.write, FailureCause::WriteTimeout),
            WriteStage::Done => (since + self.patience.read, FailureCause::ReadTimeout),
            // The client's pace is the server's concern.
            WriteStage::Client => return Poll::Pending,
        };
        self.link.alarm.poll(deadline, context).map(|()| cause)
    }

    /// Reads some more; 0 at the end of the connection.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.read.is_empty() && self.room.is_empty() {
            // What is incomplete has to be in one piece.
            self.room = BytesMut::from(std::mem::take(&mut self.read));
        }
        let known = self.room.len();
        if self.room.capacity() - known < self.appetite / 2 {
            self.room.reserve(self.appetite);
        }
        let capacity = self.room.capacity();
        let came = ready!(pin!(self.link.stream.read_buf(&mut self.room)).poll(context))?;
        if self.room.len() == capacity {
            self.appetite = READ_MOST.min(self.appetite * 2);
        }
        self.read = self.room.split().freeze();
        Poll::Ready(Ok(came))
    }

    /// Takes what has been read back from where more was to be read to.
    fn keep_read(&mut self) {
        if self.read.is_empty() {
            self.read = self.room.split().freeze();
        }
    }

    /// Makes a response of what came.
    fn answer(mut self, head: ReceivedHead) -> ExchangeResult {
        let ReceivedHead { response, length, keep_alive } = head;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let switched = UpgradedStream::new(self.read, self.link.stream);
            return ExchangeResult::Switched(response.map(|()| Body::Empty), switched);
        }
        let ahead = match length {
            ResponseFraming::Known(length) => match usize::try_from(length) {
                Ok(length) if length <= self.read.len() => {
                    let body = Body::full(self.read.split_to(length));
                    self.end(keep_alive);
                    return ExchangeResult::Response(response.map(|()| body));
                }
                _ => BodyDecoder::Length(length),
            },
            ResponseFraming::Chunked => BodyDecoder::Chunked(ChunkedDecoder::default()),
            ResponseFraming::UntilClose => BodyDecoder::UntilClose,
        };
        let body = Http1Download { exchange: Some(self), ahead, keep_alive, waits_since: None };
        ExchangeResult::Response(response.map(|()| Body::boxed(body)))
    }

    /// Lets the connection go home, if it can be used again: nothing is left in it on either side.
    fn end(mut self, keep_alive: bool) {
        if !self.read.is_empty() {
            // They may be an answer to a request that was never made, and are not taken for one.
            let (place, excess) = (self.home.place(), self.read.len());
            tracing::warn!(
                "upstream {place} sent {excess} bytes after the end of its response; the connection is closed"
            );
        }
        if keep_alive && self.read.is_empty() && self.outgoing.is_done() {
            self.link.alarm.rest();
            self.link.served += 1;
            self.home.put(self.link);
        }
    }
}

impl Http1Download {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(Ok(None)) };
        match exchange.outgoing.poll(&mut exchange.link.stream, context) {
            Poll::Ready(Err(WriteBlocked::Body(error))) => return Poll::Ready(Err(error)),
            // It has answered already; there is no need to take the rest.
            Poll::Ready(Err(WriteBlocked::Connection(_))) => exchange.outgoing.give_up(),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        loop {
            if let Some(part) = self.ahead.take(&mut exchange.read).map_err(BodyError::connection)? {
                self.waits_since = None;
                return Poll::Ready(Ok(match part {
                    ChunkPart::Data(data) => Some(Frame::data(data)),
                    ChunkPart::Trailers(trailers) => Some(Frame::trailers(trailers)),
                    ChunkPart::End => None,
                }));
            }
            let Poll::Ready(came) = exchange.poll_read(context) else { break };
            if came.map_err(BodyError::connection)? == 0 {
                let whole = matches!(self.ahead, BodyDecoder::UntilClose);
                let broken = || BodyError::connection(io::Error::from(io::ErrorKind::UnexpectedEof));
                return Poll::Ready(if whole { Ok(None) } else { Err(broken()) });
            }
        }
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        exchange
            .link
            .alarm
            .poll(since + exchange.patience.read, context)
            .map(|()| Err(BodyError::ReadTimeout))
    }
}

impl BodyDecoder {
    /// Takes the next part from the front of what was read; none if more has to be read.
    fn take(&mut self, read: &mut Bytes) -> Result<Option<ChunkPart>, InvalidResponse> {
        match self {
            Self::Chunked(chunked) => chunked.take(read),
            Self::Length(0) => Ok(Some(ChunkPart::End)),
            _ if read.is_empty() => Ok(None),
            Self::UntilClose => Ok(Some(ChunkPart::Data(std::mem::take(read)))),
            Self::Length(left) => {
                let length = usize::try_from(*left).map_or(read.len(), |left| left.min(read.len()));
                *left -= length as u64;
                Ok(Some(ChunkPart::Data(read.split_to(length))))
            }
        }
    }

    /// Whether nothing more is to come.
    fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_done(),
            Self::UntilClose => false,
        }
    }
}

impl http_body::Body for Http1Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let part = ready!(self.poll_part(context));
        let ended = matches!(part, Ok(None)) || self.ahead.is_done();
        if part.is_err() {
            self.exchange = None;
        } else if let Some(exchange) = self.exchange.take_if(|_| ended) {
            exchange.end(self.keep_alive);
        }
        Poll::Ready(part.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.ahead {
            BodyDecoder::Length(left) => SizeHint::with_exact(left),
            BodyDecoder::Chunked(_) | BodyDecoder::UntilClose => SizeHint::default(),
        }
    }
}

impl From<InvalidFraming> for InvalidResponse {
    fn from(error: InvalidFraming) -> Self {
        Self::Framing(error)
    }
}

impl fmt::Display for InvalidResponse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Head(error) => return error.fmt(out),
            Self::TooLarge => "the head is too large",
            Self::Status => "the status is invalid",
            Self::Field => "a field is invalid",
            Self::Framing(error) => return error.fmt(out),
            Self::Interim => "there are too many interim responses",
            Self::Chunk => "a chunk is invalid",
            Self::Trailers => "the trailers are invalid",
        })
    }
}

impl Error for InvalidResponse {}
