//! Malformed requests, which no Route may see.
//!
//! | what | status | rule |
//! |---|---|---|
//! | TRACE | 405 | a proxy must not echo credentials (RFC 9110, section 9.3.8) |
//! | CONNECT, or a target without a path | 400 | RFC 9112, section 3.2; statuses as Kong's |
//! | a Transfer-Encoding other than `chunked` | 501, or 400 if `chunked` is not applied once and last | RFC 9112, section 6.1 |
//! | no host, several hosts, or an invalid one | 400 | RFC 9112, section 3.2; RFC 3986, section 3.2.2 |
//! | in HTTP/2, a field value that begins or ends with a blank | 400 | RFC 9113, section 8.2.1 |
//! | in HTTP/2, an invalid scheme, or a target without a path | 400 | RFC 9113, section 8.3.1 |
//! | Host and `:authority` that differ | 400 | RFC 9113, section 8.3.1 |
//! | an invalid method, or a path that leaves the root | 400 | as nginx |

use http::{
    HeaderMap, Method, Request, StatusCode, Version,
    header::{HOST, TRANSFER_ENCODING},
};

use crate::{
    body::Body,
    uri::{Authority, is_invalid_path},
};

/// Longest method in bytes; the longest registered one has 17 letters.
const MAX_METHOD: usize = 64;

/// Status for a malformed request.
pub(super) fn check(request: &Request<Body>) -> Option<StatusCode> {
    let path = request.uri().path();
    match *request.method() {
        Method::TRACE => Some(StatusCode::METHOD_NOT_ALLOWED),
        Method::CONNECT => Some(StatusCode::BAD_REQUEST),
        _ if !path.starts_with('/') || !has_one_host(request) => Some(StatusCode::BAD_REQUEST),
        _ if let Some(status) = check_transfer_coding(request) => Some(status),
        _ if request.version() == Version::HTTP_2 && is_malformed_http2(request) => {
            Some(StatusCode::BAD_REQUEST)
        }
        _ if is_invalid_method(request.method()) || is_invalid_path(path.as_bytes()) => {
            Some(StatusCode::BAD_REQUEST)
        }
        _ => None,
    }
}

/// Status for a request whose body has a transfer coding that the gateway does not decode. The gateway would have to
/// decode it: a transfer coding ends at the next hop, so an upstream would take the coded body for the content.
pub fn check_transfer_coding(request: &Request<Body>) -> Option<StatusCode> {
    if matches!(request.body(), Body::Empty) {
        return None;
    }
    let mut values = request.headers().get_all(TRANSFER_ENCODING).iter();
    let (first, second) = (values.next()?, values.next());
    if second.is_none() && first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return None;
    }
    let lines = request.headers().get_all(TRANSFER_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let (mut count, mut is_last) = (0, false);
    for coding in codings {
        is_last = coding.eq_ignore_ascii_case(b"chunked");
        count += u32::from(is_last);
    }
    let is_framed = count == 1 && is_last;
    Some(if is_framed { StatusCode::NOT_IMPLEMENTED } else { StatusCode::BAD_REQUEST })
}

/// Whether HTTP/2 can carry the request but HTTP/1.1 cannot.
fn is_malformed_http2(request: &Request<Body>) -> bool {
    let uri = request.uri();
    let has_path = uri.path_and_query().is_some_and(|target| target.as_str().starts_with('/'));
    let scheme = uri.scheme_str().map(str::as_bytes);
    !has_path
        || scheme.is_some_and(|scheme| !scheme.first().is_some_and(u8::is_ascii_alphabetic))
        || has_outer_blanks(request.headers())
}

/// Whether a value begins or ends with a blank, which HTTP/1.1 would cut off.
fn has_outer_blanks(headers: &HeaderMap) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    headers.values().any(|value| is_blank(value.as_bytes().first()) || is_blank(value.as_bytes().last()))
}

/// Whether the request names exactly one valid host. Versions before HTTP/1.1 may name none.
fn has_one_host(request: &Request<Body>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, authority) = (hosts.next(), request.uri().authority());
    let is_named = match request.version() {
        Version::HTTP_2 => host.is_some_and(|host| !host.is_empty()) || authority.is_some(),
        Version::HTTP_11 => host.is_some(),
        _ => true,
    };
    let agrees = || match (request.version(), host, authority) {
        (Version::HTTP_2, Some(host), Some(authority)) => {
            host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        }
        _ => true,
    };
    is_named
        && hosts.next().is_none()
        && host.is_none_or(|host| Authority::parse(host.as_bytes()).is_some())
        && authority.is_none_or(|authority| Authority::parse(authority.as_str().as_bytes()).is_some())
        && agrees()
}

/// Whether a method is too long, or has other characters than upper-case letters, `_` and `-`. (As nginx's.)
fn is_invalid_method(method: &Method) -> bool {
    let name = method.as_str();
    name.len() > MAX_METHOD
        || !name.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

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
            assert_eq!(
                check_transfer_coding(&request).map(|status| status.as_u16()),
                expected,
                "{codings:?}"
            );
        }
    }

    /// Checks whether an HTTP/2 request names its host.
    #[track_caller]
    fn check_host(target: &str, host: Option<&'static str>, expected: bool) {
        let mut request = Request::get(target).version(Version::HTTP_2).body(Body::Empty).unwrap();
        request.headers_mut().extend(host.map(|host| (HOST, HeaderValue::from_static(host))));
        assert_eq!(has_one_host(&request), expected);
    }

    #[test]
    fn in_http_2_the_authority_is_the_host() {
        check_host("http://a.example/", None, true);
        check_host("http://a.example/", Some("A.example"), true);
        check_host("http://a.example/", Some("b.example"), false);
        check_host("http://user@a.example/", None, false);
        check_host("/", Some("a.example"), true);
        check_host("/", None, false);
        check_host("/", Some(""), false);
    }

    /// Checks the status for an HTTP/2 request with these fields.
    #[track_caller]
    fn check_form(target: &str, fields: &[(&'static str, &'static str)], expected: Option<u16>) {
        let mut request = Request::get(target).version(Version::HTTP_2).body(Body::Empty).unwrap();
        for (name, value) in fields {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(check(&request).map(|status| status.as_u16()), expected, "{target} {fields:?}");
    }

    #[test]
    fn an_http_2_request_that_http_1_cannot_carry_is_refused() {
        check_form("http://a/", &[("x", "1"), ("cookie", "a"), ("cookie", "b")], None);
        check_form("http://a/", &[("x", " 1")], Some(400));
        check_form("1http://a/", &[], Some(400));
        check_form("ftp://a/", &[], None);
        check_form("http://a?q", &[], Some(400));
    }

    #[test]
    fn a_method_is_a_short_word_in_capitals() {
        for (method, is_invalid) in
            [("GET", false), ("VERSION-CONTROL", false), ("M_SEARCH", false), ("get", true)]
        {
            assert_eq!(is_invalid_method(&method.parse().unwrap()), is_invalid, "{method}");
        }
        assert!(is_invalid_method(&"G".repeat(65).parse().unwrap()));
    }
}
