//! A request on its way out: its head, then its body as it comes, in as few writes as can be.

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
        framing::decimal,
        head::{HeadForPeer, RequestHead},
        stream::UpstreamStream,
    },
};

/// What most heads have room in.
const HEAD: usize = 1024;

/// A request on its way out.
#[derive(Debug)]
pub(super) struct RequestWriter {
    /// What comes before the piece: the head, the size of a chunk, trailers.
    lead: Vec<u8>,
    /// How much of that is written.
    written: usize,
    piece: Bytes,
    /// What comes after it.
    tail: &'static [u8],
    body: Body,
    framing: RequestFraming,
    /// Trailers that the head announced: no other ones are sent.
    trailers: Vec<HeaderName>,
    stage: WriteStage,
    /// When something was written last.
    step: Instant,
    /// Whether any byte is written.
    begun: bool,
    given_up: bool,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestFraming {
    /// By its length; so much is left.
    Length(u64),
    Chunked,
    /// All of it has come.
    Ended,
}

/// What a request on its way waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteStage {
    /// The upstream is to take bytes.
    Upstream,
    /// The client is to send them.
    Client,
    /// Nothing: all of it is written.
    Done,
}

/// Why a request cannot be written.
#[derive(Debug)]
pub(super) enum WriteBlocked {
    /// The body broke off.
    Body(BodyError),
    /// The connection takes no more.
    Connection(io::Error),
}

impl RequestWriter {
    /// Prepares a request, to be written from now on.
    pub(super) fn new<H: RequestHead>(said: &HeadForPeer<'_, H>, body: Body, now: Instant) -> Self {
        let mut lead = Vec::with_capacity(HEAD);
        let (framing, trailers) = write_head(&mut lead, said, &body);
        Self {
            lead,
            written: 0,
            piece: Bytes::new(),
            tail: b"",
            body,
            framing,
            trailers,
            stage: WriteStage::Upstream,
            step: now,
            begun: false,
            given_up: false,
        }
    }

    /// Whether all of it is written.
    pub(super) fn is_done(&self) -> bool {
        self.stage == WriteStage::Done && !self.given_up
    }

    /// Whether not a byte of it is written.
    pub(super) const fn is_unsent(&self) -> bool {
        !self.begun
    }

    /// Leaves out what is not written yet. It is never done, then: nothing else may follow on this connection.
    pub(super) fn give_up(&mut self) {
        (self.stage, self.given_up) = (WriteStage::Done, true);
    }

    /// What it waits for, and since when.
    pub(super) const fn pace(&self) -> (WriteStage, Instant) {
        (self.stage, self.step)
    }

    /// Writes what there is; ready when nothing more is to come.
    pub(super) fn poll(
        &mut self,
        stream: &mut UpstreamStream,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), WriteBlocked>> {
        while self.stage != WriteStage::Done {
            let waits =
                self.needs_piece() && self.poll_piece(context).map_err(WriteBlocked::Body)?.is_pending();
            self.stage = WriteStage::Upstream;
            ready!(self.poll_write(stream, context)).map_err(WriteBlocked::Connection)?;
            if waits {
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

    /// Takes the next piece of the body.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(self.end());
        };
        Poll::Ready(match frame?.into_data() {
            Ok(data) => self.put(data),
            Err(frame) => frame.into_trailers().map_or(Ok(()), |trailers| self.end_with(&trailers)),
        })
    }

    fn put(&mut self, mut data: Bytes) -> Result<(), BodyError> {
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
        if self.body.is_end_stream() { self.end() } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), BodyError> {
        match std::mem::replace(&mut self.framing, RequestFraming::Ended) {
            RequestFraming::Length(1..) => {
                return Err(BodyError::Source("it is shorter than it says".into()));
            }
            RequestFraming::Chunked if self.tail.is_empty() => self.tail = b"0\r\n\r\n",
            RequestFraming::Chunked => self.tail = b"\r\n0\r\n\r\n",
            RequestFraming::Length(0) | RequestFraming::Ended => {}
        }
        Ok(())
    }

    fn end_with(&mut self, trailers: &HeaderMap) -> Result<(), BodyError> {
        if self.framing != RequestFraming::Chunked {
            return self.end();
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
            if self.begun {
                self.step = Instant::now();
            }
            self.begun = true;
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

/// Writes a head; says how the body is to be framed (RFC 9112, section 6), and which trailers may follow.
fn write_head<H: RequestHead>(
    into: &mut Vec<u8>,
    said: &HeadForPeer<'_, H>,
    body: &Body,
) -> (RequestFraming, Vec<HeaderName>) {
    into.extend_from_slice(said.head.method().as_str().as_bytes());
    let target = said.head.target();
    into.extend_from_slice(if target.starts_with(['/', '*']) { b" " } else { b" /" });
    into.extend_from_slice(target.as_bytes());
    into.extend_from_slice(b" HTTP/1.1\r\n");
    let (mut announced, mut trailers) = (None, Vec::new());
    said.write_headers(&mut |name, value| match name {
        "content-length" => announced = announced.or_else(|| decimal(value)),
        "transfer-encoding" => {}
        _ => {
            if name == "trailer" {
                trailers.extend(names(value));
            }
            write_field(into, name, value);
        }
    });
    let ended = body.is_end_stream();
    let length = if ended { announced.map(|_| 0) } else { body.size_hint().exact().or(announced) };
    if let Some(length) = length {
        // Writing into memory cannot fail.
        let _ = write!(into, "content-length: {length}\r\n");
    } else if !ended {
        into.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    into.extend_from_slice(b"\r\n");
    let framing = match length {
        _ if ended => RequestFraming::Ended,
        Some(length) => RequestFraming::Length(length),
        None => RequestFraming::Chunked,
    };
    (framing, trailers)
}

fn write_field(into: &mut Vec<u8>, name: &str, value: &[u8]) {
    into.reserve(name.len() + value.len() + 4);
    into.extend_from_slice(name.as_bytes());
    into.extend_from_slice(b": ");
    into.extend_from_slice(value);
    into.extend_from_slice(b"\r\n");
}

/// The trailers that a head announces, but for those that say how a message is to be read.
/// (RFC 9110, section 6.5.1)
fn names(trailer: &[u8]) -> impl Iterator<Item = HeaderName> {
    const NEVER: [HeaderName; 12] = [
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
        .filter(|name| !NEVER.contains(name))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::Request;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body that comes in these frames, whose length nobody knows.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl http_body::Body for Pieces {
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
        Body::boxed(Pieces(frames))
    }

    /// Checks what is written of a request to an upstream that takes all of it.
    #[track_caller]
    fn check(method: &str, fields: &[(&str, &str)], body: Body, expected: &str) {
        let mut request = Request::builder().method(method).uri("/x?y");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let mut outgoing = RequestWriter::new(&HeadForPeer { head: &head, host: None }, body, Instant::now());
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut text = Vec::new();
        loop {
            if outgoing.needs_piece() {
                assert!(outgoing.poll_piece(&mut context).is_ready());
            }
            text.extend_from_slice(&outgoing.lead);
            text.extend_from_slice(&outgoing.piece);
            text.extend_from_slice(outgoing.tail);
            outgoing.advance(outgoing.lead.len() + outgoing.piece.len() + outgoing.tail.len());
            if outgoing.framing == RequestFraming::Ended {
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
    fn trailers_go_if_they_were_announced() {
        let fields = [("trailer", "X-Sum, Host"), ("trailer", "x-other")];
        let sent = pieces(&["a"], &[("x-sum", "1"), ("host", "evil"), ("x-secret", "2")]);
        let expected = "POST /x?y HTTP/1.1\r\ntrailer: X-Sum, Host\r\ntrailer: x-other\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n";
        check("POST", &fields, sent, expected);
    }

    #[test]
    fn a_body_that_is_shorter_than_it_says_is_no_body() {
        let (head, ()) = Request::post("/").header("content-length", "3").body(()).unwrap().into_parts();
        let mut outgoing = RequestWriter::new(
            &HeadForPeer { head: &head, host: None },
            pieces(&["ab"], &[]),
            Instant::now(),
        );
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(matches!(outgoing.poll_piece(&mut context), Poll::Ready(Ok(()))));
        outgoing.advance(outgoing.lead.len() + 2);
        assert!(matches!(outgoing.poll_piece(&mut context), Poll::Ready(Err(_))));
    }
}
