//! Fields that speak about one connection and end with it. (RFC 9110, section 7.6.1)

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, COOKIE, EXPECT, HOST, MAX_FORWARDS, PROXY_AUTHORIZATION, RANGE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{KEEP_ALIVE, PROXY, PROXY_CONNECTION};

/// The fields that a sender wants to end with its connection.
#[derive(Debug)]
pub(super) struct Nominated(Vec<HeaderName>);

/// Removes what belongs to the connection that a message came over: Connection and the fields it names, Keep-Alive,
/// Proxy-Connection, Transfer-Encoding, Upgrade, and TE but for `trailers`. Two more fields go for safety: Proxy
/// (which CGI programs take for their own setting), and names that programs take for framing because they read `_` as
/// `-`.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages have few of these, and looking at all names costs less than looking each of these up.
    let is_one = |name: &HeaderName| {
        matches!(
            name.as_str(),
            "connection"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "upgrade"
                | "proxy"
                | "te"
                | "transfer_encoding"
                | "content_length"
        )
    };
    let found = headers.keys().filter(|name| is_one(name)).count();
    if found == 0 {
        return;
    }
    let nominated = Nominated::by(headers);
    if headers.remove(CONNECTION).is_some() && found == 1 && nominated.0.is_empty() {
        return;
    }
    let trailers = headers.get_all(TE).iter().any(|value| lists(value, "trailers"));
    for name in nominated.0 {
        headers.remove(name);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, PROXY] {
        headers.remove(name);
    }
    headers.remove("transfer_encoding");
    headers.remove("content_length");
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(TE);
    }
}

impl Nominated {
    /// Those that Connection names. A peer cannot name Host, Content-Length or an X-Forwarded field: these say how far
    /// a message reaches, where it goes and whence it came.
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let mut nominated = Vec::new();
        for value in headers.get_all(CONNECTION).iter().filter(|value| !is_plain(value)) {
            let names = value.as_bytes().split(|byte| *byte == b',');
            nominated.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()));
        }
        nominated.retain(|name| {
            *name != HOST && *name != CONTENT_LENGTH && !name.as_str().starts_with("x-forwarded-")
        });
        Self(nominated)
    }

    pub(super) fn has(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

/// Removes from trailers what says how a message is framed, where it goes, who sends it, or how its content is read:
/// whoever merges trailers into the fields before them would be misled. (RFC 9110, section 6.5.1)
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    for name in
        [CONTENT_LENGTH, TRANSFER_ENCODING, TE, TRAILER, CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, UPGRADE]
    {
        trailers.remove(name);
    }
    for name in [HOST, EXPECT, MAX_FORWARDS, RANGE, CACHE_CONTROL, AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE]
    {
        trailers.remove(name);
    }
    for name in [CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE, PROXY] {
        trailers.remove(name);
    }
    let joined: Vec<HeaderName> =
        trailers.keys().filter(|name| is_taken_for_another(name)).cloned().collect();
    for name in joined {
        trailers.remove(name);
    }
}

/// Whether a name is one of those that say whence a request came, or is read as framing by programs that take `_` for
/// `-`.
fn is_taken_for_another(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded-") || matches!(name, "x-real-ip" | "content_length" | "transfer_encoding")
}

/// Whether a request asks to speak WebSocket from now on (RFC 6455, section 4.1). Every other upgrade is ignored,
/// h2c above all. In HTTP/2 there are no such fields but those of `extended_connect`.
pub(crate) fn asks_for_websocket(headers: &HeaderMap, version: Version) -> bool {
    matches!(version, Version::HTTP_11 | Version::HTTP_2)
        && headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && headers.get_all(CONNECTION).iter().any(|value| lists(value, "upgrade"))
}

/// Whether a list has an item, in any case; parameters of the item do not matter.
pub(super) fn lists(value: &HeaderValue, item: &str) -> bool {
    value.to_str().is_ok_and(|value| {
        value
            .split(',')
            .any(|own| own.split(';').next().is_some_and(|own| own.trim().eq_ignore_ascii_case(item)))
    })
}

/// Whether a Connection value names no field that would have to be looked for.
fn is_plain(value: &HeaderValue) -> bool {
    [b"keep-alive".as_slice(), b"close", b"upgrade"]
        .iter()
        .any(|it| value.as_bytes().eq_ignore_ascii_case(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    /// Checks what is left of `fields`.
    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: &[(&str, &str)]) {
        let mut headers = map(fields);
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers, map(expected));
    }

    #[test]
    fn what_belongs_to_the_connection_ends_with_it() {
        check(
            &[
                ("connection", "close, X-Hop"),
                ("x-hop", "1"),
                ("keep-alive", "x"),
                ("proxy-connection", "x"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("proxy", "http://evil"),
                ("transfer_encoding", "chunked"),
                ("content_length", "3"),
                ("accept", "*/*"),
                ("proxy-authorization", "Basic x"),
                ("trailer", "x-sum"),
            ],
            &[("accept", "*/*"), ("proxy-authorization", "Basic x"), ("trailer", "x-sum")],
        );
        check(&[("connection", "keep-alive"), ("keep-alive", "timeout=5"), ("etag", "1")], &[("etag", "1")]);
    }

    #[test]
    fn every_line_of_connection_nominates() {
        check(
            &[
                ("connection", "a"),
                ("connection", "close"),
                ("connection", " b ,, c"),
                ("a", "1"),
                ("b", "1"),
                ("c", "1"),
            ],
            &[],
        );
    }

    #[test]
    fn nomination_cannot_remove_what_others_rely_on() {
        let fields = [("host", "a"), ("content-length", "1"), ("x-forwarded-for", "192.0.2.1")];
        let nomination = ("connection", "Host, Content-Length, X-Forwarded-For");
        check(&[&fields[..], &[nomination]].concat(), &fields);
    }

    #[test]
    fn trailers_say_nothing_that_is_for_the_head() {
        let mut trailers = map(&[
            ("trailer", ""),
            ("content-length", "3"),
            ("transfer_encoding", "chunked"),
            ("host", "evil.example"),
            ("authorization", "Basic x"),
            ("x-forwarded-for", "192.0.2.1"),
            ("cookie", "a=b"),
            ("x-sum", "1"),
            ("grpc-status", "0"),
        ]);
        strip_trailers(&mut trailers);
        assert_eq!(trailers, map(&[("x-sum", "1"), ("grpc-status", "0")]));
    }

    #[test]
    fn te_keeps_trailers_only() {
        check(&[("te", "trailers"), ("connection", "TE")], &[("te", "trailers")]);
        check(&[("te", "gzip;q=0.5, Trailers")], &[("te", "trailers")]);
        check(&[("te", "gzip"), ("te", "deflate")], &[]);
    }

    #[test]
    fn only_a_complete_request_for_websocket_is_one() {
        let table = [
            (vec![("connection", "Upgrade"), ("upgrade", "websocket")], Version::HTTP_11, true),
            (vec![("connection", "keep-alive, upgrade"), ("upgrade", "WebSocket")], Version::HTTP_11, true),
            (vec![("connection", "Upgrade"), ("upgrade", "websocket")], Version::HTTP_10, false),
            (vec![("upgrade", "websocket")], Version::HTTP_11, false),
            (vec![("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")], Version::HTTP_11, false),
        ];
        for (fields, version, expected) in table {
            assert_eq!(asks_for_websocket(&map(&fields), version), expected, "{fields:?}");
        }
    }
}
