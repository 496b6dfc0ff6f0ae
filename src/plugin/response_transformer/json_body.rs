//! A JSON body that changes while it passes: it is seen whole, then sent on.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};

use crate::{
    body::{Body, BodyBuffers, BodyError, Held},
    plugin::{transform_rules::TransformRules, whole_body},
};

type Json = TransformRules<String, serde_json::Value>;

/// A body of more bytes passes as it is.
const LIMIT: usize = 64 << 20;

/// The body that `rules` make of `body`. What is no JSON object stays as it is.
pub(super) fn transformed(body: Body, rules: Arc<Json>, buffers: &BodyBuffers) -> Body {
    match &body {
        Body::Empty => return body,
        Body::Full(bytes) => {
            if let Ok(changed) = apply(bytes.clone(), &rules, buffers) {
                return Body::full(changed);
            }
        }
        Body::Incoming(_) | Body::Boxed(_) => {}
    }
    let (seen, buffers) = (buffers.held(LIMIT), buffers.clone());
    Body::boxed(TransformedBody { body, rules, buffers, seen: Some(seen), next: VecDeque::new() })
}

fn apply(bytes: Bytes, rules: &Json, buffers: &BodyBuffers) -> Result<Bytes, BodyError> {
    let _room = whole_body::room_for_json(buffers, &bytes)?;
    let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(&bytes) else { return Ok(bytes) };
    rules.apply_json(&mut members, serde_json::Value::clone);
    serde_json::to_vec(&members).map_or(Ok(bytes), |changed| buffers.hold(changed))
}

struct TransformedBody {
    body: Body,
    rules: Arc<Json>,
    buffers: BodyBuffers,
    /// What has come, until it has been changed.
    seen: Option<Held>,
    /// These frames come next, then the body, if it is not at its end.
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
        while let Some(seen) = &mut this.seen {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) if seen.len() + data.len() > LIMIT => this.pass(data),
                Some(Ok(data)) => seen.append(&data)?,
                Some(Err(trailers)) => this.change(Some(trailers))?,
                None => {
                    this.body = Body::Empty;
                    this.change(None)?;
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
    /// Sends what has come, changed.
    fn change(&mut self, last: Option<Frame<Bytes>>) -> Result<(), BodyError> {
        let seen = self.seen.take().map(Held::into_bytes).unwrap_or_default();
        let changed = apply(seen, &self.rules, &self.buffers)?;
        let data = (!changed.is_empty()).then(|| Frame::data(changed));
        self.next = data.into_iter().chain(last).collect();
        Ok(())
    }

    /// Sends what has come as it is: it is too large.
    fn pass(&mut self, data: Bytes) {
        let seen = self.seen.take().map(Held::into_bytes);
        self.next = seen.into_iter().chain([data]).map(Frame::data).collect();
    }
}
