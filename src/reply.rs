//! REPLY: the answers that the gateway makes itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};

use crate::{body::Body, document::Value, request_id::RequestId};

/// A JSON answer.
pub fn json(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::Full(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
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

/// An error in the form that the client accepts, with the id of the request: how Kong's router and most of its
/// plugins refuse a request.
#[must_use]
pub fn error(
    method: &Method,
    headers: &HeaderMap,
    status: StatusCode,
    message: &str,
    id: &RequestId,
) -> Response<Body> {
    let _ = (method, headers);
    let message = Value::from(message).to_json();
    json(status, format!("{{\n  \"message\":{message},\n  \"request_id\":\"{}\"\n}}", id.as_str()))
}
