//! What is told of a request when it is over: a line of the access log, the counters of its Route, and what plugins
//! log.

use http::Response;

use super::{Hop, figures::status, logged::Logged};
use crate::{
    access_log::{About, Line},
    body::Body,
    metrics::{Answered, Count, Source},
    plugin::Exchange,
};

/// What is told of a request; dropping it tells it.
#[derive(Debug, Default)]
pub struct Told {
    /// Its line of the access log.
    pub line: Option<Line>,
    /// What its Route counts of it.
    pub(super) count: Option<Count>,
    /// The plugins that log it.
    pub(super) logged: Option<Box<Logged>>,
}

impl Told {
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
    pub(super) fn answered(&mut self, response: &Response<Body>, about: About<'_>) {
        if let Some(line) = &mut self.line {
            line.answered(status(response), about);
        }
    }

    /// Tells the counters of an answer.
    pub(super) fn counted(&mut self, response: &Response<Body>, exchange: &Exchange, hop: Option<Hop>) {
        let Some(count) = &mut self.count else { return };
        if let Some(identity) = &exchange.identity {
            count.comes_from(identity.consumer.place, identity.consumer.label());
        }
        let answered = Answered {
            status: status(response),
            source: if hop.is_some_and(|it| it.answered) { Source::Service } else { Source::Kong },
            own: hop.map_or_else(|| exchange.started.elapsed(), |it| it.proxy),
            upstream: hop.map(|it| it.waiting),
        };
        count.answered(answered, response);
    }
}
