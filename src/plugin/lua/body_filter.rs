//! Body of a response whose pieces go through snippets.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::{
    BodySnippets,
    call::{FinishedRequest, LuaCall, Phase, RequestState, Stop},
};
use crate::{
    body::{Body, BodyError},
    plugin::{Exchange, HttpResponse},
};

pub(super) struct FilteredBody {
    body: Body,
    snippets: Arc<BodySnippets>,
    /// The call of the next piece.
    call: Option<LuaCall>,
    /// Trailers, which follow the last piece.
    trailers: Option<HeaderMap>,
    ended: bool,
}

impl FilteredBody {
    /// Puts the snippets between a response and its client.
    pub(super) fn put(
        snippets: &Arc<BodySnippets>,
        exchange: &Exchange,
        state: RequestState,
        response: &mut HttpResponse,
    ) {
        let body = std::mem::take(response.body_mut());
        let mut head = HttpResponse::new(Body::Empty);
        *head.status_mut() = response.status();
        head.headers_mut().clone_from(response.headers());
        let mut call = LuaCall::new(Phase::BodyFilter, snippets.owner.clone(), state);
        call.response = Some(head);
        call.source = exchange.response_origin;
        call.finished = Some(FinishedRequest::of_exchange(exchange));
        let snippets = snippets.clone();
        let filtered = Self { body, snippets, call: Some(call), trailers: None, ended: false };
        *response.body_mut() = Body::boxed(filtered);
    }

    fn filter(&mut self, piece: &[u8], last: bool) -> Result<Bytes, BodyError> {
        let mut piece = piece.to_vec();
        for snippet in &self.snippets.snippets {
            let call = self.call.take().ok_or_else(|| BodyError::Source("the filter has failed".into()))?;
            let (mut call, result) = self.snippets.interpreters.filter_body(snippet, call, &piece, last);
            let stop = call.stop.take();
            let error = match (stop, result) {
                (Some(Stop::OverBudget(overrun)), _) => snippet.over_budget(overrun),
                (_, Ok(changed)) => {
                    piece = changed.unwrap_or_default();
                    self.call = Some(call);
                    continue;
                }
                (_, Err(error)) => error.to_string(),
            };
            self.snippets.owner.log_error(snippet, &error);
            return Err(BodyError::Source("a snippet of the phase body_filter failed".into()));
        }
        Ok(piece.into())
    }
}

impl http_body::Body for FilteredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.ended {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(frame) => frame.and_then(Result::ok),
            };
            let filtered = match frame.map(Frame::into_data) {
                Some(Ok(piece)) => self.filter(&piece, false),
                // Trailers are not shown to snippets, and end the body.
                end => {
                    self.trailers = end.and_then(Result::err).and_then(|frame| frame.into_trailers().ok());
                    self.ended = true;
                    self.filter(b"", true)
                }
            };
            match filtered {
                Ok(piece) if piece.is_empty() => (),
                other => return Poll::Ready(Some(other.map(Frame::data))),
            }
        }
    }
}
