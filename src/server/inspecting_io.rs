//! The bytes of a connection, between its socket or TLS and the HTTP library: how they tell what the client does, in
//! which words the library's own refusals go out, and (see `frames`) what is added to HTTP/2.
//!
//! hyper answers what it cannot read with a bare head (400, 414, 431), and closes the connection. Which bytes are such
//! an answer is not seen in them, as an upstream's may look the same, but in what came before: the library writes
//! while no request has been handed over that was not answered, and written, in full. Its head is thrown away, and the
//! gateway's own answer goes out when the library has let go of the connection (see `farewell`).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    farewell,
    h2_frames::{FrameReader, H2Event, is_http2},
    session::ConnectionSession,
};

/// How hyper's own refusals go on after the status.
const BARE: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\n";

/// A stream that is watched.
pub(super) struct InspectingIo<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// None once it is dropped.
    stream: Option<S>,
    session: Arc<ConnectionSession>,
    speaks: ClientProtocol,
    /// How many requests had been begun when all answers to them were written.
    written: u64,
    /// With which status the library has refused what it could not read.
    refused: Option<StatusCode>,
    /// Whether the library has ended our direction.
    has_ended: bool,
    /// Whether nothing more comes from the client.
    is_left: bool,
}

/// What a client speaks.
enum ClientProtocol {
    /// So many bytes have come that begin HTTP/2.
    Unknown(usize),
    Http1,
    Http2(Box<H2Reader>),
}

/// HTTP/2 on its way in.
struct H2Reader {
    frames: FrameReader,
    /// What is passed on before anything else is read, and how much of it has been.
    ready: Vec<u8>,
    given: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> InspectingIo<S> {
    pub(super) fn new(stream: S, session: Arc<ConnectionSession>) -> Self {
        Self {
            stream: Some(stream),
            session,
            speaks: ClientProtocol::Unknown(0),
            written: 0,
            refused: None,
            has_ended: false,
            is_left: false,
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Looks at bytes that have come, the last ones of `buffer`; false if none of them may be passed on yet.
    fn take_in(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let new = buffer.filled().get(before..).unwrap_or_default();
        if let ClientProtocol::Unknown(seen) = self.speaks {
            match is_http2(seen, new) {
                Some(true) => self.speaks = ClientProtocol::Http2(Box::new(H2Reader::after(seen))),
                Some(false) => self.speaks = ClientProtocol::Http1,
                None => self.speaks = ClientProtocol::Unknown(seen + new.len()),
            }
        }
        let pulse = &self.session.pulse;
        let ClientProtocol::Http2(reading) = &mut self.speaks else {
            pulse.received();
            return true;
        };
        let same = reading.frames.read(new, &mut reading.ready);
        match reading.frames.news() {
            Some(H2Event::Begun) => pulse.begins(),
            Some(H2Event::Settled) => pulse.settles(),
            None => {}
        }
        buffer.set_filled(before + same);
        reading.give(buffer) || same > 0
    }

    /// Whether these bytes, which the library is about to write, are a refusal of its own. They are not looked at unless
    /// they can be nothing else.
    fn is_refusal(&mut self, bytes: &[u8]) -> bool {
        if self.refused.is_none()
            && self.session.pulse.requests_at_rest() == Some(self.written)
            && !matches!(self.speaks, ClientProtocol::Http2(_))
            && !self.session.outgoing.is_tunnel()
        {
            self.refused = bare_refusal(bytes);
        }
        self.refused.is_some()
    }

    /// All that the library had to write has been written.
    fn flushed(&mut self, context: &Context<'_>) {
        if let Some(requests) = self.session.pulse.requests_at_rest() {
            self.written = requests;
        }
        if self.session.outgoing.flush.note() {
            context.waker().wake_by_ref();
        }
    }

    /// Whether the client may still be sending, or has sent what was not read.
    fn is_heard(&mut self) -> bool {
        if self.is_left {
            return false;
        }
        let mut byte = [0; 1];
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = ReadBuf::new(&mut byte);
        self.session.outgoing.uploads()
            || self.stream().is_ok_and(|stream| {
                matches!(stream.poll_read(&mut context, &mut buffer), Poll::Ready(Ok(())))
                    && !buffer.filled().is_empty()
            })
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        self.session.pulse.wrote(written.is_ready());
    }
}

impl H2Reader {
    fn after(preface: usize) -> Self {
        Self { frames: FrameReader::after(preface), ready: Vec::new(), given: 0 }
    }

    /// Passes on what is ready, as far as there is room; false if nothing is.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let part = rest.get(..rest.len().min(buffer.remaining())).unwrap_or_default();
        buffer.put_slice(part);
        self.given += part.len();
        let any = !part.is_empty();
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
        any
    }
}

/// The status of a head that is hyper's own refusal.
fn bare_refusal(bytes: &[u8]) -> Option<StatusCode> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let status = StatusCode::from_bytes(rest.get(..3)?).ok()?;
    if !matches!(status.as_u16(), 400 | 414 | 431) {
        return None;
    }
    let line = rest.iter().position(|byte| *byte == b'\r')?;
    let fields = rest.get(line..)?.strip_prefix(BARE)?;
    let is_date_alone = fields.starts_with(b"date: ")
        && fields.strip_suffix(b"\r\n\r\n").is_some_and(|date| !date.contains(&b'\n'));
    (is_date_alone || fields == b"\r\n").then_some(status)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for InspectingIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let ClientProtocol::Http2(reading) = &mut self.speaks
            && reading.give(buffer)
        {
            return Poll::Ready(Ok(()));
        }
        loop {
            let before = buffer.filled().len();
            let polled = self.stream()?.poll_read(context, buffer);
            if buffer.filled().len() == before {
                self.is_left |= polled.is_ready();
                return polled;
            }
            if self.take_in(buffer, before) {
                return polled;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for InspectingIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusal(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = self.stream()?.poll_write(context, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if first.is_some_and(|first| self.is_refusal(first)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = self.stream()?.poll_write_vectored(context, slices);
        self.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream()?.poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.flushed(context);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refused.is_some() {
            // There is something to say yet.
            return Poll::Ready(Ok(()));
        }
        self.has_ended = true;
        self.stream()?.poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(S::is_write_vectored)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for InspectingIo<S> {
    fn drop(&mut self) {
        let session = &self.session;
        if matches!(self.speaks, ClientProtocol::Http2(_))
            || session.pulse.is_cut()
            || session.abort.is_set()
            || session.outgoing.is_tunnel()
        {
            return;
        }
        let status = self.refused.map(|status| {
            if session.outgoing.is_of_odd_version() { StatusCode::HTTP_VERSION_NOT_SUPPORTED } else { status }
        });
        let is_ended = self.has_ended || session.outgoing.flush.is_done();
        if (status.is_some() || (is_ended && self.is_heard()))
            && let Some(stream) = self.stream.take()
        {
            farewell::begin(stream, Arc::clone(&self.session), status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_s_own_refusal_is_one() {
        let date = "date: Tue, 24 Nov 2026 19:00:00 GMT\r\n\r\n";
        let bare =
            |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n{date}");
        let check = |text: &str, expected: Option<u16>| {
            let found = bare_refusal(text.as_bytes());
            assert_eq!(found.map(|it| it.as_u16()), expected, "{text}");
        };
        check(&bare("400 Bad Request"), Some(400));
        check(&bare("414 URI Too Long"), Some(414));
        check(&bare("431 Request Header Fields Too Large"), Some(431));
        check(&bare("404 Not Found"), None);
        check(&bare("400 Bad Request").replace("date:", "server: a\r\ndate:"), None);
        check("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", None);
        check("HTTP/1.1 400", None);
        check("PRI * HTTP/2.0\r\n\r\n", None);
    }
}
