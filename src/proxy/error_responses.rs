//! Responses of the gateway to requests that no plugin and no upstream answers.

use std::time::Instant;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, RETRY_AFTER},
};

use super::{
    ClientConnection, Proxy, RequestArrival, RequestLog,
    headers::{cached_headers, produced_headers},
    log_values::milliseconds,
    malformed,
};
use crate::{
    body::{Body, BodyError},
    nginx_status::REQUEST_HEADER_TOO_LARGE,
    plugin::{Exchange, ServedFromCache},
    reply::{self, ErrorFormat, ErrorRequest, ReplyPhase, default_message},
    request_id::RequestId,
    settings::ErrorType,
    supervise::CaughtPanic,
};

/// Most characters of a path in the log line about a request that exceeds a bound.
const SHOWN_PATH: usize = 100;

/// Message of the 404 for a request that matches no Route. (Kong's text.)
pub(super) const NO_ROUTE: &str = "no Route matched with those values";

/// Message of the 503 for a Route without a Service. (Kong's text.)
pub(super) const NO_SERVICE: &str = "no Service found with those values";

/// Format of errors for a value of `error_default_type`.
#[must_use]
pub const fn error_format(error_type: ErrorType) -> ErrorFormat {
    match error_type {
        ErrorType::Json => ErrorFormat::Json,
        ErrorType::Xml => ErrorFormat::Xml,
        ErrorType::Html => ErrorFormat::Html,
        ErrorType::Plain => ErrorFormat::Plain,
    }
}

impl Proxy {
    /// Adds the header fields of responses that the gateway produces.
    pub(super) fn add_produced_headers(
        &self,
        mut response: Response<Body>,
        started: Instant,
        id: &RequestId,
    ) -> Response<Body> {
        let is_cached = response.extensions().get::<ServedFromCache>().is_some();
        let add = if is_cached { cached_headers } else { produced_headers };
        add(response.headers_mut(), milliseconds(started.elapsed()), &id.to_header(), self.tokens);
        response
    }

    /// The response in place of one that the client cannot get.
    pub(super) fn bad_gateway(&self, exchange: &Exchange) -> Response<Body> {
        let (phase, status) = (ReplyPhase::Proxy(self.error_format), StatusCode::BAD_GATEWAY);
        let error = reply::error(&exchange.error_request(), phase, status, None, &exchange.request_id);
        self.add_produced_headers(error, exchange.started, &exchange.request_id)
    }

    /// The response to a request that is malformed or exceeds a bound.
    pub(super) fn refuse(&self, request: &Request<Body>, id: &RequestId) -> Option<Response<Body>> {
        let status = match malformed::check(request) {
            Some(status) => status,
            None => {
                let exceeded = self.bounds.check(request)?;
                let path: String = request.uri().path().chars().take(SHOWN_PATH).collect();
                tracing::info!("{} {path}: the request was refused: {exceeded}", request.method());
                exceeded.status()
            }
        };
        Some(self.closing_error(&self.error_request(request), status, id))
    }

    fn error_request<'a>(&'a self, request: &'a Request<Body>) -> ErrorRequest<'a> {
        ErrorRequest {
            method: request.method(),
            version: request.version(),
            headers: request.headers(),
            templates: self.templates.as_deref(),
        }
    }

    /// The response to bytes that the HTTP parser rejected with `status`.
    pub fn unreadable(&self, status: StatusCode, id: &RequestId) -> Response<Body> {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let templates = self.templates.as_deref();
        let request =
            ErrorRequest { method: &method, version: Version::HTTP_11, headers: &headers, templates };
        let response = match status.as_u16() {
            505 => reply::page(&request, status),
            431 => {
                let bounds = self.bounds.head().parser_bounds();
                tracing::info!("a request was refused, as its head is too large: {bounds}");
                self.closing_error(
                    &request,
                    StatusCode::from_u16(REQUEST_HEADER_TOO_LARGE).unwrap_or(status),
                    id,
                )
            }
            _ => self.closing_error(&request, status, id),
        };
        self.add_produced_headers(response, Instant::now(), id)
    }

    /// The response to a request beyond `max_concurrent_requests`, with its log.
    pub fn overloaded(
        &self,
        request: &Request<Body>,
        connection: &ClientConnection,
    ) -> (Response<Body>, RequestLog) {
        let (started, id) = (Instant::now(), RequestId::random());
        let client = self.client_address(connection, request.headers());
        let line = self.start_log_line(request, (connection, client), started, &id);
        let traffic = self.traffic.as_ref().map(|monitor| monitor.start_request(started));
        let mut log = RequestLog { line, traffic, ..RequestLog::default() };
        let (phase, message) = (ReplyPhase::Proxy(self.error_format), "Too many requests at a time");
        let (request, status) = (self.error_request(request), StatusCode::SERVICE_UNAVAILABLE);
        let mut response = reply::error(&request, phase, status, Some(message), &id);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        let response = self.add_produced_headers(response, started, &id);
        log.record_refusal(&response);
        (response, log)
    }

    /// The response to a request during which the gateway panicked. The panic has consumed the request.
    pub(super) fn panic_response(
        &self,
        panic: &CaughtPanic,
        arrival: &RequestArrival,
        log: &mut RequestLog,
    ) -> Response<Body> {
        let RequestArrival { started, id, .. } = arrival;
        tracing::error!("request {id} is answered with 500: it {panic}");
        let request = ErrorRequest {
            method: &Method::GET,
            version: Version::HTTP_11,
            headers: &HeaderMap::new(),
            templates: self.templates.as_deref(),
        };
        let phase = ReplyPhase::Proxy(self.error_format);
        let response = reply::error(&request, phase, StatusCode::INTERNAL_SERVER_ERROR, None, id);
        let response = self.add_produced_headers(response, *started, id);
        log.record_refusal(&response);
        response
    }

    /// The response to a request whose body could not be read. It closes the connection.
    pub(super) fn body_error(
        &self,
        request: &ErrorRequest<'_>,
        error: &BodyError,
        id: &RequestId,
    ) -> Response<Body> {
        let Some(message) = error.message() else { return self.closing_error(request, error.status(), id) };
        let mut response = reply::error(request, ReplyPhase::Access, error.status(), Some(message), id);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(seconds) = error.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// An error response that closes the connection.
    fn closing_error(
        &self,
        request: &ErrorRequest<'_>,
        status: StatusCode,
        id: &RequestId,
    ) -> Response<Body> {
        let phase = ReplyPhase::Proxy(self.error_format);
        let mut response = if status.as_u16() == REQUEST_HEADER_TOO_LARGE {
            let message = default_message(status);
            reply::error(request, phase, StatusCode::BAD_REQUEST, Some(&message), id)
        } else {
            reply::error(request, phase, status, None, id)
        };
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}
