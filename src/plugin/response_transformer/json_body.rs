//! A JSON body that changes while it passes: it is seen whole, then sent on.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;

use crate::{
    body::{Body, BodyError},
    plugin::rewrite::Rules,
};

type Json = Rules<String, serde_json::Value>;

/// A body of more bytes passes as it is.
const LIMIT: usize = 64 << 20;

/// The body that `rules` make of `body`. What is no JSON object stays as it is.
pub(super) fn transformed(body: Body, rules: Arc<Json>) -> Body {
    match body {
        Body::Empty => Body::Empty,
        Body::Full(bytes) => Body::Full(apply(bytes, &rules)),
        body => {
            Body::Boxed(Transformed { body, rules, seen: BytesMut::new(), state: State::Reading }.boxed())
        }
    }
}

fn apply(bytes: Bytes, rules: &Json) -> Bytes {
    let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(&bytes) else { return bytes };
    rules.apply_json(&mut members, serde_json::Value::clone);
    serde_json::to_vec(&members).map_or(bytes, Bytes::from)
}

struct Transformed {
    body: Body,
    rules: Arc<Json>,
    seen: BytesMut,
    state: State,
}

enum State {
    Reading,
    /// These frames come next; then the body, if it is not at its end.
    Sending(VecDeque<Frame<Bytes>>),
}

impl HttpBody for Transformed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            if let State::Sending(frames) = &mut this.state {
                return match frames.pop_front() {
                    Some(frame) => Poll::Ready(Some(Ok(frame))),
                    None => Pin::new(&mut this.body).poll_frame(cx),
                };
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => {
                    this.seen.extend_from_slice(&data);
                    if this.seen.len() > LIMIT {
                        this.send(false, None);
                    }
                }
                Some(Err(trailers)) => this.send(true, Some(trailers)),
                None => {
                    this.body = Body::Empty;
                    this.send(true, None);
                }
            }
        }
    }
}

impl Transformed {
    fn send(&mut self, whole: bool, last: Option<Frame<Bytes>>) {
        let seen = std::mem::take(&mut self.seen).freeze();
        let seen = if whole { apply(seen, &self.rules) } else { seen };
        let data = (!seen.is_empty()).then(|| Frame::data(seen));
        self.state = State::Sending(data.into_iter().chain(last).collect());
    }
}
