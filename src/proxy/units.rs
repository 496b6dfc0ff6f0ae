//! Statuses, names and times, as they are told of requests.

use std::time::Duration;

use http::Response;

use crate::{
    body::{Body, StreamReset},
    document::Value,
};

/// The status of an answer; one that the client never sees (a reset) has nginx's for that.
pub(super) fn status(response: &Response<Body>) -> u16 {
    const NOTHING: u16 = 444;
    if response.extensions().get::<StreamReset>().is_some() { NOTHING } else { response.status().as_u16() }
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
