//! CORS as in Prism: pages of every origin may use the mock. Other policies are those of the plugin `cors`.

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::super::{Exchange, HttpResponse};
use crate::reply;

/// The response to a preflight request; none if the request is not one.
pub(super) fn preflight_response(exchange: &Exchange) -> Option<HttpResponse> {
    let sent = exchange.head().fields();
    let method = sent.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    if *exchange.head().method() != Method::OPTIONS || !sent.contains_key(ORIGIN) {
        return None;
    }
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    Some(response)
}

/// Adds the headers of every response.
pub(super) fn add_headers(sent: &HeaderMap, headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    let echo = |name| sent.get(name).filter(|value: &&HeaderValue| !value.is_empty()).unwrap_or(&any).clone();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, echo(ORIGIN));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, echo(ACCESS_CONTROL_REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, any.clone());
    headers.append(VARY, HeaderValue::from_static("Origin"));
}
