//! Default responses by status, for settings without a message. As at Kong, some messages come from the plugin, some from
//! error templates, and some responses are pages of nginx.

use http::StatusCode;

use crate::{
    nginx_status::REQUEST_HEADER_TOO_LARGE,
    plugin::{Exchange, HttpResponse},
    reply::{self, ExitBody},
};

/// The plugin's own message for a status.
pub(super) fn message(status: StatusCode) -> Option<&'static str> {
    Some(match status.as_u16() {
        401 => "Unauthorized",
        404 => "Not found",
        405 => "Method not allowed",
        500 => "An unexpected error occurred",
        502 => "Bad Gateway",
        503 => "Service unavailable",
        _ => return None,
    })
}

/// Whether Kong answers a status with its error template.
fn has_error_template(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 411 | 412 | 413 | 414 | 417 | REQUEST_HEADER_TOO_LARGE | 504)
}

/// Whether nginx has a page for a status.
fn has_nginx_page(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 402 | 403 | 406 | 409 | 410 | 415 | 416 | 429 | 501 | 505 | 507)
}

/// The default response for a status.
pub(super) fn answer(status: StatusCode, exchange: &Exchange) -> HttpResponse {
    let request = exchange.error_request();
    if let Some(message) = message(status) {
        return reply::exit(&request, status, ExitBody::Message(message));
    }
    if has_error_template(status) {
        let message = reply::default_message(status);
        let status =
            if status.as_u16() == REQUEST_HEADER_TOO_LARGE { StatusCode::BAD_REQUEST } else { status };
        return exchange.error(status, &message);
    }
    if has_nginx_page(status) {
        reply::page(&request, status)
    } else {
        reply::exit(&request, status, ExitBody::Empty)
    }
}
