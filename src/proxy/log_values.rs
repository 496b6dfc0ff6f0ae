//! Values of log lines and metrics: status, whole milliseconds.

use std::time::Duration;

use http::Response;

use crate::body::{Body, StreamReset};

/// nginx's status for a connection that is closed without a response.
const NO_RESPONSE: u16 = 444;

/// Status of a response in logs: [`NO_RESPONSE`] if the client gets a reset instead of it.
pub(super) fn logged_status(response: &Response<Body>) -> u16 {
    let is_reset = response.extensions().get::<StreamReset>().is_some();
    if is_reset { NO_RESPONSE } else { response.status().as_u16() }
}

/// Whole milliseconds of a time.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
