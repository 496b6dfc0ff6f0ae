//! Framing of a response: the length of its body, by its head. (RFC 9112, section 6.3)
//!
//! The framing fields of an upstream are not passed on as they are. Transfer-Encoding is removed; Content-Length is kept
//! only where it is one plain number and the response has, or would have, a body of that length. Ambiguous framing is
//! refused, as a client, or a cache in front of it, might interpret it differently (response splitting).

use std::{error::Error, fmt};

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// Framing fields of a head, in the order in which they are read.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    chunked: bool,
    length: Option<u64>,
}

/// Framing of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) length: ResponseFraming,
    /// Whether Content-Length is passed to the client.
    pub(super) keeps_length: bool,
    /// Whether bytes that belong to no response may follow: the head announces a body where none is allowed.
    pub(super) is_suspect: bool,
    /// Whether the head of a response to HEAD says nothing about the length: many servers end such a response by closing
    /// the connection, as that to a GET.
    pub(super) may_close: bool,
}

/// End of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseFraming {
    Known(u64),
    Chunked,
    /// The body ends with the connection.
    UntilClose,
}

/// Framing that is ambiguous or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidFraming {
    ContentLength,
    ContentLengthTwice,
    TransferEncoding,
    TransferEncodingInHttp10,
    ContentLengthAndTransferEncoding,
}

impl FramingFields {
    /// Reads the framing fields of a map.
    pub(super) fn from_headers(headers: &HeaderMap, version: Version) -> Result<Self, InvalidFraming> {
        let mut fields = Self::default();
        for value in headers.get_all(TRANSFER_ENCODING) {
            fields.add_transfer_encoding(value, version)?;
        }
        for value in headers.get_all(CONTENT_LENGTH) {
            fields.add_content_length(value)?;
        }
        Ok(fields)
    }

    /// Adds a Content-Length.
    pub(super) fn add_content_length(&mut self, value: &HeaderValue) -> Result<(), InvalidFraming> {
        let length = parse_canonical_decimal(value.as_bytes()).ok_or(InvalidFraming::ContentLength)?;
        match self.length.replace(length) {
            Some(_) => Err(InvalidFraming::ContentLengthTwice),
            None if self.chunked => Err(InvalidFraming::ContentLengthAndTransferEncoding),
            None => Ok(()),
        }
    }

    /// Adds a Transfer-Encoding. Only `chunked` is allowed, as the gateway sends no TE with another coding.
    pub(super) fn add_transfer_encoding(
        &mut self,
        value: &HeaderValue,
        version: Version,
    ) -> Result<(), InvalidFraming> {
        if version == Version::HTTP_10 {
            return Err(InvalidFraming::TransferEncodingInHttp10);
        }
        if self.chunked || !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(InvalidFraming::TransferEncoding);
        }
        self.chunked = true;
        if self.length.is_some() { Err(InvalidFraming::ContentLengthAndTransferEncoding) } else { Ok(()) }
    }

    /// The framing of a response to `method`.
    pub(super) fn framing(&self, status: StatusCode, method: &Method) -> Framing {
        let Self { chunked, length } = *self;
        let never_has_body = status.is_informational() || status == StatusCode::NO_CONTENT;
        if never_has_body || status == StatusCode::NOT_MODIFIED || *method == Method::HEAD {
            // A length without a body is what the body of a GET would have. (RFC 9110, section 8.6)
            let is_suspect = match (never_has_body, *method == Method::HEAD) {
                (true, _) => chunked || length.is_some_and(|length| length > 0),
                (false, true) => false,
                (false, false) => chunked,
            };
            return Framing {
                length: ResponseFraming::Known(0),
                keeps_length: !never_has_body,
                is_suspect,
                may_close: !never_has_body
                    && *method == Method::HEAD
                    && status != StatusCode::NOT_MODIFIED
                    && length.is_none()
                    && !chunked,
            };
        }
        let length = match length {
            Some(length) => ResponseFraming::Known(length),
            None if chunked => ResponseFraming::Chunked,
            None => ResponseFraming::UntilClose,
        };
        Framing { length, keeps_length: true, is_suspect: false, may_close: false }
    }
}

/// Reads a number of digits alone, without leading zeros, which some parsers take for octal.
fn parse_canonical_decimal(digits: &[u8]) -> Option<u64> {
    match digits {
        [b'0', _, ..] => None,
        _ => parse_decimal(digits),
    }
}

/// Reads a number of digits alone.
pub(super) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

impl fmt::Display for InvalidFraming {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ContentLength => "the Content-Length is invalid",
            Self::ContentLengthTwice => "there are several Content-Length fields",
            Self::TransferEncoding => "the Transfer-Encoding is not chunked alone",
            Self::TransferEncodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            Self::ContentLengthAndTransferEncoding => {
                "there are both a Content-Length and a Transfer-Encoding"
            }
        })
    }
}

impl Error for InvalidFraming {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    /// Checks why framing fields are refused, in a map and in the given order.
    #[track_caller]
    fn check_invalid(sent: &[(&'static str, &'static str)], expected: InvalidFraming) {
        assert_eq!(
            FramingFields::from_headers(&fields(sent), Version::HTTP_11).unwrap_err(),
            expected,
            "{sent:?}"
        );
        let mut in_order = FramingFields::default();
        let taken = sent.iter().try_for_each(|(name, value)| match *name {
            "content-length" => in_order.add_content_length(&HeaderValue::from_static(value)),
            _ => in_order.add_transfer_encoding(&HeaderValue::from_static(value), Version::HTTP_11),
        });
        assert!(taken.is_err(), "{sent:?}");
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        use InvalidFraming as Invalid;
        const CL: &str = "content-length";
        const TE: &str = "transfer-encoding";
        for value in [
            "",
            "x",
            "4, 4",
            "4,4",
            "4,",
            ",4",
            "0004",
            "00",
            "+4",
            "-4",
            "4.0",
            "4 4",
            "4;",
            "0x4",
            "4e1",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            check_invalid(&[(CL, value)], Invalid::ContentLength);
            let mut length = FramingFields::default();
            assert_eq!(
                length.add_content_length(&HeaderValue::from_static(value)),
                Err(Invalid::ContentLength)
            );
        }
        check_invalid(&[(CL, "4"), (CL, "4")], Invalid::ContentLengthTwice);
        check_invalid(&[(CL, "4"), (CL, "5")], Invalid::ContentLengthTwice);
        for value in [
            "",
            "gzip",
            "gzip, chunked",
            "chunked, gzip",
            "chunked, chunked",
            "chunked;q=1",
            "identity",
            "chunked,",
            ",chunked",
            "x-chunked",
            "chunked chunked",
            "\"chunked\"",
            "chunke",
            "trailers",
        ] {
            check_invalid(&[(TE, value)], Invalid::TransferEncoding);
        }
        check_invalid(&[(TE, "chunked"), (TE, "chunked")], Invalid::TransferEncoding);
        check_invalid(&[(TE, "gzip"), (TE, "chunked")], Invalid::TransferEncoding);
        for length in ["0", "4", "40"] {
            check_invalid(&[(TE, "chunked"), (CL, length)], Invalid::ContentLengthAndTransferEncoding);
            check_invalid(&[(CL, length), (TE, "chunked")], Invalid::ContentLengthAndTransferEncoding);
        }
        check_invalid(&[(TE, "chunked"), (CL, "x")], Invalid::ContentLength);
        let in_http10 = FramingFields::from_headers(&fields(&[(TE, "chunked")]), Version::HTTP_10);
        assert_eq!(in_http10.unwrap_err(), Invalid::TransferEncodingInHttp10);
    }

    /// Checks the framing of a response.
    #[track_caller]
    fn check(
        method: &str,
        status: u16,
        sent: &[(&'static str, &'static str)],
        expected: (ResponseFraming, bool, bool),
    ) {
        let found = FramingFields::from_headers(&fields(sent), Version::HTTP_11).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let Framing { length, keeps_length, is_suspect, .. } =
            found.framing(status, &method.parse().unwrap());
        assert_eq!((length, keeps_length, is_suspect), expected, "{method} {status} {sent:?}");
    }

    #[test]
    fn an_upstream_may_close_after_a_response_to_head_without_a_length() {
        for (method, status, sent, expected) in [
            ("HEAD", 200, None, true),
            ("HEAD", 404, None, true),
            ("HEAD", 200, Some(("content-length", "4")), false),
            ("HEAD", 200, Some(("transfer-encoding", "chunked")), false),
            ("HEAD", 204, None, false),
            ("HEAD", 304, None, false),
            ("GET", 304, None, false),
            ("GET", 200, Some(("content-length", "4")), false),
        ] {
            let sent: Vec<_> = sent.into_iter().collect();
            let found = FramingFields::from_headers(&fields(&sent), Version::HTTP_11).unwrap();
            let framing = found.framing(StatusCode::from_u16(status).unwrap(), &method.parse().unwrap());
            assert_eq!(framing.may_close, expected, "{method} {status} {sent:?}");
        }
    }

    #[test]
    fn method_and_status_decide_whether_there_is_a_body() {
        let four = [("content-length", "4")];
        let chunked = [("transfer-encoding", "Chunked")];
        check("GET", 200, &four, (ResponseFraming::Known(4), true, false));
        check("GET", 200, &chunked, (ResponseFraming::Chunked, true, false));
        check("GET", 200, &[], (ResponseFraming::UntilClose, true, false));
        check(
            "GET",
            200,
            &[("content-length", "18446744073709551615")],
            (ResponseFraming::Known(u64::MAX), true, false),
        );
        check("HEAD", 200, &four, (ResponseFraming::Known(0), true, false));
        check("HEAD", 200, &chunked, (ResponseFraming::Known(0), true, false));
        check("GET", 304, &four, (ResponseFraming::Known(0), true, false));
        check("GET", 304, &chunked, (ResponseFraming::Known(0), true, true));
        for status in [100, 103, 101, 204] {
            check("GET", status, &[], (ResponseFraming::Known(0), false, false));
            check("GET", status, &[("content-length", "0")], (ResponseFraming::Known(0), false, false));
            check("GET", status, &four, (ResponseFraming::Known(0), false, true));
            check("HEAD", status, &chunked, (ResponseFraming::Known(0), false, true));
        }
    }
}
