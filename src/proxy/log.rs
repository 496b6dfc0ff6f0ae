//! What the access log is told of an answer.

use std::time::Duration;

use http::Response;

use crate::{
    access_log::{About, Line},
    body::{Body, Reset},
    document::Value,
};

/// Tells the log of an answer; one that the client never sees (a reset) has nginx's status for that.
pub(super) fn tell(line: &mut Option<Line>, response: &Response<Body>, about: About<'_>) {
    const NOTHING: u16 = 444;
    if let Some(line) = line {
        let reset = response.extensions().get::<Reset>().is_some();
        line.answered(if reset { NOTHING } else { response.status().as_u16() }, about);
    }
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
