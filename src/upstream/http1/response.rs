//! The head of a response: what it says, how long its body is, and whether the connection can be used again.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::Invalid;
use crate::upstream::head::MAX_HEAD;

/// The most fields of a response.
const MAX_FIELDS: usize = 100;

/// A head that has been understood.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) response: Response<()>,
    pub(super) length: Length,
    /// Whether the upstream takes another request afterwards.
    pub(super) keep_alive: bool,
}

/// How the end of a body is known. (RFC 9112, section 6.3)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Known(u64),
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// Whether it is time to look at a head of which the last `came` bytes are new: it begins, a line of it has ended, or
/// it is too large. So a head that comes byte by byte is looked at once for each line.
pub(super) fn is_due(read: &[u8], came: usize) -> bool {
    let new = &read[read.len().saturating_sub(came)..];
    // Blank lines before a head are no lines of it.
    let begun = || read.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
    new.len() == read.len() || read.len() >= MAX_HEAD || (new.contains(&b'\n') && begun())
}

/// Takes the head of a response to `method` from the front of what was read; none if it is not complete.
pub(super) fn parse(read: &mut Bytes, method: &Method) -> Result<Option<Received>, Invalid> {
    let mut fields = [const { std::mem::MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let end = match config.parse_response_with_uninit_headers(&mut parsed, read, &mut fields) {
        Ok(Status::Complete(end)) if end <= MAX_HEAD => end,
        Ok(Status::Partial) if read.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Invalid::TooLarge),
        Err(error) => return Err(Invalid::Head(error)),
    };
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| Invalid::Status)?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    if let Some(reason) = parsed.reason.filter(|it| Some(*it) != status.canonical_reason())
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    let mut ends = Ends::of(version);
    let headers = response.headers_mut();
    // A gateway adds some of its own.
    headers.reserve(parsed.headers.len() + 8);
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Invalid::Field)?;
        let value =
            HeaderValue::from_maybe_shared(read.slice_ref(field.value)).map_err(|_| Invalid::Field)?;
        if name == CONNECTION {
            ends.read(&value);
        }
        headers.append(name, value);
    }
    let length = length(response.status(), version, response.headers(), method)?;
    *read = read.slice(end..);
    let keep_alive = !ends.closes && length != Length::UntilClose;
    Ok(Some(Received { response, length, keep_alive }))
}

/// Whether a connection ends with a response. (RFC 9112, section 9.3)
struct Ends {
    closes: bool,
    /// Once a field says so, no other one takes it back.
    said: bool,
}

impl Ends {
    fn of(version: Version) -> Self {
        Self { closes: version != Version::HTTP_11, said: false }
    }

    fn read(&mut self, connection: &HeaderValue) {
        for option in connection.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                (self.closes, self.said) = (true, true);
            } else if option.eq_ignore_ascii_case(b"keep-alive") && !self.said {
                self.closes = false;
            }
        }
    }
}

fn length(
    status: StatusCode,
    version: Version,
    headers: &HeaderMap,
    method: &Method,
) -> Result<Length, Invalid> {
    if status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || *method == Method::HEAD
    {
        return Ok(Length::Known(0));
    }
    if let Some(last) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        if version == Version::HTTP_10 {
            return Err(Invalid::TransferEncoding);
        }
        let coding = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        return Ok(if chunked { Length::Chunked } else { Length::UntilClose });
    }
    let mut known = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for one in value.as_bytes().split(|byte| *byte == b',') {
            let one = decimal(one.trim_ascii()).ok_or(Invalid::ContentLength)?;
            if known.replace(one).is_some_and(|other| other != one) {
                return Err(Invalid::ContentLength);
            }
        }
    }
    Ok(known.map_or(Length::UntilClose, Length::Known))
}

/// A number of digits alone.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks what is understood of a response to a GET: status, length, whether the connection stays, and the rest.
    #[track_caller]
    fn check(text: &str, expected: Option<(u16, Length, bool, &str)>) {
        let mut read = Bytes::copy_from_slice(text.as_bytes());
        let head = parse(&mut read, &Method::GET).unwrap();
        let found = head.map(|it| (it.response.status().as_u16(), it.length, it.keep_alive));
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
        check(&with("content-length: 4\r\n"), Some((200, Length::Known(4), true, "rest")));
        check(
            &with("Content-Length: 4, 4\r\ncontent-length: 4\r\n"),
            Some((200, Length::Known(4), true, "rest")),
        );
        check(&with(""), Some((200, Length::UntilClose, false, "rest")));
        check("HTTP/1.1 204\r\n\r\n", Some((204, Length::Known(0), true, "")));
    }

    #[test]
    fn the_last_coding_and_not_a_length_ends_a_body() {
        let chunked = Some((200, Length::Chunked, true, "rest"));
        check(&with("transfer-encoding: chunked\r\ncontent-length: 4\r\n"), chunked);
        check(&with("transfer-encoding: gzip, Chunked\r\n"), chunked);
        check(&with("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n"), chunked);
        check(&with("transfer-encoding: chunked, gzip\r\n"), Some((200, Length::UntilClose, false, "rest")));
    }

    #[test]
    fn a_connection_stays_unless_one_of_them_ends_it() {
        let length = "content-length: 4\r\n";
        for (fields, stays) in [
            ("connection: close\r\n", false),
            ("connection: close\r\nconnection: keep-alive\r\n", false),
            ("connection: keep-alive, Close\r\n", false),
            ("connection: keep-alive\r\n", true),
        ] {
            check(&with(&format!("{fields}{length}")), Some((200, Length::Known(4), stays, "rest")));
        }
        let old = "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n";
        check(&format!("{old}\r\n"), Some((200, Length::Known(0), false, "")));
        check(&format!("{old}connection: keep-alive\r\n\r\n"), Some((200, Length::Known(0), true, "")));
    }

    #[test]
    fn a_head_in_small_pieces_is_looked_at_once_for_each_line() {
        let looks = |text: &str| {
            (1..=text.len()).filter(|end| is_due(&text.as_bytes()[..*end], 1)).collect::<Vec<_>>()
        };
        // At its first byte, and at the end of each line.
        assert_eq!(looks(&with("a: b\r\n")), [1, 17, 23, 25]);
        assert_eq!(looks(&format!("{}H", "\r\n".repeat(50))), [1]);
        let long = "x".repeat(MAX_HEAD + 1);
        assert_eq!(looks(&long), [1, MAX_HEAD, MAX_HEAD + 1]);
    }

    /// Checks why a response is refused.
    #[track_caller]
    fn check_invalid(text: &str, expected: &str) {
        let refused = parse(&mut Bytes::copy_from_slice(text.as_bytes()), &Method::GET).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{text:?}");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for value in ["1\r\ncontent-length: 2", "1, 2", "+1", "0x1", "", "18446744073709551616", "1 2"] {
            check_invalid(&with(&format!("content-length: {value}\r\n")), "the Content-Length is invalid");
        }
        check_invalid(
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.0 has no Transfer-Encoding",
        );
        check_invalid("SSH-2.0-OpenSSH_9.9\r\n", "invalid HTTP version");
        check_invalid(&with("a : b\r\n"), "invalid header name");
        check_invalid(&with("a: b\r\n c\r\n"), "invalid header name");
        check_invalid(&with(&"x: 1\r\n".repeat(101)), "too many headers");
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(MAX_HEAD));
        check_invalid(&long, "the head is too large");
    }

    #[test]
    fn a_reason_of_its_own_is_kept() {
        let mut read = Bytes::from_static(b"HTTP/1.1 200 Fine\r\n\r\n");
        let head = parse(&mut read, &Method::GET).unwrap().unwrap();
        assert_eq!(head.response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut read = Bytes::from([b"HTTP/1.1 200 OK\r\n".as_slice(), &bytes].concat());
            let _ = parse(&mut read, &Method::GET);
        }

        #[test]
        fn a_part_of_a_head_is_never_taken_for_one(values in prop::collection::vec("[ -~]{0,20}", 0..5)) {
            let fields = values.iter().map(|value| format!("x: {value}\r\n")).collect::<Vec<_>>().concat();
            let whole = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            for end in 0..whole.len() {
                let mut read = Bytes::copy_from_slice(&whole.as_bytes()[..end]);
                prop_assert!(parse(&mut read, &Method::GET).unwrap().is_none());
            }
            let mut read = Bytes::from(whole);
            let head = parse(&mut read, &Method::GET).unwrap().unwrap();
            prop_assert_eq!(head.response.headers().len(), values.len());
            prop_assert!(read.is_empty());
        }
    }
}
