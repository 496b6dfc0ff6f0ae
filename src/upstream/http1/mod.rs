//! HTTP/1.1 client: one request and its response on one connection.
//!
//! A connection has no task of its own: the task of the request writes, reads and keeps the timeouts, so that nothing is
//! passed between tasks, and an idle connection is a socket and nothing else. hyper checks the messages of clients; those
//! of upstreams are checked here.
//!
//! | file | what it holds |
//! |---|---|
//! | [`request`] | writer of a request |
//! | [`response`] | reader of the head of a response |
//! | [`chunked`] | decoder of chunked bodies |
//! | [`connection`] | a connection |
//! | [`idle_pool`] | pool of idle connections |
//! | [`lazy_timer`] | timer for timeouts |

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
    request::{RequestWriteError, RequestWriter, WriteStage},
    response::{HeadReader, ReceivedHead},
};
pub(super) use self::{
    connection::{Http1Connection, Repeatability},
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

/// The first and the largest size of a read, in bytes. The size doubles while an upstream fills the buffer.
const MIN_READ: usize = 8 * 1024;
const MAX_READ: usize = 64 * 1024;

/// A response that is not valid HTTP, or exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidResponse {
    Head(httparse::Error),
    /// The head is larger than this number of bytes.
    TooLarge(usize),
    /// The head has more fields than this number.
    TooManyFields(usize),
    Status,
    Field,
    Framing(InvalidFraming),
    Interim,
    Chunk,
    Trailers,
}

/// Response to a request.
#[derive(Debug)]
pub(super) enum ExchangeResult {
    Response(Response<Body>),
    /// The upstream has switched protocols.
    Upgraded(Response<Body>, UpgradedStream),
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct Http1SendError {
    pub(super) cause: FailureCause,
    /// Whether no byte of it was written.
    pub(super) unsent: bool,
}

/// A request that is being written, and the response that is being read.
#[derive(Debug)]
struct Http1Exchange {
    connection: Http1Connection,
    slot: PoolSlot,
    writer: RequestWriter,
    /// Bytes that were read and are not parsed yet.
    read: Bytes,
    /// Buffer for the next read.
    buffer: BytesMut,
    /// Size of a read, in bytes.
    read_size: usize,
    timeouts: ExchangeTimeouts,
    heads: HeadReader,
}

/// Timeouts of an exchange.
#[derive(Clone, Copy, Debug)]
struct ExchangeTimeouts {
    write: Duration,
    read: Duration,
}

/// Body of a response. Dropping it before its end closes the connection.
#[derive(Debug)]
struct Http1Download {
    /// `None` once the body has ended.
    exchange: Option<Http1Exchange>,
    decoder: BodyDecoder,
    keep_alive: bool,
    /// Start of the current pause, if the last poll was pending.
    idle_since: Option<Instant>,
}

/// Decoder of the rest of a body.
#[derive(Debug)]
enum BodyDecoder {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

/// Sends a request over a connection and waits for the head of the response. The connection returns to `slot` as soon as
/// the response has been read, or is closed if it cannot be used again.
pub(super) async fn send<H: RequestHead>(
    connection: Http1Connection,
    slot: PoolSlot,
    (head, body): (&HeadForPeer<'_, H>, Body),
    limits: &UpstreamTimeouts,
    now: Instant,
) -> Result<ExchangeResult, Http1SendError> {
    let heads = HeadReader::new(slot.head_bounds());
    let mut exchange = Http1Exchange {
        connection,
        slot,
        writer: RequestWriter::new(head, body, now),
        read: Bytes::new(),
        buffer: BytesMut::new(),
        read_size: MIN_READ,
        timeouts: ExchangeTimeouts { write: limits.write, read: limits.read },
        heads,
    };
    match poll_fn(|context| exchange.poll_head(head.head.method(), context)).await {
        Ok(received) => Ok(exchange.into_result(received)),
        Err(cause) => Err(Http1SendError { cause, unsent: exchange.writer.is_unsent() }),
    }
}

impl Http1Exchange {
    /// Writes as much of the request as the upstream accepts, and reads the head of the final response.
    fn poll_head(
        &mut self,
        method: &Method,
        context: &mut Context<'_>,
    ) -> Poll<Result<ReceivedHead, FailureCause>> {
        // An upstream that accepts no more may have sent a response that explains it.
        let write_error = match self.writer.poll(&mut self.connection.stream, context) {
            Poll::Ready(Err(RequestWriteError::Connection(error))) => Some(error),
            Poll::Ready(Err(RequestWriteError::Body(error))) => {
                return Poll::Ready(Err(FailureCause::RequestBody(error.into())));
            }
            Poll::Ready(Ok(())) | Poll::Pending => None,
        };
        loop {
            let (received, closed) = match self.poll_read(context) {
                Poll::Ready(Ok(0)) => (0, Some(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(received)) => (received, None),
                Poll::Ready(Err(error)) => (0, Some(error)),
                Poll::Pending if write_error.is_some() => (0, Some(io::ErrorKind::BrokenPipe.into())),
                Poll::Pending => return self.poll_timeout(context).map(Err),
            };
            if closed.is_some() {
                self.restore_read();
            }
            let head = self.heads.take(&mut self.read, received, method, closed.is_some());
            if let Some(head) = head.map_err(FailureCause::invalid)? {
                return Poll::Ready(Ok(head));
            }
            if let Some(closed) = closed {
                return Poll::Ready(Err(FailureCause::Closed(write_error.unwrap_or(closed).into())));
            }
        }
    }

    /// Waits until the write or the read timeout has passed.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<FailureCause> {
        let (stage, since) = self.writer.progress();
        let (deadline, cause) = match stage {
            WriteStage::Upstream => (since + self.timeouts.write, FailureCause::WriteTimeout),
            WriteStage::Done => (since + self.timeouts.read, FailureCause::ReadTimeout),
            // The server limits the pauses of the client.
            WriteStage::Client => return Poll::Pending,
        };
        self.connection.timer.poll(deadline, context).map(|()| cause)
    }

    /// Reads more bytes; returns their number, 0 at the end of the connection.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.read.is_empty() && self.buffer.is_empty() {
            // An incomplete part has to be contiguous.
            self.buffer = BytesMut::from(std::mem::take(&mut self.read));
        }
        let known = self.buffer.len();
        if self.buffer.capacity() - known < self.read_size / 2 {
            self.buffer.reserve(self.read_size);
        }
        let capacity = self.buffer.capacity();
        let received = ready!(pin!(self.connection.stream.read_buf(&mut self.buffer)).poll(context))?;
        if self.buffer.len() == capacity {
            self.read_size = MAX_READ.min(self.read_size * 2);
        }
        self.read = self.buffer.split().freeze();
        Poll::Ready(Ok(received))
    }

    /// Moves unparsed bytes back from the buffer for the next read.
    fn restore_read(&mut self) {
        if self.read.is_empty() {
            self.read = self.buffer.split().freeze();
        }
    }

    /// Makes the response of its head.
    fn into_result(mut self, head: ReceivedHead) -> ExchangeResult {
        let ReceivedHead { response, length, keep_alive, safe_idle_time } = head;
        self.connection.safe_idle_time = safe_idle_time;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let stream = UpgradedStream::new(self.read, self.connection.stream);
            return ExchangeResult::Upgraded(response.map(|()| Body::Empty), stream);
        }
        let decoder = match length {
            ResponseFraming::Known(length) => match usize::try_from(length) {
                Ok(length) if length <= self.read.len() => {
                    let body = Body::full(self.read.split_to(length));
                    self.finish(keep_alive);
                    return ExchangeResult::Response(response.map(|()| body));
                }
                _ => BodyDecoder::Length(length),
            },
            ResponseFraming::Chunked => BodyDecoder::Chunked(ChunkedDecoder::default()),
            ResponseFraming::UntilClose => BodyDecoder::UntilClose,
        };
        let body = Http1Download { exchange: Some(self), decoder, keep_alive, idle_since: None };
        ExchangeResult::Response(response.map(|()| Body::boxed(body)))
    }

    /// Returns the connection to the pool if it can be used again: both messages are complete, and nothing follows.
    fn finish(mut self, keep_alive: bool) {
        if !self.read.is_empty() {
            // They may be a response to a request that was never sent, and must not answer the next one.
            let (origin, excess) = (self.slot.origin(), self.read.len());
            tracing::warn!(
                "upstream {origin} sent {excess} bytes after the end of its response; the connection is closed"
            );
        }
        if keep_alive && self.read.is_empty() && self.writer.is_done() {
            self.connection.timer.clear_waker();
            self.connection.served += 1;
            self.slot.release(self.connection);
        }
    }
}

impl Http1Download {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(Ok(None)) };
        match exchange.writer.poll(&mut exchange.connection.stream, context) {
            Poll::Ready(Err(RequestWriteError::Body(error))) => return Poll::Ready(Err(error)),
            // The upstream has answered already, and need not read the rest.
            Poll::Ready(Err(RequestWriteError::Connection(_))) => exchange.writer.abandon(),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        loop {
            if let Some(part) = self.decoder.take(&mut exchange.read).map_err(BodyError::connection)? {
                self.idle_since = None;
                return Poll::Ready(Ok(match part {
                    ChunkPart::Data(data) => Some(Frame::data(data)),
                    ChunkPart::Trailers(trailers) => Some(Frame::trailers(trailers)),
                    ChunkPart::End => None,
                }));
            }
            let Poll::Ready(received) = exchange.poll_read(context) else { break };
            if received.map_err(BodyError::connection)? == 0 {
                let is_complete = matches!(self.decoder, BodyDecoder::UntilClose);
                let incomplete = || BodyError::connection(io::Error::from(io::ErrorKind::UnexpectedEof));
                return Poll::Ready(if is_complete { Ok(None) } else { Err(incomplete()) });
            }
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        exchange
            .connection
            .timer
            .poll(since + exchange.timeouts.read, context)
            .map(|()| Err(BodyError::ReadTimeout))
    }
}

impl BodyDecoder {
    /// Takes the next part from the front of the bytes that were read; `None` if more has to be read.
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

    /// Whether the body is complete.
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
        let part = ready!(self.poll_next(context));
        let ended = matches!(part, Ok(None)) || self.decoder.is_done();
        if part.is_err() {
            self.exchange = None;
        } else if let Some(exchange) = self.exchange.take_if(|_| ended) {
            exchange.finish(self.keep_alive);
        }
        Poll::Ready(part.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.decoder {
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
            Self::TooLarge(bytes) => {
                return write!(
                    out,
                    "its head is larger than {bytes} bytes, the bound of nginx_proxy_proxy_buffer_size \
                     (KONG_NGINX_PROXY_PROXY_BUFFER_SIZE)"
                );
            }
            Self::TooManyFields(fields) => {
                return write!(
                    out,
                    "it has more than {fields} header fields, the bound of max_response_headers \
                     (KONG_MAX_RESPONSE_HEADERS)"
                );
            }
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
