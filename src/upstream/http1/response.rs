//! Reader of the head of a response: its fields, the framing of its body, and whether the connection is kept alive.

use std::{mem::MaybeUninit, time::Duration};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::InvalidResponse;
use crate::upstream::{
    framing::{FramingFields, ResponseFraming, parse_decimal},
    head::ResponseHeadBounds,
};

/// Number of fields of a response that are parsed without an allocation.
const FEW_FIELDS: usize = 100;

/// The largest number of interim responses before the final one; together they are limited to the size of a head.
/// (RFC 9110, section 15.2)
const MAX_INTERIM: u32 = 100;

/// First bytes of every head, after blank lines.
const PREFIX: &[u8] = b"HTTP/1.";

type HeaderSlot<'a> = MaybeUninit<httparse::Header<'a>>;

/// A parsed head.
#[derive(Debug)]
pub(super) struct ReceivedHead {
    pub(super) response: Response<()>,
    pub(super) length: ResponseFraming,
    /// Whether the upstream accepts another request afterwards.
    pub(super) keep_alive: bool,
    /// Time of idleness after which the upstream may close the connection; `None` if it does not tell.
    pub(super) safe_idle_time: Option<Duration>,
}

/// Reader of the heads of the responses to one request: interim ones, and the final one.
#[derive(Debug)]
pub(super) struct HeadReader {
    bounds: ResponseHeadBounds,
    interim: u32,
    interim_bytes: usize,
}

impl HeadReader {
    pub(super) const fn new(bounds: ResponseHeadBounds) -> Self {
        Self { bounds, interim: 0, interim_bytes: 0 }
    }

    /// Takes the final head from the front of the bytes that were read, of which the last `received` are new; `None` if it
    /// is incomplete. `is_all` says that nothing more will be read.
    pub(super) fn take(
        &mut self,
        read: &mut Bytes,
        received: usize,
        method: &Method,
        is_all: bool,
    ) -> Result<Option<ReceivedHead>, InvalidResponse> {
        if !is_all && !should_parse(read, received, self.bounds.bytes) {
            return Ok(None);
        }
        loop {
            let length = read.len();
            let Some(head) = parse(read, method, is_all, self.bounds)? else { return Ok(None) };
            let status = head.response.status();
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
            self.interim += 1;
            self.interim_bytes += length - read.len();
            if self.interim > MAX_INTERIM || self.interim_bytes > self.bounds.bytes {
                return Err(InvalidResponse::Interim);
            }
        }
    }
}

/// Whether to parse a head of which the last `received` bytes are new: these are its first bytes, complete a line, show
/// that it is invalid, or exceed the limit. So a head that arrives byte by byte is parsed once for each line.
fn should_parse(read: &[u8], received: usize, most: usize) -> bool {
    let known = read.len().saturating_sub(received);
    let new = &read[known..];
    // Blank lines before a head do not belong to it.
    let has_begun = || read.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
    new.len() == read.len()
        || read.len() >= most
        || (new.contains(&b'\n') && has_begun())
        || first_invalid_byte(read).is_some_and(|at| at >= known)
}

/// Position of the first byte that no head has at this position.
fn first_invalid_byte(read: &[u8]) -> Option<usize> {
    let mut begin = 0;
    loop {
        match &read[begin..] {
            [b'\n', ..] => begin += 1,
            [b'\r', b'\n', ..] => begin += 2,
            [b'\r', _, ..] => return Some(begin + 1),
            rest => {
                let differs = rest.iter().zip(PREFIX).position(|(found, expected)| found != expected);
                return differs.filter(|_| rest != b"\r").map(|at| begin + at);
            }
        }
    }
}

/// Takes the head of a response to `method` from the front of the bytes that were read; `None` if it is incomplete.
/// `is_all` says that nothing more will be read.
///
/// The result depends on the bytes alone, and not on how they were split: while more may be read, only complete lines are
/// judged, and only within the largest head that is allowed.
fn parse(
    read: &mut Bytes,
    method: &Method,
    is_all: bool,
    bounds: ResponseHeadBounds,
) -> Result<Option<ReceivedHead>, InvalidResponse> {
    let most = bounds.bytes;
    let window = &read[..read.len().min(most)];
    let mut few: [HeaderSlot<'_>; FEW_FIELDS] = [const { MaybeUninit::uninit() }; FEW_FIELDS];
    let mut many: Vec<HeaderSlot<'_>> = Vec::new();
    let mut parsed = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let slots = &mut few[..bounds.fields.min(FEW_FIELDS)];
    let mut result = config.parse_response_with_uninit_headers(&mut parsed, window, slots);
    if matches!(result, Err(httparse::Error::TooManyHeaders)) && bounds.fields > FEW_FIELDS {
        many.resize_with(field_capacity(window, bounds.fields), MaybeUninit::uninit);
        parsed = httparse::Response::new(&mut []);
        result = config.parse_response_with_uninit_headers(&mut parsed, window, &mut many);
    }
    let end = match result {
        Ok(Status::Complete(end)) => end,
        Ok(Status::Partial) if read.len() < most => return Ok(None),
        Ok(Status::Partial) => return Err(InvalidResponse::TooLarge(most)),
        Err(httparse::Error::TooManyHeaders) => return Err(InvalidResponse::TooManyFields(bounds.fields)),
        Err(error) if is_all || read.len() >= most || has_invalid_line(window, bounds.fields) => {
            return Err(InvalidResponse::Head(error));
        }
        Err(_) => return Ok(None),
    };
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let status =
        StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| InvalidResponse::Status)?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    if let Some(reason) = parsed.reason.filter(|reason| Some(*reason) != status.canonical_reason())
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    let (mut keep_alive, mut framing) = (KeepAlive::new(version), FramingFields::default());
    let headers = response.headers_mut();
    // The gateway adds fields of its own.
    let reserved = headers.try_reserve(parsed.headers.len() + 8);
    reserved.map_err(|_| InvalidResponse::TooManyFields(bounds.fields))?;
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| InvalidResponse::Field)?;
        let value = HeaderValue::from_maybe_shared(read.slice_ref(field.value))
            .map_err(|_| InvalidResponse::Field)?;
        match name {
            TRANSFER_ENCODING => {
                framing.add_transfer_encoding(&value, version)?;
                continue;
            }
            CONTENT_LENGTH => framing.add_content_length(&value)?,
            CONNECTION => keep_alive.read(&value),
            _ if name.as_str() == "keep-alive" => keep_alive.read_parameters(&value),
            _ => {}
        }
        // The map is bounded, too.
        let appended = headers.try_append(name, value);
        appended.map_err(|_| InvalidResponse::TooManyFields(bounds.fields))?;
    }
    let framing = framing.framing(status, method);
    if !framing.keeps_length {
        headers.remove(CONTENT_LENGTH);
    }
    *read = read.slice(end..);
    let safe_idle_time = if framing.may_close { Some(Duration::ZERO) } else { keep_alive.safe_idle_time() };
    let keep_alive =
        !keep_alive.closes && !framing.is_suspect && framing.length != ResponseFraming::UntilClose;
    Ok(Some(ReceivedHead { response, length: framing.length, keep_alive, safe_idle_time }))
}

/// Number of slots for the fields of a head: each field has a line.
#[cold]
fn field_capacity(window: &[u8], most: usize) -> usize {
    most.min(memchr::memchr_iter(b'\n', window).count())
}

/// Whether the complete lines are invalid, whatever bytes follow.
#[cold]
fn has_invalid_line(window: &[u8], most_fields: usize) -> bool {
    let lines = window.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut slots: Vec<HeaderSlot<'_>> = Vec::new();
    slots.resize_with(field_capacity(window, most_fields), MaybeUninit::uninit);
    let mut parsed = httparse::Response::new(&mut []);
    let lines =
        ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, &window[..lines], &mut slots);
    lines.is_err() || first_invalid_byte(window).is_some()
}

/// Persistence of a connection after a response. (RFC 9112, section 9.3)
struct KeepAlive {
    closes: bool,
    /// Whether a field has the option `close`, which no other option revokes.
    has_close: bool,
    /// `timeout` of the Keep-Alive field. (RFC 2068, section 19.7.1.1; Apache httpd, Node.js)
    timeout: Option<Duration>,
}

/// Part of `timeout` that is not used for requests that cannot be repeated, at most.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(1);

impl KeepAlive {
    fn new(version: Version) -> Self {
        Self { closes: version != Version::HTTP_11, has_close: false, timeout: None }
    }

    /// Reads the parameters of a Keep-Alive field, such as `timeout=5, max=100`.
    fn read_parameters(&mut self, field: &HeaderValue) {
        for parameter in field.as_bytes().split(|byte| *byte == b',') {
            let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"timeout")
                && let Some(seconds) = parse_decimal(value)
            {
                self.timeout = Some(Duration::from_secs(seconds));
            }
        }
    }

    /// Time of idleness during which the upstream surely keeps the connection.
    fn safe_idle_time(&self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_sub(TIMEOUT_MARGIN.min(timeout / 2)))
    }

    fn read(&mut self, connection: &HeaderValue) {
        for option in connection.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                (self.closes, self.has_close) = (true, true);
            } else if option.eq_ignore_ascii_case(b"keep-alive") && !self.has_close {
                self.closes = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: ResponseHeadBounds = ResponseHeadBounds { bytes: 64 << 10, fields: 1000 };

    /// Checks a response to a GET: status, framing, whether the connection is kept alive, and the bytes that follow.
    #[track_caller]
    fn check(text: &str, expected: Option<(u16, ResponseFraming, bool, &str)>) {
        let mut read = Bytes::copy_from_slice(text.as_bytes());
        let head = parse(&mut read, &Method::GET, false, BOUNDS).unwrap();
        let found = head.map(|head| (head.response.status().as_u16(), head.length, head.keep_alive));
        let rest = String::from_utf8(read.to_vec()).unwrap();
        assert_eq!(
            found.map(|(status, length, stays)| (status, length, stays, &*rest)),
            expected,
            "{text:?}"
        );
    }

    fn with(fields: &str) -> String {
        format!("HTTP/1.1 200 OK\r\n{fields}\r\nrest")
    }

    #[test]
    fn a_head_is_taken_when_it_is_complete() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n", None);
        check(&with("content-length: 4\r\n"), Some((200, ResponseFraming::Known(4), true, "rest")));
        check(&with(""), Some((200, ResponseFraming::UntilClose, false, "rest")));
        check("HTTP/1.1 204\r\n\r\n", Some((204, ResponseFraming::Known(0), true, "")));
    }

    #[test]
    fn chunked_is_the_only_coding() {
        let chunked = Some((200, ResponseFraming::Chunked, true, "rest"));
        check(&with("transfer-encoding: chunked\r\n"), chunked);
        check(&with("Transfer-Encoding:\t Chunked \r\n"), chunked);
        for coding in ["gzip", "gzip, chunked", "chunked, gzip", "chunked\r\ntransfer-encoding: chunked"] {
            let refused = "the Transfer-Encoding is not chunked alone";
            check_invalid(&with(&format!("transfer-encoding: {coding}\r\n")), refused);
        }
        for (first, second) in [
            ("transfer-encoding: chunked", "content-length: 4"),
            ("content-length: 4", "transfer-encoding: chunked"),
        ] {
            let both = "there are both a Content-Length and a Transfer-Encoding";
            check_invalid(&with(&format!("{first}\r\n{second}\r\n")), both);
        }
    }

    /// Checks which fields are kept of a head, and whether the connection is kept alive.
    #[track_caller]
    fn check_left(method: &Method, text: &str, expected: &[(&str, &str)], stays: bool) {
        let head =
            parse(&mut Bytes::copy_from_slice(text.as_bytes()), method, false, BOUNDS).unwrap().unwrap();
        let headers = head.response.headers().iter();
        let left: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!((&*left, head.keep_alive), (expected, stays), "{text:?}");
    }

    #[test]
    fn framing_fields_are_kept_where_they_describe_a_body() {
        let length: &[_] = &[("content-length", "4")];
        let head = |status: &str, fields: &str| format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n");
        for status in ["200 OK", "304 Not Modified"] {
            check_left(&Method::HEAD, &head(status, "content-length: 4"), length, true);
        }
        check_left(&Method::GET, &head("304 Not Modified", "content-length: 4"), length, true);
        check_left(&Method::GET, &head("204 No Content", "content-length: 4"), &[], false);
        check_left(&Method::GET, &head("204 No Content", "content-length: 0"), &[], true);
        check_left(&Method::GET, &head("101 Switching Protocols", "content-length: 0"), &[], true);
        check_left(&Method::GET, &head("200 OK", "transfer-encoding: chunked"), &[], true);
        check_left(&Method::HEAD, &head("200 OK", "transfer-encoding: chunked"), &[], true);
    }

    #[test]
    fn a_connection_is_kept_alive_unless_one_side_closes_it() {
        let length = "content-length: 4\r\n";
        for (fields, stays) in [
            ("connection: close\r\n", false),
            ("connection: close\r\nconnection: keep-alive\r\n", false),
            ("connection: keep-alive, Close\r\n", false),
            ("connection: keep-alive\r\n", true),
        ] {
            check(&with(&format!("{fields}{length}")), Some((200, ResponseFraming::Known(4), stays, "rest")));
        }
        let old = "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n";
        check(&format!("{old}\r\n"), Some((200, ResponseFraming::Known(0), false, "")));
        check(
            &format!("{old}connection: keep-alive\r\n\r\n"),
            Some((200, ResponseFraming::Known(0), true, "")),
        );
    }

    #[test]
    fn an_upstream_tells_how_long_it_keeps_an_idle_connection() {
        for (method, fields, expected) in [
            (Method::GET, "", None),
            (Method::GET, "keep-alive: timeout=5\r\n", Some(4000)),
            (Method::GET, "Keep-Alive: max=100 , Timeout = 60\r\n", Some(59_000)),
            (Method::GET, "keep-alive: timeout=1\r\n", Some(500)),
            (Method::GET, "keep-alive: timeout=0\r\n", Some(0)),
            (Method::GET, "keep-alive: timeout=x\r\n", None),
            (Method::GET, "keep-alive: max=5\r\n", None),
            (Method::HEAD, "", None),
        ] {
            let mut read = Bytes::from(with(&format!("{fields}content-length: 4\r\n")));
            let head = parse(&mut read, &method, false, BOUNDS).unwrap().unwrap();
            assert_eq!(head.safe_idle_time, expected.map(Duration::from_millis), "{method} {fields:?}");
        }
        let mut read = Bytes::from(with("keep-alive: timeout=5\r\n"));
        let head = parse(&mut read, &Method::HEAD, false, BOUNDS).unwrap().unwrap();
        assert_eq!((head.keep_alive, head.safe_idle_time), (true, Some(Duration::ZERO)), "no length");
    }

    #[test]
    fn a_head_in_small_pieces_is_parsed_once_for_each_line() {
        let looks = |text: &str| {
            (1..=text.len())
                .filter(|end| should_parse(&text.as_bytes()[..*end], 1, BOUNDS.bytes))
                .collect::<Vec<_>>()
        };
        // At its first byte, and at the end of each line.
        assert_eq!(looks(&with("a: b\r\n")), [1, 17, 23, 25]);
        assert_eq!(looks(&format!("{}H", "\r\n".repeat(50))), [1]);
        let long = "x".repeat(BOUNDS.bytes + 1);
        assert_eq!(looks(&long), [1, BOUNDS.bytes, BOUNDS.bytes + 1]);
    }

    /// Checks why a response is refused.
    #[track_caller]
    fn check_invalid(text: &str, expected: &str) {
        let refused =
            parse(&mut Bytes::copy_from_slice(text.as_bytes()), &Method::GET, false, BOUNDS).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{text:?}");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for value in ["1, 2", "1, 1", "+1", "0x1", "", "18446744073709551616", "1 2", "01"] {
            check_invalid(&with(&format!("content-length: {value}\r\n")), "the Content-Length is invalid");
        }
        for second in ["1", "2"] {
            let fields = format!("content-length: 1\r\ncontent-length: {second}\r\n");
            check_invalid(&with(&fields), "there are several Content-Length fields");
        }
        check_invalid(
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.0 has no Transfer-Encoding",
        );
        check_invalid("SSH-2.0-OpenSSH_9.9\r\n", "invalid HTTP version");
        check_invalid(&with("a : b\r\n"), "invalid header name");
        check_invalid(&with("a: b\r\n c\r\n"), "invalid header name");
        let fields = "it has more than 1000 header fields, the bound of max_response_headers (KONG_MAX_RESPONSE_HEADERS)";
        check_invalid(&with(&"x: 1\r\n".repeat(1001)), fields);
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(BOUNDS.bytes));
        let bytes = "its head is larger than 65536 bytes, the bound of nginx_proxy_proxy_buffer_size \
                     (KONG_NGINX_PROXY_PROXY_BUFFER_SIZE)";
        check_invalid(&long, bytes);
    }

    #[test]
    fn a_head_has_as_many_fields_and_bytes_as_its_bounds_allow() {
        for (fields, most, is_accepted) in [
            (1, 1, true),
            (2, 1, false),
            (100, 100, true),
            (101, 100, false),
            (101, 101, true),
            (1000, 1000, true),
            (1001, 1000, false),
            (20_000, 50_000, true),
            (40_000, 50_000, false),
        ] {
            let lines: Vec<String> = (0..fields).map(|field| format!("x{field}: 1\r\n")).collect();
            let text = with(&lines.concat());
            let (mut read, bytes) = (Bytes::from(text), 1 << 20);
            let head = parse(&mut read, &Method::GET, false, ResponseHeadBounds { bytes, fields: most });
            let found = head.map(|head| head.unwrap().response.headers().len());
            let expected = if is_accepted { Ok(fields) } else { Err(InvalidResponse::TooManyFields(most)) };
            assert_eq!(found, expected, "{fields} of {most}");
        }
        let text = "HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        for (bytes, is_accepted) in [(text.len(), true), (text.len() - 1, false)] {
            let mut read = Bytes::from(text);
            let head = parse(&mut read, &Method::GET, false, ResponseHeadBounds { bytes, ..BOUNDS });
            assert_eq!(
                head.map(|head| head.is_some()),
                if is_accepted { Ok(true) } else { Err(InvalidResponse::TooLarge(bytes)) }
            );
        }
    }

    #[test]
    fn a_reason_of_its_own_is_kept() {
        let mut read = Bytes::from_static(b"HTTP/1.1 200 Fine\r\n\r\n");
        let head = parse(&mut read, &Method::GET, false, BOUNDS).unwrap().unwrap();
        assert_eq!(head.response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
    }

    /// What becomes of bytes that come in these pieces, after which the connection ends or does not: a status and what
    /// follows the head, an error, or nothing.
    fn outcome(
        pieces: &[&[u8]],
        ends: bool,
    ) -> Result<Option<(u16, ResponseFraming, Vec<u8>)>, InvalidResponse> {
        let (mut heads, mut read) = (HeadReader::new(BOUNDS), Bytes::new());
        let mut head = None;
        for piece in pieces {
            read = [&read[..], piece].concat().into();
            if head.is_none() && !piece.is_empty() {
                head = heads.take(&mut read, piece.len(), &Method::GET, false)?;
            }
        }
        if head.is_none() && ends {
            head = heads.take(&mut read, 0, &Method::GET, true)?;
        }
        Ok(head.map(|head| (head.response.status().as_u16(), head.length, read.to_vec())))
    }

    /// Checks that bytes have one outcome, however they are cut, and after each of their beginnings.
    fn check_cuts(text: &[u8]) {
        for length in 0..=text.len() {
            let text = &text[..length];
            for ends in [false, true] {
                let whole = outcome(&[text], ends);
                for cut in 0..length {
                    let (first, second) = text.split_at(cut);
                    assert_eq!(outcome(&[first, second], ends), whole, "{text:?} cut at {cut}");
                }
                let bytes: Vec<&[u8]> = text.chunks(1).collect();
                assert_eq!(outcome(&bytes, ends), whole, "{text:?} byte by byte");
            }
        }
    }

    #[test]
    fn however_a_head_is_cut_its_outcome_is_the_same() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n0123456789",
            "HTTP/1.1 200 OK\r\na b",
            "HTTP/1.1 200 OK\r\na b\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.1 200 OK\na: \0\n\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n0\r\n\r\n",
            "\r\n\n\r\nHTTP/1.0 200\r\n\r\n",
            "\r\r\nHTTP/1.0 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\nconnection: close\r\n\r\nrest",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\n0123",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 200 O\x7fK\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "SSH-2.0-OpenSSH_9.9\r\n",
            "\x15\x03\x03\0\x02\x02\x50",
        ] {
            check_cuts(text.as_bytes());
        }
    }

    #[test]
    fn interim_responses_are_counted() {
        let interim = "HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n";
        let text = |count: usize| format!("{}HTTP/1.1 200 OK\r\n\r\n", interim.repeat(count));
        let most = MAX_INTERIM as usize;
        for cut in [1, 7, interim.len(), interim.len() + 1, 100_000] {
            let check = |text: &str| outcome(&text.as_bytes().chunks(cut).collect::<Vec<_>>(), false);
            assert!(check(&text(most)).unwrap().is_some());
            assert_eq!(check(&text(most + 1)), Err(InvalidResponse::Interim));
        }
        let large = format!("HTTP/1.1 103 Early Hints\r\na: {}\r\n\r\n", "b".repeat(BOUNDS.bytes / 2));
        for cut in [1000, 100_000, 200_000] {
            let check = |text: &str| outcome(&text.as_bytes().chunks(cut).collect::<Vec<_>>(), false);
            assert_eq!(check(&large), Ok(None));
            assert_eq!(check(&large.repeat(2)), Err(InvalidResponse::Interim));
        }
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_how_bytes_are_split(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 C\r\n\r\n", "HTTP/1.", "\r", "\n", "\r\n", ":", " ", "a: b",
                    "\r\n\r\n", "content-length: 4\r\n", "transfer-encoding: chunked\r\n", "\0", "\t", "é", "0",
                ]),
                0..12,
            ),
            cuts in prop::collection::vec(1_usize..30, 1..8),
            ends: bool,
        ) {
            let text = words.concat();
            let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = more;
            }
            prop_assert_eq!(outcome(&pieces, ends), outcome(&[text.as_bytes()], ends));
        }

        #[test]
        fn the_parser_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut read = Bytes::from([b"HTTP/1.1 200 OK\r\n".as_slice(), &bytes].concat());
            let _ = parse(&mut read, &Method::GET, true, BOUNDS);
        }

        #[test]
        fn an_incomplete_head_is_never_taken_for_a_head(values in prop::collection::vec("[ -~]{0,20}", 0..5)) {
            let fields = values.iter().map(|value| format!("x: {value}\r\n")).collect::<Vec<_>>().concat();
            let whole = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            for end in 0..whole.len() {
                let mut read = Bytes::copy_from_slice(&whole.as_bytes()[..end]);
                prop_assert!(parse(&mut read, &Method::GET, false, BOUNDS).unwrap().is_none());
            }
            let mut read = Bytes::from(whole);
            let head = parse(&mut read, &Method::GET, false, BOUNDS).unwrap().unwrap();
            prop_assert_eq!(head.response.headers().len(), values.len());
            prop_assert!(read.is_empty());
        }
    }
}
