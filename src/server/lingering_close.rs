//! Lingering close of an HTTP/1.1 connection whose client may still be sending. (RFC 9112, section 9.6; nginx:
//! `lingering_close`)
//!
//! Closing a socket with unread bytes makes the system send a reset, and a client that gets a reset may lose the response
//! that it has not read yet. So the server sends all it has to send, shuts its direction down, and reads and discards
//! bytes for a while.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    runtime::Handle,
    time::timeout,
};

use super::session::ConnectionSession;
use crate::proxy::ShutdownStage;

/// Longest duration. (nginx: `lingering_time`)
pub(super) const MAX_TIME: Duration = Duration::from_secs(30);

/// Longest duration during a shutdown.
pub(super) const MAX_TIME_AT_SHUTDOWN: Duration = Duration::from_secs(1);

/// Longest pause of the client. (nginx: `lingering_timeout`)
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Most bytes that are discarded; nginx has no such bound.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// Bytes of one read.
const READ_BUFFER: usize = 16 << 10;

/// Closes a connection in a task of its own. `refusal` is the status of the response to a request that could not be read,
/// which is sent first.
pub(super) fn start<S>(stream: S, session: Arc<ConnectionSession>, refusal: Option<StatusCode>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Without a runtime the process ends, and with it all connections.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            let is_running = *session.connection.stage.borrow() == ShutdownStage::Running;
            let max_time = if is_running { MAX_TIME } else { MAX_TIME_AT_SHUTDOWN };
            let closing = timeout(max_time, close(stream, &session, refusal));
            tokio::select! {
                // Polled first, so that the response is sent in any case if the client takes it.
                biased;
                _ = closing => {}
                // Another connection needs the permit, or the process ends.
                _ = session.activity.wait_for_ending() => {}
            }
        });
    }
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    session: &ConnectionSession,
    refusal: Option<StatusCode>,
) {
    if let Some(status) = refusal {
        let response = session.unreadable_response(status);
        if stream.write_all(&response).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    // The direction may be shut down already.
    let _ = stream.shutdown().await;
    let mut buffer = vec![0; READ_BUFFER];
    let mut discarded = 0;
    while discarded < MAX_BYTES
        && let Ok(Ok(read @ 1..)) = timeout(MAX_PAUSE, stream.read(&mut buffer)).await
    {
        discarded += read;
    }
}
