//! What is told of a request when it is over: a line of the access log, the counters of its Route, and what plugins
//! log.

use std::time::Duration;

use http::Response;

use super::{Hop, logged::Logged};
use crate::{
    access_log::{About, Line},
    body::{Body, Reset},
    document::Value,
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

/// The status of an answer; one that the client never sees (a reset) has nginx's for that.
pub(super) fn status(response: &Response<Body>) -> u16 {
    const NOTHING: u16 = 444;
    if response.extensions().get::<Reset>().is_some() { NOTHING } else { response.status().as_u16() }
}

/// What an entity is called: by its name, or else by its id.
pub(super) fn label(record: &Value) -> Option<&str> {
    let text = |key| record.get(key).and_then(Value::as_str);
    text("name").or_else(|| text("id"))
}

/// Whole milliseconds.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
