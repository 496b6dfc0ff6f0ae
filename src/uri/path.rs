//! Paths of requests: normalization, and encoding for an upstream. (RFC 3986)
//!
//! Paths are compared as bytes, so that a path that is not UTF-8 after decoding can match a route; Kong's default router
//! answers 404 to it.

use std::borrow::Cow;

/// Brings the path of a request (without its query) to its normal form.
///
/// Octets that RFC 3986 reserves stay encoded, in upper case; all others are decoded. Then dot segments are
/// removed and double slashes merged. A `%` without two hexadecimal digits (`%zz`) stays as it is. The result begins with `/`.
#[must_use]
pub fn normalize_path(raw: &[u8]) -> Cow<'_, [u8]> {
    if is_normal(raw) {
        return Cow::Borrowed(raw);
    }
    let decoded = decode(raw);
    let relative = decoded.strip_prefix(b"/").unwrap_or(&decoded);
    let mut normal = Vec::with_capacity(decoded.len() + 1);
    let mut ends_in_dots = false;
    for segment in relative.split(|byte| *byte == b'/') {
        ends_in_dots = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => {
                let parent = normal.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                normal.truncate(parent);
            }
            _ => {
                normal.push(b'/');
                normal.extend_from_slice(segment);
            }
        }
    }
    if ends_in_dots {
        normal.push(b'/');
    }
    normal.dedup_by(|second, first| [*first, *second] == *b"//");
    Cow::Owned(normal)
}

/// Whether a path is malformed: `%` without two hexadecimal digits, an encoded NUL, or a `..` that leaves the root.
#[must_use]
pub fn is_invalid_path(raw: &[u8]) -> bool {
    if is_normal(raw) {
        return false;
    }
    let octets = raw.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    let is_malformed = |at: usize| octet(b'%', &raw[at + 1..]).is_none_or(|(octet, _)| octet == 0);
    octets.map(|(at, _)| at).any(is_malformed) || leaves_root(&decode(raw))
}

fn leaves_root(path: &[u8]) -> bool {
    let mut depth = 0_usize;
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => (),
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Whether a configured prefix is in normal form, as a request's path is when they are compared.
///
/// # Errors
/// The normal form, if the prefix differs from it; no request could match the prefix.
pub fn check_prefix_is_normal(prefix: &str) -> Result<(), String> {
    match normalize_path(prefix.as_bytes()) {
        Cow::Borrowed(_) => Ok(()),
        Cow::Owned(normal) if normal == prefix.as_bytes() => Ok(()),
        Cow::Owned(normal) => Err(String::from_utf8_lossy(&normal).into_owned()),
    }
}

/// Encodes a path for the upstream: bytes that a URI may not contain become octets. (RFC 3986, section 2.)
#[must_use]
pub fn encode_path(path: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(path)
        && path.iter().copied().all(is_uri_byte)
    {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(path.len() + 16);
    for &byte in path {
        if is_uri_byte(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(percent_encoding::percent_encode_byte(byte));
        }
    }
    Cow::Owned(encoded)
}

/// Whether [`normalize_path`] has nothing to do: no `%`, no double slash, no segment that begins with a dot. False for some
/// paths that are normal.
fn is_normal(raw: &[u8]) -> bool {
    let after_slash = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.']);
    raw.starts_with(b"/") && !raw.contains(&b'%') && !raw.windows(2).any(after_slash)
}

fn decode(raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match octet(*first, tail) {
            Some((octet, after)) => {
                rest = after;
                if RESERVED.contains(&octet) {
                    decoded.push(b'%');
                    decoded.extend(tail.iter().take(2).map(u8::to_ascii_uppercase));
                } else {
                    decoded.push(octet);
                }
            }
            None => decoded.push(*first),
        }
    }
    decoded
}

/// Octets whose meaning changes when they are decoded. `%` is among them, as it would begin an octet.
const RESERVED: &[u8] = b"!*'();:@&=+$,/?%#[]";

/// The octet that `%` and the next two bytes encode, and what comes after them.
fn octet(first: u8, tail: &[u8]) -> Option<(u8, &[u8])> {
    let (b'%', [high, low, after @ ..]) = (first, tail) else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4 | digit(low)?, after))
}

const fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'/' | b':')
        || matches!(byte, b';' | b'=' | b'?' | b'@' | b'[' | b']' | b'-' | b'_' | b'.' | b'~' | b'%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_paths_are_recognised() {
        for (path, invalid) in [
            ("/", false),
            ("/a/../b", false),
            ("/a//../b/..", false),
            ("/%7Ea", false),
            ("/..", true),
            ("/%2e%2E/a", true),
            ("/a/../../b", true),
            ("//..", true),
            ("/a%00", true),
            ("/%zz", true),
            ("/%", true),
            ("/a%2", true),
        ] {
            assert_eq!(is_invalid_path(path.as_bytes()), invalid, "{path}");
        }
    }

    #[test]
    fn a_prefix_that_no_request_can_match_gets_its_normal_form() {
        #[track_caller]
        fn check(prefix: &str, expected: Result<(), &str>) {
            assert_eq!(check_prefix_is_normal(prefix), expected.map_err(String::from), "{prefix}");
        }
        check("/a", Ok(()));
        check("/a/", Ok(()));
        check("/a.b/.c", Ok(()));
        check("/a%2Fb", Ok(()));
        check("/caf\u{e9}", Ok(()));
        check("/a%2fb", Err("/a%2Fb"));
        check("/a/../b", Err("/b"));
        check("//b", Err("/b"));
        check("/%62", Err("/b"));
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in ["/", "/a/b", "/a/b/", "/a.b"] {
            assert!(matches!(normalize_path(path.as_bytes()), Cow::Borrowed(_)), "{path}");
            assert!(matches!(encode_path(path.as_bytes()), Cow::Borrowed(_)), "{path}");
        }
    }

    #[test]
    fn a_path_without_a_slash_gets_one() {
        for (raw, normal) in [("", "/"), ("a/b", "/a/b"), ("..", "/"), ("*", "/*")] {
            assert_eq!(normalize_path(raw.as_bytes()), normal.as_bytes(), "{raw}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn a_normal_path_stays_as_it_is(raw in "(/|\\.|%2[eEfF5]|%41|a|b){0,12}") {
            let once = normalize_path(raw.as_bytes()).into_owned();
            prop_assert_eq!(once.first(), Some(&b'/'));
            prop_assert!(!once.windows(2).any(|pair| pair == b"//"));
            prop_assert_eq!(normalize_path(&once), &once[..], "{}", raw);
        }
    }
}
