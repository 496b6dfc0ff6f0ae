//! Body of an HTTP/2 request whose rest is read and discarded after an early response.
//!
//! A response that ends before the request does leaves the stream half open. A reset at once, which RFC 9113 (section 8.1)
//! allows, makes several clients lose the response that they have already received, such as curl 7.88. So the client may
//! end its request, within bounds; only then the stream is reset with `NO_ERROR`. It is the equivalent of `lingering_close`,
//! and it has the same bounds.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{sleep, timeout},
};

use super::lingering_close::{MAX_BYTES, MAX_PAUSE, MAX_TIME, MAX_TIME_AT_SHUTDOWN};
use crate::{
    body::{Body, BodyError},
    proxy::ShutdownStage,
};

/// Body of a request. If it is dropped before its end, a task reads the rest.
struct DrainedBody {
    /// `None` once it has ended or failed.
    incoming: Option<Incoming>,
    stage: watch::Receiver<ShutdownStage>,
}

/// Wraps the body of an HTTP/2 request. `stage` is the stage of the listener, whose shutdown shortens the draining.
pub(super) fn drained(incoming: Incoming, stage: &watch::Receiver<ShutdownStage>) -> Body {
    if incoming.is_end_stream() {
        return Body::Empty;
    }
    Body::boxed(DrainedBody { incoming: Some(incoming), stage: stage.clone() })
}

impl hyper::body::Body for DrainedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        polled.map_err(BodyError::connection)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for DrainedBody {
    fn drop(&mut self) {
        // Without a runtime the process ends, and with it all connections.
        if let Some(incoming) = self.incoming.take()
            && !incoming.is_end_stream()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(drain(incoming, self.stage.clone()));
        }
    }
}

/// Reads and discards a body until it ends, fails, or exceeds a bound.
async fn drain(mut incoming: Incoming, mut stage: watch::Receiver<ShutdownStage>) {
    let shutdown = async {
        let _ = stage.wait_for(|stage| *stage != ShutdownStage::Running).await;
        sleep(MAX_TIME_AT_SHUTDOWN).await;
    };
    tokio::select! {
        _ = timeout(MAX_TIME, discard(&mut incoming)) => {}
        () = shutdown => {}
    }
}

async fn discard(incoming: &mut Incoming) {
    let mut discarded = 0;
    while discarded < MAX_BYTES
        && let Ok(Some(Ok(frame))) = timeout(MAX_PAUSE, next_frame(incoming)).await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn next_frame(incoming: &mut Incoming) -> impl Future<Output = Option<Result<Frame<Bytes>, hyper::Error>>> {
    poll_fn(|context| Pin::new(&mut *incoming).poll_frame(context))
}
