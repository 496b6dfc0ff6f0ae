//! Recording of a response body: a task reads it into the cache, as fast as the upstream sends, and the client of the
//! request reads what has been recorded. So a slow client delays no other request, and one that leaves ends nothing.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::Notify;

use super::{
    flight::{FlightLead, FlightOutcome},
    store::ResponseCache,
};
use crate::body::{Body, BodyError, BudgetedBuffer};

/// The time for which a recording goes on after its client has left.
const TIME_WITHOUT_CLIENT: Duration = Duration::from_secs(10);

/// Largest frame for the client, in bytes.
const FRAME_BYTES: usize = 64 << 10;

/// A body that is being recorded, shared by the task and the client.
#[derive(Default)]
struct Recording {
    state: Mutex<RecordingState>,
    /// Notified when the client has left.
    client_left: Notify,
}

#[derive(Default)]
struct RecordingState {
    recorded: Option<BudgetedBuffer>,
    end: RecordingEnd,
    client: Option<Waker>,
}

#[derive(Default)]
enum RecordingEnd {
    /// More may follow.
    #[default]
    Open,
    /// This is the whole body.
    Complete(Bytes),
    /// The body has failed after what was recorded.
    Failed(Option<BodyError>),
    /// The rest is not recorded: the client reads it from the upstream.
    HandedOver(Body),
}

/// The side of the task. Dropping it fails the body, unless it has ended.
struct RecordingWriter(Arc<Recording>);

/// The side of the client.
struct RecordingReader {
    recording: Arc<Recording>,
    /// Bytes that the client has read.
    read: usize,
    /// The length of the body, if it is known.
    length: Option<u64>,
    /// The rest of a body that is not recorded to its end.
    rest: Option<Body>,
}

/// Starts to record a body of at most `limit` bytes; returns the body for the client. `store` is called with the whole
/// body, or with nothing if it was not recorded, and decides the outcome for those who wait.
pub(super) fn record(
    body: Body,
    (cache, limit): (ResponseCache, usize),
    lead: Option<FlightLead>,
    store: impl FnOnce(Option<Bytes>) -> FlightOutcome + Send + 'static,
) -> Body {
    let length = body.size_hint().exact();
    let recording = Arc::new(Recording::default());
    let largest =
        length.and_then(|length| usize::try_from(length).ok()).map_or(limit, |length| length.min(limit));
    recording.lock().recorded = Some(cache.new_buffer(largest));
    let writer = RecordingWriter(Arc::clone(&recording));
    drop(tokio::spawn(async move {
        let whole = writer.read_all(body, &cache, limit).await;
        let outcome = store(whole.clone());
        if let Some(whole) = whole {
            writer.end(RecordingEnd::Complete(whole));
        }
        if let Some(lead) = lead {
            lead.finish(outcome);
        }
    }));
    Body::boxed(RecordingReader { recording, read: 0, length, rest: None })
}

impl Recording {
    fn lock(&self) -> MutexGuard<'_, RecordingState> {
        // Each change is a single assignment or an append.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordingWriter {
    /// Reads the body to its end. `None` if it cannot be recorded; the client then has its rest or its failure.
    async fn read_all(&self, mut body: Body, cache: &ResponseCache, limit: usize) -> Option<Bytes> {
        let mut client_is_long_gone = pin!(async {
            self.0.client_left.notified().await;
            tokio::time::sleep(TIME_WITHOUT_CLIENT).await;
        });
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = &mut client_is_long_gone => return None,
            };
            let unrecorded = match frame.map(|frame| frame.map(Frame::into_data)) {
                None => break,
                Some(Err(error)) => {
                    self.end(RecordingEnd::Failed(Some(error)));
                    return None;
                }
                Some(Ok(Ok(data))) if self.append(cache, limit, &data) => continue,
                Some(Ok(Ok(data))) => Frame::data(data),
                // Trailers are not stored, and neither is a body that has some.
                Some(Ok(Err(trailers))) => trailers,
            };
            self.end(RecordingEnd::HandedOver(Body::prefixed([unrecorded].into(), body)));
            return None;
        }
        let mut whole = self.0.lock().recorded.take()?;
        whole.shrink_to_fit();
        Some(whole.into_bytes())
    }

    /// Appends data, if there is room for it.
    fn append(&self, cache: &ResponseCache, limit: usize, data: &[u8]) -> bool {
        let mut state = self.0.lock();
        let Some(recorded) = &mut state.recorded else { return false };
        let fits = recorded.len() + data.len() <= limit && cache.append(recorded, data);
        let client = state.client.take().filter(|_| fits);
        drop(state);
        if let Some(client) = client {
            client.wake();
        }
        fits
    }

    fn end(&self, end: RecordingEnd) {
        let mut state = self.0.lock();
        state.end = end;
        let client = state.client.take();
        drop(state);
        if let Some(client) = client {
            client.wake();
        }
    }
}

impl Drop for RecordingWriter {
    fn drop(&mut self) {
        if matches!(self.0.lock().end, RecordingEnd::Open) {
            self.end(RecordingEnd::Failed(None));
        }
    }
}

impl http_body::Body for RecordingReader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(rest) = &mut this.rest {
            return Pin::new(rest).poll_frame(context);
        }
        let recording = Arc::clone(&this.recording);
        let mut state = recording.lock();
        if let RecordingEnd::Complete(whole) = &state.end {
            let data = whole.slice(this.read.min(whole.len())..);
            this.read = whole.len();
            return Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))));
        }
        let recorded = state.recorded.as_ref().map(AsRef::as_ref).unwrap_or_default();
        if let Some(unread) = recorded.get(this.read..).filter(|unread: &&[u8]| !unread.is_empty()) {
            let data = Bytes::copy_from_slice(&unread[..unread.len().min(FRAME_BYTES)]);
            this.read += data.len();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut state.end {
            RecordingEnd::Failed(error) => {
                let error =
                    error.take().unwrap_or_else(|| BodyError::Source("the recording has ended".into()));
                Poll::Ready(Some(Err(error)))
            }
            RecordingEnd::HandedOver(rest) => {
                let rest = this.rest.insert(std::mem::take(rest));
                // Nothing more is read of what was recorded.
                state.recorded = None;
                drop(state);
                Pin::new(rest).poll_frame(context)
            }
            RecordingEnd::Open | RecordingEnd::Complete(_) => {
                state.client = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.rest, &self.recording.lock().end) {
            (Some(rest), _) => rest.is_end_stream(),
            (None, RecordingEnd::Complete(whole)) => self.read >= whole.len(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(rest) = &self.rest {
            return rest.size_hint();
        }
        let left = self.length.map(|length| length.saturating_sub(self.read as u64));
        left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for RecordingReader {
    fn drop(&mut self) {
        self.recording.client_left.notify_one();
        // The rest of a body that nothing records is dropped with its client.
        let mut state = self.recording.lock();
        if matches!(state.end, RecordingEnd::HandedOver(_)) {
            let end = std::mem::replace(&mut state.end, RecordingEnd::Failed(None));
            drop(state);
            drop(end);
        }
    }
}
