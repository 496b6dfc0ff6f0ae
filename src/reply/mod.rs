//! Answers that the gateway itself makes.

mod negotiated;
mod template;
#[cfg(test)]
mod tests;

pub use negotiated::{
    ErrorFormat, ErrorRequest, ExitBody, ReplyPhase, default_message, error, exit, grpc, page,
};
pub use template::{ErrorTemplates, TemplateError};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use crate::{body::Body, document::Value};

/// The media type of JSON answers, as Kong sends it.
pub const JSON_UTF8: &str = "application/json; charset=utf-8";

/// A JSON answer.
pub fn json(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON_UTF8));
    response
}

/// `{"message":"..."}`, compact: how a plugin of Kong's exits.
#[must_use]
pub fn message(status: StatusCode, message: &str) -> Response<Body> {
    json(status, format!("{{\"message\":{}}}", Value::from(message).to_json()))
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}
