//! Requests that no Route should see: malformed, misdirected, or larger than is allowed.
//!
//! | what | status | rule |
//! |---|---|---|
//! | TRACE | 405 | a proxy must not echo credentials (RFC 9110, section 9.3.8) |
//! | CONNECT, a target that is no path | 400 | RFC 9112, section 3.2; statuses as Kong's |
//! | a Transfer-Encoding other than `chunked` | 501, or 400 if `chunked` is not applied once and last | RFC 9112, section 6.1 |
//! | no host, several, or one that is none | 400 | RFC 9112, section 3.2; RFC 3986, section 3.2.2 |
//! | in HTTP/2, a field that begins or ends with a blank | 400 | RFC 9113, section 8.2.1 |
//! | in HTTP/2, a scheme that is none, a target without a path | 400 | RFC 9113, section 8.3.1 |
//! | in HTTP/2, more fields than `max_headers` | 400 | in HTTP/1.1 they are not even read |
//! | Host and `:authority` that differ | 400 | RFC 9113, section 8.3.1 |
//! | a method that nobody has, a path beyond the root | 400 | as nginx |
//! | a target that is too long | 414 | `large_client_header_buffers` |
//! | fields that are too large, one or all | 400 | the same; nginx's own 494, which goes out as 400 |
//! | a Content-Length beyond the limit | 413 | `client_max_body_size` |

use std::time::Instant;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, MAX_FORWARDS, RETRY_AFTER, TRANSFER_ENCODING},
};

use super::{ClientConnection, Proxy, RequestArrival, RequestLog};
use crate::{
    access_log::RouteFields,
    body::{Body, BodyError},
    reply::{self, ErrorRequest, ReplyPhase, default_message},
    request_head::ClientHead,
    request_id::RequestId,
    settings::{HeaderBuffers, Settings},
    supervise::CaughtPanic,
    uri::{Authority, is_invalid_path},
};

/// The longest method; the longest registered one has 17 letters.
const LONGEST_METHOD: usize = 64;

/// nginx's code for fields that are too large.
const FIELDS_TOO_LARGE: u16 = 494;

/// How large a request may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestBounds {
    head: HeaderBuffers,
    fields: usize,
    body: Option<u64>,
}

impl From<&Settings> for RequestBounds {
    fn from(settings: &Settings) -> Self {
        let body = settings.client_max_body_size.map(std::num::NonZeroU64::get);
        Self { head: settings.large_client_header_buffers, fields: settings.max_headers, body }
    }
}

impl Proxy {
    /// The answer to a request that no Route should see.
    pub(super) fn refuse(&self, request: &Request<Body>, id: &RequestId) -> Option<Response<Body>> {
        let status = fault(request, &self.bounds)?;
        Some(self.refusal(&self.asked(request), status, id))
    }

    fn asked<'a>(&'a self, request: &'a Request<Body>) -> ErrorRequest<'a> {
        ErrorRequest {
            method: request.method(),
            version: request.version(),
            headers: request.headers(),
            templates: self.templates.as_deref(),
        }
    }

    /// The answer to what cannot even be read as a request.
    pub fn unreadable(&self, status: StatusCode, id: &RequestId) -> Response<Body> {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let templates = self.templates.as_deref();
        let asked = ErrorRequest { method: &method, version: Version::HTTP_11, headers: &headers, templates };
        let response = match status.as_u16() {
            505 => reply::page(&asked, status),
            431 => self.refusal(&asked, StatusCode::from_u16(FIELDS_TOO_LARGE).unwrap_or(status), id),
            _ => self.refusal(&asked, status, id),
        };
        self.produced(response, Instant::now(), id)
    }

    /// The answer to a request while there are too many others, and what is told of it.
    pub fn overloaded(
        &self,
        request: &Request<Body>,
        connection: &ClientConnection,
    ) -> (Response<Body>, RequestLog) {
        let (started, id) = (Instant::now(), RequestId::random());
        let who = self.who(connection, request.headers());
        let line = self.line(request, (connection, who), started, &id);
        let mut told = RequestLog { line, ..RequestLog::default() };
        let (phase, message) = (ReplyPhase::Proxy(self.error_format), "Too many requests at a time");
        let (asked, status) = (self.asked(request), StatusCode::SERVICE_UNAVAILABLE);
        let mut response = reply::error(&asked, phase, status, Some(message), &id);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        let response = self.produced(response, started, &id);
        told.answered(&response, RouteFields::default());
        (response, told)
    }

    /// The answer to a request whose own answer panicked half-way: nothing of the request is left.
    pub(super) fn panicked(
        &self,
        panicked: &CaughtPanic,
        arrival: &RequestArrival,
        told: &mut RequestLog,
    ) -> Response<Body> {
        let RequestArrival { started, id, .. } = arrival;
        tracing::error!("request {id} is answered with 500: it {panicked}");
        let asked = ErrorRequest {
            method: &Method::GET,
            version: Version::HTTP_11,
            headers: &HeaderMap::new(),
            templates: self.templates.as_deref(),
        };
        let phase = ReplyPhase::Proxy(self.error_format);
        let response = reply::error(&asked, phase, StatusCode::INTERNAL_SERVER_ERROR, None, id);
        let response = self.produced(response, *started, id);
        told.answered(&response, RouteFields::default());
        response
    }

    /// The answer to a request whose body broke off; it ends the connection.
    pub(super) fn broken(
        &self,
        asked: &ErrorRequest<'_>,
        error: &BodyError,
        id: &RequestId,
    ) -> Response<Body> {
        let Some(message) = error.message() else { return self.refusal(asked, error.status(), id) };
        let mut response = reply::error(asked, ReplyPhase::Access, error.status(), Some(message), id);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(seconds) = error.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// An answer that ends the connection.
    pub(super) fn refusal(
        &self,
        asked: &ErrorRequest<'_>,
        status: StatusCode,
        id: &RequestId,
    ) -> Response<Body> {
        let phase = ReplyPhase::Proxy(self.error_format);
        let mut response = if status.as_u16() == FIELDS_TOO_LARGE {
            let message = default_message(status);
            reply::error(asked, phase, StatusCode::BAD_REQUEST, Some(&message), id)
        } else {
            reply::error(asked, phase, status, None, id)
        };
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// What is wrong with a request, as a status.
fn fault(request: &Request<Body>, bounds: &RequestBounds) -> Option<StatusCode> {
    let path = request.uri().path();
    let status = match *request.method() {
        Method::TRACE => StatusCode::METHOD_NOT_ALLOWED,
        Method::CONNECT => StatusCode::BAD_REQUEST,
        _ if !path.starts_with('/') || !names_one_host(request) => StatusCode::BAD_REQUEST,
        _ if let Some(status) = wrong_coding(request) => status,
        _ if request.version() == Version::HTTP_2 && is_malformed(request, bounds) => StatusCode::BAD_REQUEST,
        _ if is_odd(request.method()) || is_invalid_path(path.as_bytes()) => StatusCode::BAD_REQUEST,
        _ => return excess(request, bounds),
    };
    Some(status)
}

/// The status of the answer to a request whose body comes in a coding that is not undone here. It would have to be
/// undone: a coding is between two neighbours, and an upstream would take the body for the content.
pub fn wrong_coding(request: &Request<Body>) -> Option<StatusCode> {
    if matches!(request.body(), Body::Empty) {
        return None;
    }
    let mut values = request.headers().get_all(TRANSFER_ENCODING).iter();
    let (first, more) = (values.next()?, values.next());
    if more.is_none() && first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return None;
    }
    let codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let codings = codings.flat_map(|it| it.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let (mut count, mut is_last) = (0, false);
    for coding in codings {
        is_last = coding.eq_ignore_ascii_case(b"chunked");
        count += u32::from(is_last);
    }
    let is_framed = count == 1 && is_last;
    Some(if is_framed { StatusCode::NOT_IMPLEMENTED } else { StatusCode::BAD_REQUEST })
}

/// Whether a request is one that HTTP/2 can carry and HTTP/1.1 cannot.
fn is_malformed(request: &Request<Body>, bounds: &RequestBounds) -> bool {
    let (uri, headers) = (request.uri(), request.headers());
    let has_path = uri.path_and_query().is_some_and(|it| it.as_str().starts_with('/'));
    let scheme = uri.scheme_str().map(str::as_bytes);
    !has_path
        || scheme.is_some_and(|it| !it.first().is_some_and(u8::is_ascii_alphabetic))
        || has_blank_ends(headers)
        || (headers.len() > bounds.fields && fields(headers) > bounds.fields)
}

/// How many fields there are; the crumbs of a cookie are one. (RFC 9113, section 8.2.3)
fn fields(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(COOKIE).iter().skip(1).count()
}

/// Whether a value begins or ends with a blank, which HTTP/1.1 would cut off.
fn has_blank_ends(headers: &HeaderMap) -> bool {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    headers.values().any(|it| blank(it.as_bytes().first()) || blank(it.as_bytes().last()))
}

/// What is too large in a request.
fn excess(request: &Request<Body>, bounds: &RequestBounds) -> Option<StatusCode> {
    let HeaderBuffers { number, size } = bounds.head;
    let target = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if target > size {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    let (largest, total) =
        lines.fold((0, target), |(largest, total), line| (line.max(largest), line.saturating_add(total)));
    if largest > size || total > size.saturating_mul(number) {
        return StatusCode::from_u16(FIELDS_TOO_LARGE).ok();
    }
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    let beyond = announced.zip(bounds.body).is_some_and(|(announced, most)| announced > most);
    beyond.then_some(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Whether a request says for which host it is, and only once. Before HTTP/1.1 it need not.
fn names_one_host(request: &Request<Body>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, authority) = (hosts.next(), request.uri().authority());
    let known = match request.version() {
        Version::HTTP_2 => host.is_some_and(|it| !it.is_empty()) || authority.is_some(),
        Version::HTTP_11 => host.is_some(),
        _ => true,
    };
    let same = || match (request.version(), host, authority) {
        (Version::HTTP_2, Some(host), Some(authority)) => {
            host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        }
        _ => true,
    };
    known
        && hosts.next().is_none()
        && host.is_none_or(|it| Authority::parse(it.as_bytes()).is_some())
        && authority.is_none_or(|it| Authority::parse(it.as_str().as_bytes()).is_some())
        && same()
}

/// Methods that nobody has: they are letters in upper case. (As nginx's.)
fn is_odd(method: &Method) -> bool {
    let name = method.as_str();
    name.len() > LONGEST_METHOD
        || !name.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'))
}

/// Whether this is a request for the recipient itself: OPTIONS that may go no further.
/// (RFC 9110, section 7.6.2)
pub(super) fn goes_no_further(head: &ClientHead) -> bool {
    *head.method() == Method::OPTIONS && head.field(MAX_FORWARDS).is_some_and(|it| it == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what is wrong with a GET of these fields, if 100 bytes a field, 300 in all and 5 of a body are allowed.
    #[track_caller]
    fn check_size(target: usize, fields: &[(&'static str, usize)], expected: Option<u16>) {
        let bounds =
            RequestBounds { head: HeaderBuffers { number: 3, size: 100 }, fields: 100, body: Some(5) };
        let mut request = Request::get(format!("/{}", "t".repeat(target - 1))).body(Body::Empty).unwrap();
        request.headers_mut().insert("host", HeaderValue::from_static("a"));
        for (name, size) in fields {
            let value =
                if *name == "content-length" { size.to_string() } else { "v".repeat(size - name.len()) };
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        assert_eq!(fault(&request, &bounds).map(|it| it.as_u16()), expected);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        check_size(100, &[("x", 100)], None);
        check_size(101, &[], Some(414));
        check_size(1, &[("x", 101)], Some(494));
        check_size(100, &[("x", 100), ("x", 95)], None);
        check_size(100, &[("x", 100), ("x", 96)], Some(494));
        check_size(1, &[("content-length", 5)], None);
        check_size(1, &[("content-length", 6)], Some(413));
    }

    #[test]
    fn chunked_is_the_only_coding_of_a_request() {
        for (codings, expected) in [
            (&["chunked"][..], None),
            (&["Chunked"], None),
            (&["gzip, chunked"], Some(501)),
            (&["gzip", "chunked"], Some(501)),
            (&["identity, chunked"], Some(501)),
            (&["chunked;q=1, chunked"], Some(501)),
            (&[", chunked"], Some(501)),
            (&["chunked, chunked"], Some(400)),
            (&["chunked", "chunked"], Some(400)),
            (&["chunked, gzip"], Some(400)),
            (&["gzip"], Some(400)),
        ] {
            let mut request = Request::post("/").body(Body::full("x")).unwrap();
            for coding in codings {
                request.headers_mut().append("transfer-encoding", HeaderValue::from_static(coding));
            }
            assert_eq!(wrong_coding(&request).map(|it| it.as_u16()), expected, "{codings:?}");
        }
    }

    /// Checks whether a request of HTTP/2 names its host.
    #[track_caller]
    fn check_two(target: &str, host: Option<&'static str>, expected: bool) {
        let mut request = Request::get(target).version(Version::HTTP_2).body(Body::Empty).unwrap();
        request.headers_mut().extend(host.map(|it| (HOST, HeaderValue::from_static(it))));
        assert_eq!(names_one_host(&request), expected);
    }

    #[test]
    fn in_http_2_the_authority_is_the_host() {
        check_two("http://a.example/", None, true);
        check_two("http://a.example/", Some("A.example"), true);
        check_two("http://a.example/", Some("b.example"), false);
        check_two("http://user@a.example/", None, false);
        check_two("/", Some("a.example"), true);
        check_two("/", None, false);
        check_two("/", Some(""), false);
    }

    /// Checks what is wrong with a request of HTTP/2 that has these further fields, if three are allowed.
    #[track_caller]
    fn check_form(target: &str, fields: &[(&'static str, &'static str)], expected: Option<u16>) {
        let bounds = RequestBounds { head: HeaderBuffers::default(), fields: 3, body: None };
        let mut request = Request::get(target).version(Version::HTTP_2).body(Body::Empty).unwrap();
        for (name, value) in fields {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(fault(&request, &bounds).map(|it| it.as_u16()), expected, "{target} {fields:?}");
    }

    #[test]
    fn in_http_2_what_cannot_be_passed_on_is_refused() {
        check_form("http://a/", &[("x", "1"), ("y", "1"), ("z", "1")], None);
        check_form("http://a/", &[("x", "1"), ("x", "1"), ("x", "1"), ("x", "1")], Some(400));
        check_form("http://a/", &[("x", "1"), ("cookie", "a"), ("cookie", "b"), ("cookie", "c")], None);
        check_form("http://a/", &[("x", " 1")], Some(400));
        check_form("1http://a/", &[], Some(400));
        check_form("ftp://a/", &[], None);
        check_form("http://a?q", &[], Some(400));
    }

    #[test]
    fn a_method_is_a_short_word_in_capitals() {
        for (method, odd) in [("GET", false), ("VERSION-CONTROL", false), ("M_SEARCH", false), ("get", true)]
        {
            assert_eq!(is_odd(&method.parse().unwrap()), odd, "{method}");
        }
        assert!(is_odd(&"G".repeat(65).parse().unwrap()));
    }
}
