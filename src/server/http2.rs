//! HTTP/2 on a listener: how much a client may ask for at a time, and when it asks for too much.
//!
//! | what | bound |
//! |---|---|
//! | streams at a time | `http2_max_concurrent_streams` |
//! | fields of a request | [`FIELDS`], or more if `large_client_header_buffers` says so; frames that continue them are counted, too |
//! | streams that are reset before they are served | [`RESETS`], then GOAWAY (CVE-2023-44487) |
//! | streams that the client makes us reset | [`FAULTS`], then GOAWAY (CVE-2025-8671) |
//! | bytes of an answer that a client does not read | [`UNREAD`] |
//! | a connection whose client is gone | [`PING`], then [`PONG`] |

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};

/// Bytes of all fields of a request, each with 32 more, unless larger heads are allowed. (RFC 9113, section 6.5.2)
const FIELDS: u32 = 64 << 10;

const RESETS: usize = 20;
const FAULTS: usize = 128;

/// Bytes of one response that are buffered for a client that does not read.
const UNREAD: usize = 64 << 10;

/// How long a client is silent before it is asked whether it lives, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// Sets these bounds; `streams` is the most that a client may have open, `largest_head` the largest head of a request
/// that is taken. One that is a little larger is still read, to be refused in our words.
pub(super) fn bound(server: &mut auto::Builder<TokioExecutor>, streams: u32, largest_head: usize) {
    let fields = u32::try_from(largest_head.saturating_mul(2)).unwrap_or(u32::MAX).max(FIELDS);
    server
        .http2()
        .timer(TokioTimer::new())
        // The session's clock knows it.
        .auto_date_header(false)
        // WebSocket (RFC 8441).
        .enable_connect_protocol()
        .max_concurrent_streams(streams)
        .max_header_list_size(fields)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(FAULTS)
        .max_send_buf_size(UNREAD)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
}
