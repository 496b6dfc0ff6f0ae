//! The bytes of a connection, between its socket or TLS and the HTTP library: how they tell what the client does, in
//! which words the library's own refusals go out, and (see `frames`) what is added to HTTP/2.
//!
//! hyper answers what it cannot read with a bare head (400, 414, 431). Such a head is known by its form, as no answer
//! of ours begins so, and the gateway's own answer goes out in its place.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    frames::{Frames, News, is_http2},
    session::Session,
};

/// How hyper's own refusals go on after the status.
const BARE: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\n";

/// A stream that is watched.
pub(super) struct Wire<S> {
    stream: S,
    session: Arc<Session>,
    speaks: Speaks,
    /// What came last was a request line in a version that nobody speaks.
    odd_version: bool,
    /// What goes out in place of the library's words, and how much of it is written.
    refusal: Option<(Vec<u8>, usize)>,
}

/// What a client speaks.
enum Speaks {
    /// So many bytes have come that begin HTTP/2.
    Unknown(usize),
    Http1,
    Http2(Box<Reading>),
}

/// HTTP/2 on its way in.
struct Reading {
    frames: Frames,
    /// What is passed on before anything else is read, and how much of it has been.
    ready: Vec<u8>,
    given: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, session: Arc<Session>) -> Self {
        Self { stream, session, speaks: Speaks::Unknown(0), odd_version: false, refusal: None }
    }

    /// Looks at bytes that have come, the last ones of `buffer`; false if none of them may be passed on yet.
    fn take_in(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let new = buffer.filled().get(before..).unwrap_or_default();
        if let Speaks::Unknown(seen) = self.speaks {
            match is_http2(seen, new) {
                Some(true) => self.speaks = Speaks::Http2(Box::new(Reading::after(seen))),
                Some(false) => self.speaks = Speaks::Http1,
                None => self.speaks = Speaks::Unknown(seen + new.len()),
            }
        }
        let pulse = &self.session.pulse;
        let Speaks::Http2(reading) = &mut self.speaks else {
            if pulse.received() {
                self.odd_version = is_of_odd_version(new);
            }
            return true;
        };
        let same = reading.frames.read(new, &mut reading.ready);
        match reading.frames.news() {
            Some(News::Begun) => pulse.begins(),
            Some(News::Settled) => pulse.settles(),
            None => {}
        }
        buffer.set_filled(before + same);
        reading.give(buffer) || same > 0
    }

    /// Writes our words; as soon as that is done, `length` bytes of the library's are done with.
    fn poll_refusal(&mut self, context: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some((words, written)) = &mut self.refusal {
            let rest = words.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                self.refusal = None;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => *written += more,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(length))
    }

    /// Whether our words go out in place of these.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.refusal.is_none()
            && let Some((status, date)) = bare_refusal(bytes)
        {
            let status = if self.odd_version { StatusCode::HTTP_VERSION_NOT_SUPPORTED } else { status };
            self.refusal = Some((self.session.refusal(status, date), 0));
        }
        self.refusal.is_some()
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        self.session.pulse.wrote(written.is_ready());
    }
}

impl Reading {
    fn after(preface: usize) -> Self {
        Self { frames: Frames::after(preface), ready: Vec::new(), given: 0 }
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

/// The status of a head that is hyper's own refusal, and the rest of its fields.
fn bare_refusal(bytes: &[u8]) -> Option<(StatusCode, &[u8])> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let status = StatusCode::from_bytes(rest.get(..3)?).ok()?;
    if !matches!(status.as_u16(), 400 | 414 | 431) {
        return None;
    }
    let line = rest.iter().position(|byte| *byte == b'\r')?;
    let fields = rest.get(line..)?.strip_prefix(BARE)?;
    let is_date_alone = fields.starts_with(b"date: ")
        && fields.strip_suffix(b"\r\n\r\n").is_some_and(|date| !date.contains(&b'\n'));
    (is_date_alone || fields == b"\r\n").then_some((status, fields))
}

/// Whether these bytes begin with the line of a request in another version than 1.0 and 1.1.
fn is_of_odd_version(bytes: &[u8]) -> bool {
    let line = bytes.iter().position(|byte| *byte == b'\n').and_then(|end| bytes.get(..end));
    let Some([.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]) = line.map(<[u8]>::trim_ascii_end)
    else {
        return false;
    };
    major.is_ascii_digit() && minor.is_ascii_digit() && !matches!((major, minor), (b'1', b'0' | b'1'))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Speaks::Http2(reading) = &mut self.speaks
            && reading.give(buffer)
        {
            return Poll::Ready(Ok(()));
        }
        loop {
            let before = buffer.filled().len();
            let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
            if buffer.filled().len() == before || self.take_in(buffer, before) {
                return polled;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return self.poll_refusal(context, bytes.len());
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.iter().find(|slice| !slice.is_empty())
            && self.replaces(first)
        {
            return self.poll_refusal(context, first.len());
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
            assert_eq!(found.map(|(status, _)| status.as_u16()), expected, "{text}");
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

    #[test]
    fn versions_other_than_one_are_odd() {
        for (text, odd) in [
            ("GET / HTTP/2.0\r\nHost: a\r\n", true),
            ("GET / HTTP/1.2\r\n", true),
            ("GET / HTTP/1.1\r\n", false),
            ("GET / HTTP/1.0\n", false),
            ("GET / HTTP/2.0", false),
            ("GET /\r\n", false),
        ] {
            assert_eq!(is_of_odd_version(text.as_bytes()), odd, "{text:?}");
        }
    }
}
