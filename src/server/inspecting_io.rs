//! Stream of a client connection, between its socket or TLS and hyper: records the client's activity, replaces hyper's own
//! error responses by the gateway's, and adds the marker to HTTP/2 trailers (see `h2_frames`).
//!
//! hyper answers a request that it cannot parse with a bare head (400, 414, 431), and closes the connection. The bytes alone
//! do not identify such a response, because one of an upstream may be equal. The state does: hyper writes although all
//! requests so far have been answered and flushed. The head is discarded, and the gateway's own response is sent when
//! hyper has dropped the connection (see `lingering_close`).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    h2_frames::{FrameReader, H2Event, is_http2},
    lingering_close,
    session::ConnectionSession,
};

/// The head of hyper's own error responses after the status line.
const BARE_HEAD: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\n";

/// Stream of a client connection.
pub(super) struct InspectingIo<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// `None` once it is moved out, when the connection is dropped.
    stream: Option<S>,
    session: Arc<ConnectionSession>,
    protocol: ClientProtocol,
    /// Number of requests whose responses have been flushed.
    flushed_requests: u64,
    /// Status with which hyper has rejected a request that it could not parse.
    rejected: Option<StatusCode>,
    /// Whether hyper has shut our direction down.
    is_shut_down: bool,
    /// Whether the client has closed its direction.
    is_eof: bool,
}

/// Protocol of a client.
enum ClientProtocol {
    /// Not known yet: only this number of bytes of the HTTP/2 preface has come.
    Unknown(usize),
    Http1,
    Http2(Box<H2Reader>),
}

/// Input of an HTTP/2 connection.
struct H2Reader {
    frames: FrameReader,
    /// Rewritten bytes, which hyper gets before anything else is read, and how many of them it has got.
    rewritten: Vec<u8>,
    delivered: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> InspectingIo<S> {
    /// Inspects a stream. `is_http2` says that the protocol is already known to be HTTP/2.
    pub(super) fn new(stream: S, session: Arc<ConnectionSession>, is_http2: bool) -> Self {
        Self {
            stream: Some(stream),
            session,
            protocol: if is_http2 {
                ClientProtocol::Http2(Box::new(H2Reader::after(0)))
            } else {
                ClientProtocol::Unknown(0)
            },
            flushed_requests: 0,
            rejected: None,
            is_shut_down: false,
            is_eof: false,
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Inspects received bytes, which follow `before` in `buffer`; returns false if none of them may be delivered yet.
    fn inspect(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let new = buffer.filled().get(before..).unwrap_or_default();
        if let ClientProtocol::Unknown(received) = self.protocol {
            match is_http2(received, new) {
                Some(true) => self.protocol = ClientProtocol::Http2(Box::new(H2Reader::after(received))),
                Some(false) => self.protocol = ClientProtocol::Http1,
                None => self.protocol = ClientProtocol::Unknown(received + new.len()),
            }
        }
        let activity = &self.session.activity;
        let ClientProtocol::Http2(reader) = &mut self.protocol else {
            activity.record_bytes();
            return true;
        };
        let unchanged = reader.frames.read(new, &mut reader.rewritten);
        match reader.frames.take_event() {
            Some(H2Event::HeadBegun) => activity.begin_head(),
            Some(H2Event::HeadFinished) => activity.finish_head(),
            None => {}
        }
        buffer.set_filled(before + unchanged);
        reader.deliver(buffer) || unchanged > 0
    }

    /// Whether these bytes, which hyper is about to write, are an error response of its own. The bytes are compared only
    /// where the state allows no other meaning.
    fn is_hyper_error(&mut self, bytes: &[u8]) -> bool {
        if self.rejected.is_none()
            && self.session.activity.answered_requests() == Some(self.flushed_requests)
            && !matches!(self.protocol, ClientProtocol::Http2(_))
            && !self.session.output.is_tunnel()
        {
            self.rejected = parse_bare_error(bytes);
        }
        self.rejected.is_some()
    }

    /// Records that everything has been written.
    fn record_flush(&mut self, context: &Context<'_>) {
        if let Some(requests) = self.session.activity.answered_requests() {
            self.flushed_requests = requests;
        }
        if self.session.output.flush.record_flush() {
            context.waker().wake_by_ref();
        }
    }

    /// Whether the client may still be sending, or has sent bytes that are not read.
    fn has_unread_input(&mut self) -> bool {
        if self.is_eof {
            return false;
        }
        let mut byte = [0; 1];
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = ReadBuf::new(&mut byte);
        self.session.output.has_upload()
            || self.stream().is_ok_and(|stream| {
                matches!(stream.poll_read(&mut context, &mut buffer), Poll::Ready(Ok(())))
                    && !buffer.filled().is_empty()
            })
    }

    fn record_write(&self, written: &Poll<io::Result<usize>>) {
        self.session.activity.record_write(written.is_ready());
    }
}

impl H2Reader {
    fn after(preface: usize) -> Self {
        Self { frames: FrameReader::after(preface), rewritten: Vec::new(), delivered: 0 }
    }

    /// Delivers rewritten bytes, as far as there is space; returns false if there are none.
    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.rewritten.get(self.delivered..).unwrap_or_default();
        let part = rest.get(..rest.len().min(buffer.remaining())).unwrap_or_default();
        buffer.put_slice(part);
        self.delivered += part.len();
        let has_delivered = !part.is_empty();
        if self.delivered == self.rewritten.len() {
            self.rewritten.clear();
            self.delivered = 0;
        }
        has_delivered
    }
}

/// Status of a head that has the form of hyper's own error responses.
fn parse_bare_error(bytes: &[u8]) -> Option<StatusCode> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let status = StatusCode::from_bytes(rest.get(..3)?).ok()?;
    if !matches!(status.as_u16(), 400 | 414 | 431) {
        return None;
    }
    let line = rest.iter().position(|byte| *byte == b'\r')?;
    let fields = rest.get(line..)?.strip_prefix(BARE_HEAD)?;
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
        if let ClientProtocol::Http2(reader) = &mut self.protocol
            && reader.deliver(buffer)
        {
            return Poll::Ready(Ok(()));
        }
        loop {
            let before = buffer.filled().len();
            let polled = self.stream()?.poll_read(context, buffer);
            if buffer.filled().len() == before {
                self.is_eof |= polled.is_ready();
                return polled;
            }
            if self.inspect(buffer, before) {
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
        if self.is_hyper_error(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = self.stream()?.poll_write(context, bytes);
        self.record_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if first.is_some_and(|first| self.is_hyper_error(first)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = self.stream()?.poll_write_vectored(context, slices);
        self.record_write(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream()?.poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.record_flush(context);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.rejected.is_some() {
            // The gateway's own response follows.
            return Poll::Ready(Ok(()));
        }
        self.is_shut_down = true;
        self.stream()?.poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(S::is_write_vectored)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for InspectingIo<S> {
    fn drop(&mut self) {
        let session = &self.session;
        if matches!(self.protocol, ClientProtocol::Http2(_))
            || session.activity.ends_immediately()
            || session.abort.is_set()
            || session.output.is_tunnel()
        {
            return;
        }
        let status = self.rejected.map(|status| {
            if session.output.has_unsupported_version() {
                StatusCode::HTTP_VERSION_NOT_SUPPORTED
            } else {
                status
            }
        });
        let is_finished = self.is_shut_down || session.output.flush.is_done();
        if (status.is_some() || (is_finished && self.has_unread_input()))
            && let Some(stream) = self.stream.take()
        {
            lingering_close::start(stream, Arc::clone(&self.session), status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyper_s_own_error_is_recognized() {
        let date = "date: Tue, 24 Nov 2026 19:00:00 GMT\r\n\r\n";
        let bare =
            |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n{date}");
        let check = |text: &str, expected: Option<u16>| {
            let status = parse_bare_error(text.as_bytes());
            assert_eq!(status.map(|status| status.as_u16()), expected, "{text}");
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
