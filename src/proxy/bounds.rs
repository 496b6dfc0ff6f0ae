//! Bounds of a request: the size of its head and of its body.
//!
//! | what | status | setting |
//! |---|---|---|
//! | a target that is too long | 414 | `large_client_header_buffers` |
//! | one field or the whole head too large | 400 | the same; nginx's own status 494, which is sent as 400 |
//! | in HTTP/2, more fields than `max_headers` | 400 | in HTTP/1.1 the parser stops at the bound |
//! | a Content-Length above the limit | 413 | `client_max_body_size` |
//!
//! The parsers of the listeners get their bounds from [`HeadBounds`], too. They accept heads that are a little larger
//! than allowed, so that these get the gateway's own answer.

use std::fmt;

use http::{
    HeaderMap, HeaderName, Request, StatusCode, Version,
    header::{CONTENT_LENGTH, COOKIE},
};

use crate::{
    body::Body,
    nginx_status::REQUEST_HEADER_TOO_LARGE,
    settings::{HeaderBuffers, Settings},
};

/// Smallest bound of the fields of an HTTP/2 request, as `SETTINGS_MAX_HEADER_LIST_SIZE` counts them: names and values
/// in bytes, and 32 more for each field. (RFC 9113, section 6.5.2)
const MIN_H2_HEADER_LIST: u32 = 64 << 10;

/// Bound of hyper's parser of HTTP/1.1 unless it is given one. Up to that, hyper needs no allocation for the fields, so it
/// is the default of `max_headers`, too.
const HYPER_FIELDS: usize = 100;

/// Bounds of the head of a request.
#[derive(Clone, Copy, Debug)]
pub struct HeadBounds {
    /// `size`: most bytes of the target, and of each field; `number` times `size`: most bytes of all together.
    buffers: HeaderBuffers,
    /// Most fields.
    max_fields: usize,
}

/// Bounds of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestBounds {
    head: HeadBounds,
    /// Most bytes of the body; `None` for no bound.
    body: Option<u64>,
}

/// Bound that a request exceeds, with the size that it has and the size that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExceededBound {
    /// Bytes of the target.
    Target(usize, usize),
    /// Bytes of one field.
    Field(HeaderName, usize, usize),
    /// Bytes of the target and all fields.
    Head(usize, usize),
    /// Fields in HTTP/2.
    Fields(usize, usize),
    /// Bytes of the body, by its Content-Length.
    Body(u64, u64),
}

impl ExceededBound {
    /// Status of the response.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Target(..) => StatusCode::URI_TOO_LONG,
            Self::Field(..) | Self::Head(..) => {
                StatusCode::from_u16(REQUEST_HEADER_TOO_LARGE).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Fields(..) => StatusCode::BAD_REQUEST,
            Self::Body(..) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl fmt::Display for ExceededBound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BUFFERS: &str = "nginx_http_large_client_header_buffers";
        match self {
            Self::Target(size, most) => {
                write!(out, "its target has {size} bytes; the size in {BUFFERS} allows {most}")
            }
            Self::Field(name, size, most) => {
                write!(out, "its field {name} has {size} bytes; the size in {BUFFERS} allows {most}")
            }
            Self::Head(size, most) => write!(
                out,
                "its target and fields have {size} bytes; number and size in {BUFFERS} allow {most} together"
            ),
            Self::Fields(count, most) => write!(out, "it has {count} fields; max_headers allows {most}"),
            Self::Body(size, most) => write!(
                out,
                "its Content-Length is {size}; nginx_http_client_max_body_size allows {most} bytes"
            ),
        }
    }
}

impl From<&Settings> for HeadBounds {
    fn from(settings: &Settings) -> Self {
        Self { buffers: settings.large_client_header_buffers, max_fields: settings.max_headers }
    }
}

impl HeadBounds {
    /// Most bytes of the target and all fields together.
    const fn max_bytes(&self) -> usize {
        self.buffers.size.saturating_mul(self.buffers.number)
    }

    /// Bytes of a head that a parser of HTTP/1.1 has to accept.
    #[must_use]
    pub const fn parser_bytes(&self) -> usize {
        self.max_bytes().saturating_mul(2)
    }

    /// Most fields that a parser of HTTP/1.1 accepts; `None` for hyper's own bound.
    #[must_use]
    pub fn parser_fields(&self) -> Option<usize> {
        (self.max_fields != HYPER_FIELDS).then_some(self.max_fields)
    }

    /// Value of `SETTINGS_MAX_HEADER_LIST_SIZE` for clients of HTTP/2.
    #[must_use]
    pub fn h2_header_list(&self) -> u32 {
        u32::try_from(self.parser_bytes()).unwrap_or(u32::MAX).max(MIN_H2_HEADER_LIST)
    }

    /// What a head that a parser of HTTP/1.1 rejected exceeds.
    pub(super) fn parser_bounds(&self) -> String {
        format!(
            "it has more than {} bytes (nginx_http_large_client_header_buffers allows {}), or more than {} fields \
             (max_headers)",
            self.parser_bytes(),
            self.max_bytes(),
            self.max_fields
        )
    }

    /// The bound that a head exceeds.
    fn check(&self, request: &Request<Body>) -> Option<ExceededBound> {
        let headers = request.headers();
        if request.version() == Version::HTTP_2
            && headers.len() > self.max_fields
            && count_fields(headers) > self.max_fields
        {
            return Some(ExceededBound::Fields(count_fields(headers), self.max_fields));
        }
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.buffers.size {
            return Some(ExceededBound::Target(target, self.buffers.size));
        }
        let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let (largest, total) =
            lines.fold((0, target), |(largest, total), line| (line.max(largest), line.saturating_add(total)));
        if largest > self.buffers.size {
            let field = headers.iter().find(|(name, value)| name.as_str().len() + value.len() == largest);
            return field.map(|(name, _)| ExceededBound::Field(name.clone(), largest, self.buffers.size));
        }
        (total > self.max_bytes()).then(|| ExceededBound::Head(total, self.max_bytes()))
    }
}

impl From<&Settings> for RequestBounds {
    fn from(settings: &Settings) -> Self {
        let body = settings.client_max_body_size.map(std::num::NonZeroU64::get);
        Self { head: HeadBounds::from(settings), body }
    }
}

impl RequestBounds {
    /// Bounds of the head.
    pub(super) const fn head(&self) -> &HeadBounds {
        &self.head
    }

    /// The bound that a request exceeds. A body without a Content-Length is counted as it comes (`request_body`).
    pub(super) fn check(&self, request: &Request<Body>) -> Option<ExceededBound> {
        if let Some(exceeded) = self.head.check(request) {
            return Some(exceeded);
        }
        let most = self.body?;
        let length = request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
        (length > most).then_some(ExceededBound::Body(length, most))
    }
}

/// Number of fields. HTTP/2 may split a Cookie into several fields, which count as one. (RFC 9113, section 8.2.3)
fn count_fields(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(COOKIE).iter().skip(1).count()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Checks the status for a GET with these fields, if 100 bytes per field, 300 in all and 5 of a body are allowed.
    #[track_caller]
    fn check_size(target: usize, fields: &[(&'static str, usize)], expected: Option<u16>) {
        let head = HeadBounds { buffers: HeaderBuffers { number: 3, size: 100 }, max_fields: 100 };
        let bounds = RequestBounds { head, body: Some(5) };
        let mut request = Request::get(format!("/{}", "t".repeat(target - 1))).body(Body::Empty).unwrap();
        request.headers_mut().insert("host", HeaderValue::from_static("a"));
        for (name, size) in fields {
            let value =
                if *name == "content-length" { size.to_string() } else { "v".repeat(size - name.len()) };
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        assert_eq!(bounds.check(&request).map(|exceeded| exceeded.status().as_u16()), expected);
    }

    #[test]
    fn a_request_beyond_a_bound_is_refused() {
        check_size(100, &[("x", 100)], None);
        check_size(101, &[], Some(414));
        check_size(1, &[("x", 101)], Some(494));
        check_size(100, &[("x", 100), ("x", 95)], None);
        check_size(100, &[("x", 100), ("x", 96)], Some(494));
        check_size(1, &[("content-length", 5)], None);
        check_size(1, &[("content-length", 6)], Some(413));
    }

    /// Checks the status for an HTTP/2 request with these fields, if three are allowed.
    #[track_caller]
    fn check_count(fields: &[(&'static str, &'static str)], expected: Option<u16>) {
        let bounds = HeadBounds { buffers: HeaderBuffers { number: 4, size: 8 << 10 }, max_fields: 3 };
        let mut request = Request::get("http://a/").version(Version::HTTP_2).body(Body::Empty).unwrap();
        for (name, value) in fields {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(bounds.check(&request).map(|exceeded| exceeded.status().as_u16()), expected, "{fields:?}");
    }

    #[test]
    fn fields_of_http_2_are_counted_and_a_split_cookie_counts_once() {
        check_count(&[("x", "1"), ("y", "1"), ("z", "1")], None);
        check_count(&[("x", "1"), ("x", "1"), ("x", "1"), ("x", "1")], Some(400));
        check_count(&[("x", "1"), ("cookie", "a"), ("cookie", "b"), ("cookie", "c")], None);
    }
}
