//! What is told of a request when it is over: a line of the access log, the counters of its Route, and what plugins
//! log.

use http::Response;

use super::{UpstreamTiming, logged_request::LoggedRequest, units::status};
use crate::{
    access_log::{LogLine, RouteFields},
    body::Body,
    metrics::{AnswerOrigin, RequestMetrics, ResponseSource},
    plugin::Exchange,
};

/// What is told of a request; dropping it tells it.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// Its line of the access log.
    pub line: Option<LogLine>,
    /// What its Route counts of it.
    pub(super) count: Option<RequestMetrics>,
    /// The plugins that log it.
    pub(super) logged: Option<Box<LoggedRequest>>,
}

impl RequestLog {
    /// Notes bytes of the body of the answer.
    pub fn sent(&mut self, bytes: u64) {
        if let Some(line) = &mut self.line {
            line.sent(bytes);
        }
        if let Some(count) = &mut self.count {
            count.sent(bytes);
        }
        if let Some(logged) = &mut self.logged {
            logged.sent(bytes);
        }
    }

    /// Tells the log of an answer.
    pub(super) fn answered(&mut self, response: &Response<Body>, about: RouteFields<'_>) {
        if let Some(line) = &mut self.line {
            line.answered(status(response), about);
        }
    }

    /// Tells the counters of an answer.
    pub(super) fn counted(
        &mut self,
        response: &Response<Body>,
        exchange: &Exchange,
        hop: Option<UpstreamTiming>,
    ) {
        let Some(count) = &mut self.count else { return };
        if let Some(identity) = &exchange.identity {
            count.comes_from(identity.consumer.place, identity.consumer.label());
        }
        let answered = AnswerOrigin {
            status: status(response),
            source: if hop.is_some_and(|it| it.answered) {
                ResponseSource::Service
            } else {
                ResponseSource::Kong
            },
            own: hop.map_or_else(|| exchange.started.elapsed(), |it| it.proxy),
            upstream: hop.map(|it| it.waiting),
        };
        count.answered(answered, response);
    }
}
