//! Error answers in the format that the client accepts.
//!
//! Kong has two forms of answers. [`error`] negotiates the format and includes the id of the request; [`exit`] sends compact
//! JSON, or a text as it is. Unlike Kong, messages are escaped for their format.

use std::{borrow::Cow, fmt::Write};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Version,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::ErrorTemplates;
use crate::{
    body::Body,
    nginx_status::{CLIENT_CLOSED_REQUEST, REQUEST_HEADER_TOO_LARGE},
    request_id::RequestId,
};

/// The formats of an error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `application/json`
    Json,
    /// `text/html`
    Html,
    /// `application/xml`
    Xml,
    /// `text/plain`
    Plain,
    /// `application/grpc`: the message is in the fields, without a body.
    Grpc,
}

/// Parts of a request that an error answer depends on.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRequest<'a> {
    /// The method: the answer to HEAD has no body.
    pub method: &'a Method,
    /// The protocol version: only HTTP/2 carries gRPC.
    pub version: Version,
    /// The fields, for Accept and Content-Type.
    pub headers: &'a HeaderMap,
    /// Templates of error bodies, where settings have some.
    pub templates: Option<&'a ErrorTemplates>,
}

/// Part of the gateway that makes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyPhase {
    /// The router, a plugin, or the selection of an upstream: JSON without an Accept field.
    Access,
    /// Reading the request or proxying it: without an Accept field the format of the request's content, and else this
    /// one. (Kong: option `error_default_type`, `text/plain` by default.)
    Proxy(ErrorFormat),
}

/// The body of an [`exit`].
#[derive(Clone, Debug)]
pub enum ExitBody<'a> {
    /// No body.
    Empty,
    /// An object with `message`.
    Message(&'a str),
    /// A text as it is; without a type, the answer has no Content-Type.
    Raw(Option<HeaderValue>, Bytes),
}

/// An answer with a message and the id of the request, in a format that the client accepts. Without a message it contains
/// [`default_message`].
pub fn error(
    request: &ErrorRequest<'_>,
    phase: ReplyPhase,
    status: StatusCode,
    message: Option<&str>,
    id: &RequestId,
) -> Response<Body> {
    let default = default_message(status);
    let message = message.unwrap_or(&default);
    if request.is_grpc() {
        return grpc(status, grpc_status(status), message);
    }
    let format = request.format(phase);
    if let Some(template) = request.templates.and_then(|templates| templates.of(format)) {
        let text = template.fill(&format.escape(message), id);
        return request.respond(status, Some(format.content_type()), text.into());
    }
    let text = match format {
        ErrorFormat::Json => {
            format!("{{\n  \"message\":{},\n  \"request_id\":\"{id}\"\n}}", json_string(message))
        }
        ErrorFormat::Plain => format!("{message}\nrequest_id: {id}\n"),
        ErrorFormat::Html => html(&escape(message), id),
        ErrorFormat::Xml => xml(&escape(message), id),
        // A client that accepts gRPC alone, on a request that is not gRPC: as observed with Kong.
        ErrorFormat::Grpc if phase == ReplyPhase::Access => String::new(),
        ErrorFormat::Grpc => return exit(request, status, ExitBody::Message(message)),
    };
    request.respond(status, Some(format.content_type()), text.into())
}

/// An answer in compact JSON, or as it is.
pub fn exit(request: &ErrorRequest<'_>, status: StatusCode, body: ExitBody<'_>) -> Response<Body> {
    match body {
        ExitBody::Message(message) if request.is_grpc() => grpc(status, grpc_status(status), message),
        ExitBody::Message(message) => {
            let text = format!("{{\"message\":{}}}", json_string(message));
            request.respond(status, Some(ErrorFormat::Json.content_type()), text.into())
        }
        ExitBody::Empty => request.respond(status, None, Bytes::new()),
        ExitBody::Raw(content_type, text) => request.respond(status, content_type, text),
    }
}

/// A page with the status alone, in the form of nginx's own pages. Kong sends it with redirects to https, and for a request
/// in an HTTP version that it does not support.
pub fn page(request: &ErrorRequest<'_>, status: StatusCode) -> Response<Body> {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let text = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let content_type = match status.as_u16() {
        301 | 302 => "text/html",
        _ => "text/html; charset=UTF-8",
    };
    request.respond(status, Some(HeaderValue::from_static(content_type)), text.into())
}

/// Default messages by status.
/// (Kong docs: "Error messages"; observed answers.)
const MESSAGES: &[(u16, &str)] = &[
    (400, "Bad request"),
    (401, "Unauthorized"),
    (402, "Payment required"),
    (403, "Forbidden"),
    (404, "Not found"),
    (405, "Method not allowed"),
    (406, "Not acceptable"),
    (408, "Request timeout"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length required"),
    (412, "Precondition failed"),
    (413, "Payload too large"),
    (414, "URI too long"),
    (415, "Unsupported media type"),
    (417, "Expectation failed"),
    (422, "Unprocessable entity"),
    (426, "Upgrade required"),
    (428, "Precondition required"),
    (429, "Too many requests"),
    // nginx's own code for a request header that is too large; it goes out as 400.
    (REQUEST_HEADER_TOO_LARGE, "Request header or cookie too large"),
    (500, "An unexpected error occurred"),
    (502, "An invalid response was received from the upstream server"),
    (503, "The upstream server is currently unavailable"),
    (504, "The upstream server is timing out"),
];

/// The message of an error without a message of its own.
pub fn default_message(status: StatusCode) -> Cow<'static, str> {
    let code = status.as_u16();
    match MESSAGES.iter().find(|(status, _)| *status == code) {
        Some((_, message)) => Cow::Borrowed(message),
        None => Cow::Owned(format!("The upstream server responded with {code}")),
    }
}

impl ErrorRequest<'_> {
    fn is_grpc(&self) -> bool {
        self.version == Version::HTTP_2
            && self
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    }

    fn format(&self, phase: ReplyPhase) -> ErrorFormat {
        if self.headers.contains_key(ACCEPT) {
            return preferred(self.headers.get_all(ACCEPT));
        }
        match phase {
            ReplyPhase::Access => ErrorFormat::Json,
            ReplyPhase::Proxy(default) => match self.headers.get(CONTENT_TYPE) {
                Some(content_type) => preferred([content_type]),
                None => default,
            },
        }
    }

    fn respond(&self, status: StatusCode, content_type: Option<HeaderValue>, text: Bytes) -> Response<Body> {
        let length = text.len();
        let is_head = self.method == Method::HEAD;
        let mut response = Response::new(if is_head { Body::Empty } else { Body::full(text) });
        *response.status_mut() = status;
        if let Some(content_type) = content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        if is_head {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

impl ErrorFormat {
    /// The format of a media range in lower case; JSON for any other one.
    fn of(media_range: &str) -> Self {
        match media_range {
            "text/html" => Self::Html,
            "application/xml" => Self::Xml,
            "text/plain" | "text/*" => Self::Plain,
            "application/grpc" => Self::Grpc,
            _ => Self::Json,
        }
    }

    /// A message, escaped for this format; for JSON without the quotes.
    fn escape(self, message: &str) -> Cow<'_, str> {
        match self {
            Self::Json => {
                let quoted = json_string(message);
                Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
            }
            Self::Html | Self::Xml => Cow::Owned(escape(message)),
            Self::Plain | Self::Grpc => Cow::Borrowed(message),
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => super::JSON_UTF8,
            Self::Html => "text/html; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Grpc => "",
        })
    }
}

/// The format of the media range with the highest quality, the first of equals (RFC 9110, section 12.5.1).
fn preferred<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> ErrorFormat {
    let mut best = (0.0, ErrorFormat::Json);
    for item in lines.into_iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let media_range = parts.next().unwrap_or_default();
        let quality = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, value)| value.trim().parse::<f32>().ok());
        if let Some(quality) = quality.filter(|quality| *quality > best.0) {
            best = (quality, ErrorFormat::of(&media_range.to_ascii_lowercase()));
        }
    }
    best.1
}

/// A gRPC answer without messages: the HTTP status, and `code` as the status of gRPC, in the header fields.
/// (gRPC over HTTP/2, "Trailers-Only".)
pub fn grpc(status: StatusCode, code: u16, message: &str) -> Response<Body> {
    // A gRPC message consists of printable ASCII without the percent sign.
    const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%');
    let message = percent_encoding::utf8_percent_encode(message, ESCAPED).to_string();
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("grpc-message", message);
    }
    response
}

/// The status code of gRPC for one of HTTP, as in Kong's answers.
fn grpc_status(status: StatusCode) -> u16 {
    const OK: u16 = 0;
    const CANCELLED: u16 = 1;
    const UNKNOWN: u16 = 2;
    const INVALID_ARGUMENT: u16 = 3;
    const DEADLINE_EXCEEDED: u16 = 4;
    const NOT_FOUND: u16 = 5;
    const ALREADY_EXISTS: u16 = 6;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match status.as_u16() {
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => NOT_FOUND,
        409 => ALREADY_EXISTS,
        429 => RESOURCE_EXHAUSTED,
        CLIENT_CLOSED_REQUEST => CANCELLED,
        501 => UNIMPLEMENTED,
        503 => UNAVAILABLE,
        504 => DEADLINE_EXCEEDED,
        _ if status.is_success() => OK,
        _ if status.is_client_error() => INVALID_ARGUMENT,
        _ if status.is_server_error() => INTERNAL,
        _ => UNKNOWN,
    }
}

fn html(message: &str, id: &RequestId) -> String {
    let lines = [
        "<!doctype html>",
        "<meta charset=\"utf-8\">",
        "<title>Error</title>",
        "<h1>Error</h1>",
        &format!("<p>{message}.</p>"),
        &format!("<p>request_id: {id}</p>"),
    ];
    lines.join("\n") + "\n"
}

fn xml(message: &str, id: &RequestId) -> String {
    let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    format!("{declaration}\n<error><message>{message}</message><requestid>{id}</requestid></error>\n")
}

/// A JSON string with its quotes.
fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Escapes text for HTML and XML; control characters that XML does not allow are dropped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "&#{};", u32::from(symbol));
            }
            '\n' | '\t' => escaped.push(symbol),
            symbol if symbol.is_control() => {}
            symbol => escaped.push(symbol),
        }
    }
    escaped
}
