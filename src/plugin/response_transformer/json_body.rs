//! Response body that is buffered, changed as JSON, and sent.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};

use crate::{
    body::{Body, BodyBuffers, BodyError, BudgetedBuffer},
    plugin::{transform_rules::TransformRules, whole_body},
};

use super::content_coding::ContentCodings;

type Json = TransformRules<String, serde_json::Value>;

/// The size limit of a body that is changed, in bytes.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A body decoded and changed by rules. Anything but a JSON object is only decoded.
pub(super) fn transform(
    body: Body,
    codings: ContentCodings,
    rules: Arc<Json>,
    buffers: &BodyBuffers,
) -> Body {
    match &body {
        Body::Empty => return body,
        Body::Full(bytes) => {
            let decoded = codings.decode(bytes.clone(), MAX_BODY_BYTES, buffers);
            if let Ok(changed) = decoded.and_then(|decoded| apply(decoded, &rules, buffers)) {
                return Body::full(changed);
            }
        }
        Body::Incoming(_) | Body::Boxed(_) => {}
    }
    let (buffered, buffers) = (buffers.new_buffer(MAX_BODY_BYTES), buffers.clone());
    Body::boxed(TransformedBody {
        body,
        codings,
        rules,
        buffers,
        buffered: Some(buffered),
        next: VecDeque::new(),
    })
}

fn apply(bytes: Bytes, rules: &Json, buffers: &BodyBuffers) -> Result<Bytes, BodyError> {
    let _room = whole_body::reserve_for_json(buffers, &bytes)?;
    let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(&bytes) else { return Ok(bytes) };
    rules.apply_json(&mut members, serde_json::Value::clone);
    serde_json::to_vec(&members).map_or(Ok(bytes), |changed| buffers.hold(changed))
}

struct TransformedBody {
    body: Body,
    codings: ContentCodings,
    rules: Arc<Json>,
    buffers: BodyBuffers,
    /// The data so far; `None` once it was changed.
    buffered: Option<BudgetedBuffer>,
    /// Frames to send before the rest of the body.
    next: VecDeque<Frame<Bytes>>,
}

impl HttpBody for TransformedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        while let Some(buffered) = &mut this.buffered {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) if buffered.len() + data.len() > MAX_BODY_BYTES => {
                    // Its head says by now that it is not encoded.
                    if !this.codings.is_empty() {
                        return Poll::Ready(Some(Err(BodyError::TooLarge)));
                    }
                    this.send_unchanged(data);
                }
                Some(Ok(data)) => buffered.append(&data)?,
                Some(Err(trailers)) => this.send_changed(Some(trailers))?,
                None => {
                    this.body = Body::Empty;
                    this.send_changed(None)?;
                }
            }
        }
        match this.next.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut this.body).poll_frame(cx),
        }
    }
}

impl TransformedBody {
    /// Changes the buffered data and sends it.
    fn send_changed(&mut self, last: Option<Frame<Bytes>>) -> Result<(), BodyError> {
        let buffered = self.buffered.take().map(BudgetedBuffer::into_bytes).unwrap_or_default();
        let decoded = self.codings.decode(buffered, MAX_BODY_BYTES, &self.buffers)?;
        let changed = apply(decoded, &self.rules, &self.buffers)?;
        let data = (!changed.is_empty()).then(|| Frame::data(changed));
        self.next = data.into_iter().chain(last).collect();
        Ok(())
    }

    /// Sends the buffered data unchanged, as the body is too large.
    fn send_unchanged(&mut self, data: Bytes) {
        let buffered = self.buffered.take().map(BudgetedBuffer::into_bytes);
        self.next = buffered.into_iter().chain([data]).map(Frame::data).collect();
    }
}
