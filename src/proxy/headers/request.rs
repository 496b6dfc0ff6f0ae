//! Fields towards the upstream: who asked, for what, over which way.

use std::{
    io::{Cursor, Write},
    net::IpAddr,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, COOKIE, EXPECT, HOST, MAX_FORWARDS, TE, UPGRADE},
};

use super::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PATH, X_FORWARDED_PORT, X_FORWARDED_PREFIX,
    X_FORWARDED_PROTO, X_KONG_REQUEST_ID, X_REAL_IP, append_item, append_via, asks_for_websocket,
    hop_by_hop::lists, strip_hop_by_hop,
};

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// In plain text.
    Http,
    /// In TLS.
    Https,
}

/// What an upstream is told about a request.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding<'a> {
    /// The peer of the connection.
    pub(crate) peer: IpAddr,
    /// Whether the peer is trusted, and so the X-Forwarded fields it sent.
    pub(crate) trusted: bool,
    /// The client: the peer, or whom a trusted peer speaks for.
    pub(crate) client: IpAddr,
    /// How the request came in.
    pub(crate) scheme: Scheme,
    /// The host that the request is for; a port is cut off.
    pub(crate) host: &'a str,
    /// The port that the client used: the listener's, if no port map says otherwise.
    pub(crate) port: u16,
    /// The path as it came, not normalised, without the query.
    pub(crate) raw_path: &'a str,
    /// What `strip_path` took away from the path, if anything.
    pub(crate) stripped_prefix: Option<&'a [u8]>,
    /// The value of X-Kong-Request-Id; none leaves the field alone. (Kong: option `headers_upstream`.)
    pub(crate) request_id: Option<HeaderValue>,
    /// The protocol that the request was received in.
    pub(crate) version: Version,
    /// The Host that the upstream gets; none keeps the client's. (Kong: Route `preserve_host`.)
    pub(crate) upstream_host: Option<HeaderValue>,
}

/// Turns the fields that a client sent into those that the upstream gets; tells whether they ask for WebSocket.
///
/// Hop-by-hop fields go, the gateway is appended to Via, and the connection is kept alive. An untrusted peer's
/// X-Forwarded fields are replaced, except that X-Forwarded-For always grows by the peer; a trusted peer's are kept.
/// Expect goes, as the gateway has met it itself. (Kong docs: Proxying, "Headers Forwarded to the upstream".)
pub(crate) fn forward_request_headers(headers: &mut HeaderMap, forwarding: &Forwarding<'_>) -> bool {
    let websocket = asks_for_websocket(headers, forwarding.version);
    let te_is_named = forwarding.version == Version::HTTP_2 || lists(headers, &CONNECTION, "te");
    strip_hop_by_hop(headers);
    headers.remove(EXPECT);
    if forwarding.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if websocket {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    // Who sends TE has to name it, so that the next one takes it away (RFC 9110, section 10.1.4); where the client
    // did not, it goes as it came, as Kong lets it.
    let connection = match (websocket, te_is_named && headers.contains_key(TE)) {
        (false, false) => "keep-alive",
        (false, true) => "keep-alive, TE",
        (true, false) => "keep-alive, Upgrade",
        (true, true) => "keep-alive, Upgrade, TE",
    };
    headers.insert(CONNECTION, HeaderValue::from_static(connection));
    append_via(headers, forwarding.version);
    if let Some(host) = &forwarding.upstream_host {
        headers.insert(HOST, host.clone());
    }
    if let Some(id) = &forwarding.request_id {
        headers.insert(X_KONG_REQUEST_ID, id.clone());
    }
    insert_addresses(headers, forwarding);
    insert_forwarded(headers, forwarding);
    websocket
}

/// Lets a request go one step less far, if it says how far. (RFC 9110, section 7.6.2)
pub(crate) fn count_forward(headers: &mut HeaderMap) {
    let left = headers.get(MAX_FORWARDS).and_then(|it| it.to_str().ok()?.parse::<u32>().ok());
    if let Some(left) = left {
        headers.insert(MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
    }
}

/// Makes one field of the crumbs that HTTP/2 may send a Cookie in (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, cookie);
    }
}

/// X-Real-IP and X-Forwarded-For.
fn insert_addresses(headers: &mut HeaderMap, forwarding: &Forwarding<'_>) {
    let client = address_value(forwarding.client);
    if headers.contains_key(X_FORWARDED_FOR) {
        let peer = address_value(forwarding.peer);
        append_item(headers, X_FORWARDED_FOR, peer.clone().as_bytes(), peer);
    } else {
        headers.insert(X_FORWARDED_FOR, client.clone());
    }
    headers.insert(X_REAL_IP, client);
}

/// The other X-Forwarded fields, each of which a trusted peer may have set already.
fn insert_forwarded(headers: &mut HeaderMap, forwarding: &Forwarding<'_>) {
    let mut offer = |name: HeaderName, value: &dyn Fn() -> Option<HeaderValue>| {
        if forwarding.trusted && headers.contains_key(&name) {
            return;
        }
        match value() {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        }
    };
    offer(X_FORWARDED_PROTO, &|| {
        Some(HeaderValue::from_static(match forwarding.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }))
    });
    offer(X_FORWARDED_HOST, &|| host_value(forwarding.host));
    offer(X_FORWARDED_PORT, &|| Some(HeaderValue::from(forwarding.port)));
    offer(X_FORWARDED_PATH, &|| HeaderValue::from_bytes(forwarding.raw_path.as_bytes()).ok());
    offer(X_FORWARDED_PREFIX, &|| {
        // As it was matched: decoded.
        let prefix = forwarding.stripped_prefix.filter(|prefix| !matches!(*prefix, b"" | b"/"));
        prefix.and_then(|prefix| HeaderValue::from_bytes(prefix).ok())
    });
}

fn address_value(address: IpAddr) -> HeaderValue {
    let mut text = Cursor::new([0; 64]);
    let written = write!(text, "{}", address.to_canonical());
    let length = usize::try_from(text.position()).unwrap_or(0);
    let value = text.get_ref().get(..length).filter(|_| written.is_ok());
    value.and_then(|value| HeaderValue::from_bytes(value).ok()).unwrap_or(HeaderValue::from_static(""))
}

/// A host in lower case, without its port and without the dot of the root. (As nginx's `$host`.)
fn host_value(host: &str) -> Option<HeaderValue> {
    let end = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => colon,
        _ => host.len(),
    };
    let host = host[..end].strip_suffix('.').unwrap_or(&host[..end]);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        HeaderValue::from_str(&host.to_ascii_lowercase()).ok()
    } else {
        HeaderValue::from_str(host).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::VIA_1_1, *};

    /// A plain request from 127.0.0.1 for /e/a to a Service at 127.0.0.1:29000, whose Route strips /e.
    fn plain() -> Forwarding<'static> {
        Forwarding {
            peer: [127, 0, 0, 1].into(),
            trusted: false,
            client: [127, 0, 0, 1].into(),
            scheme: Scheme::Http,
            host: "localhost",
            port: 28000,
            raw_path: "/e/a",
            stripped_prefix: Some(b"/e"),
            request_id: Some(HeaderValue::from_static("0123")),
            version: Version::HTTP_11,
            upstream_host: Some(HeaderValue::from_static("127.0.0.1:29000")),
        }
    }

    /// What the upstream gets if the client sends Host only.
    const EXPECTED: [(&str, &str); 11] = [
        ("host", "127.0.0.1:29000"),
        ("connection", "keep-alive"),
        ("via", VIA_1_1),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-port", "28000"),
        ("x-forwarded-path", "/e/a"),
        ("x-forwarded-prefix", "/e"),
        ("x-real-ip", "127.0.0.1"),
        ("x-kong-request-id", "0123"),
    ];

    /// Checks that the upstream gets [`EXPECTED`], but for `differences`; an empty value stands for no field.
    #[track_caller]
    fn check(forwarding: &Forwarding<'_>, sent: &[(&str, &str)], differences: &[(&'static str, &str)]) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        forward_request_headers(&mut headers, forwarding);
        let mut expected = HeaderMap::new();
        for (name, value) in EXPECTED.iter().chain(differences) {
            expected.insert(*name, value.parse().unwrap());
        }
        for (name, _) in differences.iter().filter(|(_, value)| value.is_empty()) {
            expected.remove(*name);
        }
        assert_eq!(headers, expected);
    }

    /// What a client sends that pretends to be a proxy.
    const CLAIMS: [(&str, &str); 9] = [
        ("x-forwarded-for", "9.9.9.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "h.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-path", "/zz"),
        ("x-forwarded-prefix", "/yy"),
        ("x-real-ip", "8.8.8.8"),
        ("via", "1.1 client"),
        ("x-kong-request-id", "abc"),
    ];

    #[test]
    fn the_upstream_is_told_who_asked_for_what() {
        check(&plain(), &[("host", "localhost")], &[]);
        check(&Forwarding { scheme: Scheme::Https, ..plain() }, &[], &[("x-forwarded-proto", "https")]);
        check(&Forwarding { host: "Shop.Test:8443", ..plain() }, &[], &[("x-forwarded-host", "shop.test")]);
        check(&Forwarding { host: "[::1]:80", ..plain() }, &[], &[("x-forwarded-host", "[::1]")]);
        check(&Forwarding { stripped_prefix: Some(b"/"), ..plain() }, &[], &[("x-forwarded-prefix", "")]);
        check(&Forwarding { stripped_prefix: None, ..plain() }, &[], &[("x-forwarded-prefix", "")]);
        check(&Forwarding { raw_path: "/%7Ea//b", ..plain() }, &[], &[("x-forwarded-path", "/%7Ea//b")]);
        check(&Forwarding { upstream_host: None, ..plain() }, &[("host", "A:1")], &[("host", "A:1")]);
        check(
            &Forwarding { request_id: None, ..plain() },
            &[("x-kong-request-id", "abc")],
            &[("x-kong-request-id", "abc")],
        );
    }

    #[test]
    fn an_untrusted_peer_cannot_speak_for_others() {
        let via = format!("1.1 client, {VIA_1_1}");
        check(&plain(), &CLAIMS, &[("x-forwarded-for", "9.9.9.9, 127.0.0.1"), ("via", &via)]);
        let two = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
        check(&plain(), &two, &[("x-forwarded-for", "1.1.1.1, 2.2.2.2, 127.0.0.1")]);
    }

    #[test]
    fn a_trusted_peer_can() {
        let forwarding = Forwarding { trusted: true, client: [8, 8, 8, 8].into(), ..plain() };
        let via = format!("1.1 client, {VIA_1_1}");
        let expected = [
            ("x-forwarded-for", "9.9.9.9, 127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "h.example"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-path", "/zz"),
            ("x-forwarded-prefix", "/yy"),
            ("x-real-ip", "8.8.8.8"),
            ("via", &via),
        ];
        check(&forwarding, &CLAIMS, &expected);
        check(&forwarding, &[], &[("x-forwarded-for", "8.8.8.8"), ("x-real-ip", "8.8.8.8")]);
    }

    #[test]
    fn via_names_the_protocol_of_the_request() {
        for (version, received) in
            [(Version::HTTP_10, "1.0"), (Version::HTTP_11, "1.1"), (Version::HTTP_2, "2")]
        {
            let via = format!("{received} mynah/{}", env!("CARGO_PKG_VERSION"));
            check(&Forwarding { version, ..plain() }, &[], &[("via", &via)]);
        }
    }

    #[test]
    fn crumbs_of_a_cookie_are_joined() {
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2")];
        let version = Version::HTTP_2;
        let via = format!("2 mynah/{}", env!("CARGO_PKG_VERSION"));
        check(&Forwarding { version, ..plain() }, &crumbs, &[("cookie", "a=1; b=2"), ("via", &via)]);
    }

    #[test]
    fn a_request_goes_as_far_as_it_says() {
        for (says, passed) in [("5", "4"), ("0", "0"), ("many", "many")] {
            let mut headers = HeaderMap::new();
            headers.insert(MAX_FORWARDS, HeaderValue::from_static(says));
            count_forward(&mut headers);
            assert_eq!(headers[MAX_FORWARDS], passed);
        }
    }

    #[test]
    fn only_websocket_passes_as_an_upgrade() {
        let ask = |protocol| [("connection", "Upgrade"), ("upgrade", protocol)];
        let websocket = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        check(&plain(), &ask("websocket"), &websocket);
        check(&plain(), &ask("foo"), &[]);
        check(&plain(), &[("expect", "100-continue"), ("te", "trailers, gzip")], &[("te", "trailers")]);
        let named = [("te", "trailers"), ("connection", "keep-alive, TE")];
        check(&plain(), &[("connection", "close, TE"), ("te", "trailers, gzip")], &named);
        let both = [("connection", "upgrade, te"), ("upgrade", "websocket"), ("te", "trailers")];
        let connection = ("connection", "keep-alive, Upgrade, TE");
        check(&plain(), &both, &[connection, ("upgrade", "websocket"), ("te", "trailers")]);
    }
}
