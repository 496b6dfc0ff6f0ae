//! The end of a connection of HTTP/1.1 that the gateway closes while its client may still be sending.
//!
//! Closing a socket in which bytes are left unread makes the system send a reset, and a client that gets one may lose
//! the answer that it has not read yet. So the gateway says all that it has to say, ends its own direction, and goes
//! on reading for a while; what it reads is thrown away. (RFC 9112, section 9.6; nginx: `lingering_close`)

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    runtime::Handle,
    time::timeout,
};

use super::session::ConnectionSession;
use crate::proxy::ShutdownStage;

/// How long it takes at most. (nginx: `lingering_time`)
const LONGEST: Duration = Duration::from_secs(30);

/// The same when the process is ending.
const LONGEST_AT_THE_END: Duration = Duration::from_secs(1);

/// How long a client may pause. (nginx: `lingering_timeout`)
const PAUSE: Duration = Duration::from_secs(5);

/// How many bytes are thrown away at most; nginx has no such bound.
const MOST: usize = 64 << 20;

/// How much is read at a time.
const READ: usize = 16 << 10;

/// Ends a connection in a task of its own; before that, `refusal` is the answer to what could not be read.
pub(super) fn begin<S>(stream: S, session: Arc<ConnectionSession>, refusal: Option<StatusCode>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Without a runtime the process is ending, and all connections with it.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            let is_open = *session.connection.stage.borrow() == ShutdownStage::Open;
            let longest = if is_open { LONGEST } else { LONGEST_AT_THE_END };
            let farewell = timeout(longest, say(stream, &session, refusal));
            tokio::select! {
                // What there is to say is said in any case, if the client takes it.
                biased;
                _ = farewell => {}
                // It has to make room, or the process ends.
                _ = session.pulse.ending() => {}
            }
        });
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    session: &ConnectionSession,
    refusal: Option<StatusCode>,
) {
    if let Some(status) = refusal {
        let words = session.refusal(status);
        if stream.write_all(&words).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    // It may have been done already.
    let _ = stream.shutdown().await;
    let mut buffer = vec![0; READ];
    let mut thrown_away = 0;
    while thrown_away < MOST
        && let Ok(Ok(read @ 1..)) = timeout(PAUSE, stream.read(&mut buffer)).await
    {
        thrown_away += read;
    }
}
