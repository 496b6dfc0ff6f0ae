//! Client socket that can be aborted: its peer gets a TCP reset instead of an orderly close.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// TCP stream that is reset when dropped, if its [`AbortHandle`] is set.
#[derive(Debug)]
pub(super) struct ClientSocket {
    stream: TcpStream,
    abort: AbortHandle,
}

/// Handle that makes a stream end with a reset.
#[derive(Clone, Debug, Default)]
pub(super) struct AbortHandle(Arc<AtomicBool>);

/// Error that makes hyper drop a connection without a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct AbortedError;

/// A stream that `abort` can reset.
pub(super) fn abortable(stream: TcpStream, abort: AbortHandle) -> ClientSocket {
    ClientSocket { stream, abort }
}

impl AbortHandle {
    /// Lets the stream be reset when it is dropped.
    pub(super) fn abort(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the stream will be reset.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        if self.abort.0.load(Relaxed) {
            // If it fails, the stream closes in an orderly way, but still without a response.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl fmt::Display for AbortedError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the connection is reset instead of a response")
    }
}

impl std::error::Error for AbortedError {}
