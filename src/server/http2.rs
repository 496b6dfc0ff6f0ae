//! Bounds of HTTP/2 connections of a listener.
//!
//! | what | bound |
//! |---|---|
//! | concurrent streams | `http2_max_concurrent_streams` |
//! | fields of a request, CONTINUATION frames included | [`HeadBounds::h2_header_list`] |
//! | streams that the client resets before they are served | [`MAX_CLIENT_RESETS`], then GOAWAY (CVE-2023-44487) |
//! | streams that the server has to reset | [`MAX_SERVER_RESETS`], then GOAWAY (CVE-2025-8671) |
//! | buffered bytes of a response that a client does not read | [`SEND_BUFFER`] |
//! | silence of a client | [`PING_INTERVAL`], then [`PING_TIMEOUT`] |

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};

use crate::proxy::HeadBounds;

const MAX_CLIENT_RESETS: usize = 20;
const MAX_SERVER_RESETS: usize = 128;

/// Bytes of one response that are buffered for a client that does not read.
const SEND_BUFFER: usize = 64 << 10;

/// Silence of a client after which it gets a PING, and the time limit for its answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Sets these bounds.
pub(super) fn set_bounds(server: &mut auto::Builder<TokioExecutor>, max_streams: u32, head: &HeadBounds) {
    server
        .http2()
        .timer(TokioTimer::new())
        // The clock of the connections sets Date.
        .auto_date_header(false)
        // WebSocket (RFC 8441).
        .enable_connect_protocol()
        .max_concurrent_streams(max_streams)
        .max_header_list_size(head.h2_header_list())
        .max_pending_accept_reset_streams(MAX_CLIENT_RESETS)
        .max_local_error_reset_streams(MAX_SERVER_RESETS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
}
