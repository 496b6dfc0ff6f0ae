//! Writer of a request: its head, then its body as it arrives, in as few writes as possible.

use std::{
    io::{self, IoSlice, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, HeaderName,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST,
        MAX_FORWARDS, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
    },
};
use http_body::Body as _;
use tokio::{io::AsyncWrite, time::Instant};

use crate::{
    body::{Body, BodyError},
    upstream::{
        framing::parse_decimal,
        head::{HeadForPeer, RequestHead},
        stream::UpstreamStream,
    },
};

/// Initial capacity for a head, in bytes; most heads fit in it.
const HEAD_CAPACITY: usize = 1024;

/// A request that is being written.
#[derive(Debug)]
pub(super) struct RequestWriter {
    /// Bytes before the piece: the head, the size of a chunk, trailers.
    lead: Vec<u8>,
    /// Number of those bytes that are written.
    written: usize,
    /// Data of the body.
    piece: Bytes,
    /// Bytes after the piece.
    tail: &'static [u8],
    body: Body,
    framing: RequestFraming,
    /// Trailers that the head announces; no other ones are sent.
    trailers: Vec<HeaderName>,
    stage: WriteStage,
    /// Time of the last write.
    last_write: Instant,
    /// Whether any byte is written.
    has_begun: bool,
    is_abandoned: bool,
}

/// Framing of the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestFraming {
    /// By length: the number of bytes that are left.
    Length(u64),
    Chunked,
    /// The body is complete.
    Ended,
}

/// What the writer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteStage {
    /// The upstream, to accept bytes.
    Upstream,
    /// The client, to send bytes.
    Client,
    /// Nothing: the request is written.
    Done,
}

/// Error of writing a request.
#[derive(Debug)]
pub(super) enum RequestWriteError {
    /// The body failed.
    Body(BodyError),
    /// The connection failed.
    Connection(io::Error),
}

impl RequestWriter {
    /// Prepares a request; write timeouts count from `now`.
    pub(super) fn new<H: RequestHead>(head: &HeadForPeer<'_, H>, body: Body, now: Instant) -> Self {
        let mut lead = Vec::with_capacity(HEAD_CAPACITY);
        let (framing, trailers) = write_head(&mut lead, head, &body);
        Self {
            lead,
            written: 0,
            piece: Bytes::new(),
            tail: b"",
            body,
            framing,
            trailers,
            stage: WriteStage::Upstream,
            last_write: now,
            has_begun: false,
            is_abandoned: false,
        }
    }

    /// Whether the request is written completely.
    pub(super) fn is_done(&self) -> bool {
        self.stage == WriteStage::Done && !self.is_abandoned
    }

    /// Whether no byte of the request is written.
    pub(super) const fn is_unsent(&self) -> bool {
        !self.has_begun
    }

    /// Stops writing. The request never counts as done then: nothing else may follow on this connection.
    pub(super) fn abandon(&mut self) {
        (self.stage, self.is_abandoned) = (WriteStage::Done, true);
    }

    /// What the writer waits for, and the time of the last write.
    pub(super) const fn progress(&self) -> (WriteStage, Instant) {
        (self.stage, self.last_write)
    }

    /// Writes what is available; ready when the request is complete.
    pub(super) fn poll(
        &mut self,
        stream: &mut UpstreamStream,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), RequestWriteError>> {
        while self.stage != WriteStage::Done {
            let waits_for_client =
                self.needs_piece() && self.poll_piece(context).map_err(RequestWriteError::Body)?.is_pending();
            self.stage = WriteStage::Upstream;
            ready!(self.poll_write(stream, context)).map_err(RequestWriteError::Connection)?;
            if waits_for_client {
                self.stage = WriteStage::Client;
                return Poll::Pending;
            }
            if self.framing == RequestFraming::Ended {
                self.stage = WriteStage::Done;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn needs_piece(&self) -> bool {
        self.framing != RequestFraming::Ended && self.piece.is_empty() && self.tail.is_empty()
    }

    /// Reads the next piece of the body.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(self.finish());
        };
        Poll::Ready(match frame?.into_data() {
            Ok(data) => self.push_data(data),
            Err(frame) => {
                frame.into_trailers().map_or(Ok(()), |trailers| self.finish_with_trailers(&trailers))
            }
        })
    }

    fn push_data(&mut self, mut data: Bytes) -> Result<(), BodyError> {
        match &mut self.framing {
            RequestFraming::Length(left) => {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
            }
            RequestFraming::Chunked if !data.is_empty() => {
                // Writing into memory cannot fail.
                let _ = write!(self.lead, "{:X}\r\n", data.len());
                self.tail = b"\r\n";
            }
            RequestFraming::Chunked | RequestFraming::Ended => {}
        }
        self.piece = data;
        if self.body.is_end_stream() { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), BodyError> {
        match std::mem::replace(&mut self.framing, RequestFraming::Ended) {
            RequestFraming::Length(1..) => {
                return Err(BodyError::Source("it is shorter than its Content-Length".into()));
            }
            RequestFraming::Chunked if self.tail.is_empty() => self.tail = b"0\r\n\r\n",
            RequestFraming::Chunked => self.tail = b"\r\n0\r\n\r\n",
            RequestFraming::Length(0) | RequestFraming::Ended => {}
        }
        Ok(())
    }

    fn finish_with_trailers(&mut self, trailers: &HeaderMap) -> Result<(), BodyError> {
        if self.framing != RequestFraming::Chunked {
            return self.finish();
        }
        self.lead.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.iter().filter(|(name, _)| self.trailers.contains(name)) {
            write_field(&mut self.lead, name.as_str(), value.as_bytes());
        }
        self.tail = b"\r\n";
        self.framing = RequestFraming::Ended;
        Ok(())
    }

    fn poll_write(&mut self, stream: &mut UpstreamStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let lead = self.lead.get(self.written..).unwrap_or_default();
            if lead.is_empty() && self.piece.is_empty() && self.tail.is_empty() {
                return Pin::new(stream).poll_flush(context);
            }
            let slices = [IoSlice::new(lead), IoSlice::new(&self.piece), IoSlice::new(self.tail)];
            let written = match slices {
                [lead, piece, tail] if piece.is_empty() && tail.is_empty() => {
                    ready!(Pin::new(&mut *stream).poll_write(context, &lead))?
                }
                _ => ready!(Pin::new(&mut *stream).poll_write_vectored(context, &slices))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // The first write follows the preparation at once: a look at the clock is saved.
            if self.has_begun {
                self.last_write = Instant::now();
            }
            self.has_begun = true;
            self.advance(written);
        }
    }

    fn advance(&mut self, written: usize) {
        let lead = written.min(self.lead.len() - self.written);
        self.written += lead;
        if self.written == self.lead.len() {
            self.lead.clear();
            self.written = 0;
        }
        let piece = (written - lead).min(self.piece.len());
        self.piece.advance(piece);
        self.tail = self.tail.get(written - lead - piece..).unwrap_or_default();
    }
}

/// Writes a head; returns the framing of the body (RFC 9112, section 6), and the trailers that may follow.
fn write_head<H: RequestHead>(
    out: &mut Vec<u8>,
    head: &HeadForPeer<'_, H>,
    body: &Body,
) -> (RequestFraming, Vec<HeaderName>) {
    out.extend_from_slice(head.head.method().as_str().as_bytes());
    let target = head.head.target();
    out.extend_from_slice(if target.starts_with(['/', '*']) { b" " } else { b" /" });
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let (mut announced, mut trailers) = (None, Vec::new());
    head.write_headers(&mut |name, value| match name {
        "content-length" => announced = announced.or_else(|| parse_decimal(value)),
        "transfer-encoding" => {}
        _ => {
            if name == "trailer" {
                trailers.extend(announced_trailers(value));
            }
            write_field(out, name, value);
        }
    });
    let ended = body.is_end_stream();
    let length = if ended { announced.map(|_| 0) } else { body.size_hint().exact().or(announced) };
    if let Some(length) = length {
        // Writing into memory cannot fail.
        let _ = write!(out, "content-length: {length}\r\n");
    } else if !ended {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let framing = match length {
        _ if ended => RequestFraming::Ended,
        Some(length) => RequestFraming::Length(length),
        None => RequestFraming::Chunked,
    };
    (framing, trailers)
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The trailers that a Trailer field announces, without those that are not allowed in trailers, as they decide how a
/// message is framed, routed or processed. (RFC 9110, section 6.5.1)
fn announced_trailers(trailer: &[u8]) -> impl Iterator<Item = HeaderName> {
    const FORBIDDEN: [HeaderName; 12] = [
        AUTHORIZATION,
        CACHE_CONTROL,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        CONTENT_TYPE,
        HOST,
        MAX_FORWARDS,
        SET_COOKIE,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
    ];
    let names = trailer.split(|byte| *byte == b',');
    names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !FORBIDDEN.contains(name))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::Request;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body of these frames, without a known length.
    struct FrameSequence(VecDeque<Frame<Bytes>>);

    impl http_body::Body for FrameSequence {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::default()
        }
    }

    fn pieces(texts: &[&'static str], trailers: &[(&'static str, &str)]) -> Body {
        let mut frames: VecDeque<_> =
            texts.iter().map(|text| Frame::data(Bytes::from_static(text.as_bytes()))).collect();
        let fields: HeaderMap =
            trailers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        frames.extend((!fields.is_empty()).then(|| Frame::trailers(fields)));
        Body::boxed(FrameSequence(frames))
    }

    /// Checks the bytes that are written to an upstream that accepts all of them.
    #[track_caller]
    fn check(method: &str, fields: &[(&str, &str)], body: Body, expected: &str) {
        let mut request = Request::builder().method(method).uri("/x?y");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let mut writer = RequestWriter::new(&HeadForPeer { head: &head, host: None }, body, Instant::now());
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut text = Vec::new();
        loop {
            if writer.needs_piece() {
                assert!(writer.poll_piece(&mut context).is_ready());
            }
            text.extend_from_slice(&writer.lead);
            text.extend_from_slice(&writer.piece);
            text.extend_from_slice(writer.tail);
            writer.advance(writer.lead.len() + writer.piece.len() + writer.tail.len());
            if writer.framing == RequestFraming::Ended {
                break;
            }
        }
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_body_is_framed_by_its_length_or_in_chunks() {
        let head = |method: &str, rest: &str| format!("{method} /x?y HTTP/1.1\r\n{rest}");
        check("GET", &[("host", "a")], Body::Empty, &head("GET", "host: a\r\n\r\n"));
        check("POST", &[("content-length", "0")], Body::Empty, &head("POST", "content-length: 0\r\n\r\n"));
        let fixed = head("POST", "content-length: 3\r\n\r\nabc");
        check("POST", &[], Body::full("abc"), &fixed);
        check("POST", &[("content-length", "3"), ("content-length", "3")], Body::full("abc"), &fixed);
        check("POST", &[("content-length", "9")], Body::full("abc"), &fixed);
        check("POST", &[("content-length", "3")], pieces(&["a", "bc"], &[]), &fixed);
        check("POST", &[("content-length", "3")], pieces(&["a", "bcd"], &[]), &fixed);
        let chunked = "transfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
        check("POST", &[], pieces(&["a", "", "bc"], &[]), &head("POST", chunked));
        check("GET", &[("transfer-encoding", "gzip")], pieces(&["a", "bc"], &[]), &head("GET", chunked));
    }

    #[test]
    fn announced_trailers_are_sent() {
        let fields = [("trailer", "X-Sum, Host"), ("trailer", "x-other")];
        let sent = pieces(&["a"], &[("x-sum", "1"), ("host", "evil"), ("x-secret", "2")]);
        let expected = "POST /x?y HTTP/1.1\r\ntrailer: X-Sum, Host\r\ntrailer: x-other\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n";
        check("POST", &fields, sent, expected);
    }

    #[test]
    fn a_body_that_is_shorter_than_its_content_length_is_an_error() {
        let (head, ()) = Request::post("/").header("content-length", "3").body(()).unwrap().into_parts();
        let mut writer = RequestWriter::new(
            &HeadForPeer { head: &head, host: None },
            pieces(&["ab"], &[]),
            Instant::now(),
        );
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(matches!(writer.poll_piece(&mut context), Poll::Ready(Ok(()))));
        writer.advance(writer.lead.len() + 2);
        assert!(matches!(writer.poll_piece(&mut context), Poll::Ready(Err(_))));
    }
}
