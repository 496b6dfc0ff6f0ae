//! Fields towards the upstream: who asked, for what, over which way.
//!
//! They are not put together as a map: whoever writes them gets one after the other, so that the fields of the client
//! stay where they are and nothing is copied twice.

use std::io::{Cursor, Write};

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, COOKIE, HOST, TE, VIA},
};

use super::{
    X_FORWARDED_FOR,
    hop_by_hop::{Nominated, lists},
    via,
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
    /// The address of the peer of the connection.
    pub(crate) peer: &'a str,
    /// Whether the peer is trusted, and so the X-Forwarded fields it sent.
    pub(crate) trusted: bool,
    /// The address of the client: the peer, or whom a trusted peer speaks for.
    pub(crate) client: &'a str,
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
    pub(crate) request_id: Option<&'a str>,
    /// The protocol that the request was received in.
    pub(crate) version: Version,
    /// The Host that the upstream gets; none keeps the client's. (Kong: Route `preserve_host`.)
    pub(crate) upstream_host: Option<HeaderValue>,
    /// Whether the request asks for WebSocket, and so goes on as such.
    pub(crate) websocket: bool,
    /// Whether Max-Forwards counts: it goes one step less far. (RFC 9110, section 7.6.2)
    pub(crate) counted: bool,
}

/// What of a client's fields is said anew.
#[derive(Default)]
struct Seen {
    te_trailers: bool,
    via: bool,
    forwarded_for: bool,
    crumbs: u32,
    /// Of the fields that a trusted peer may have set, those that it has.
    kept: [bool; 5],
}

/// Those fields.
const OFFERED: [&str; 5] =
    ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-path", "x-forwarded-prefix"];

impl Forwarding<'_> {
    /// Gives the fields that the upstream gets in place of those that the client sent. `host` stands in place of
    /// Host.
    ///
    /// Hop-by-hop fields go, the gateway is appended to Via, and the connection is kept alive. An untrusted peer's
    /// X-Forwarded fields are replaced, except that X-Forwarded-For always grows by the peer; a trusted peer's are
    /// kept. Expect goes, as the gateway has met it itself. (Kong docs: Proxying, "Headers Forwarded to the upstream".)
    pub(crate) fn give_fields(
        &self,
        headers: &HeaderMap,
        host: Option<&HeaderValue>,
        give: &mut impl FnMut(&str, &[u8]),
    ) {
        match host.or(self.upstream_host.as_ref()) {
            Some(host) => give("host", host.as_bytes()),
            None => headers.get_all(HOST).iter().for_each(|host| give("host", host.as_bytes())),
        }
        let seen = self.give_passing(headers, give);
        self.give_own(headers, &seen, give);
        self.give_forwarded(&seen, give);
    }

    /// Whether a request may go on as an upgrade; every other one than to WebSocket is ignored.
    fn connection(&self, te: bool) -> &'static [u8] {
        match (self.websocket, te) {
            (false, false) => b"keep-alive",
            (false, true) => b"keep-alive, TE",
            (true, false) => b"keep-alive, Upgrade",
            (true, true) => b"keep-alive, Upgrade, TE",
        }
    }

    /// The client's fields that are passed on as they came.
    fn give_passing(&self, headers: &HeaderMap, give: &mut impl FnMut(&str, &[u8])) -> Seen {
        let nominated = Nominated::by(headers);
        let mut seen = Seen::default();
        for (name, value) in headers {
            let text = name.as_str();
            if text != "te" && nominated.has(name) {
                continue;
            }
            let passes = match text {
                "host" | "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding"
                | "upgrade" | "proxy" | "transfer_encoding" | "content_length" | "expect" | "x-real-ip" => {
                    false
                }
                "te" => {
                    seen.te_trailers |= lists(value, "trailers");
                    false
                }
                "via" => {
                    seen.via = true;
                    false
                }
                "x-forwarded-for" => {
                    seen.forwarded_for = true;
                    false
                }
                "x-kong-request-id" => self.request_id.is_none(),
                "cookie" if self.version == Version::HTTP_2 => {
                    seen.crumbs += 1;
                    false
                }
                "max-forwards" if self.counted => {
                    give_counted(text, value, give);
                    false
                }
                _ if text.starts_with("x-forwarded-") => {
                    let kept = OFFERED.iter().position(|it| *it == text).map(|place| &mut seen.kept[place]);
                    kept.is_none_or(|kept| {
                        *kept = self.trusted;
                        self.trusted
                    })
                }
                _ => true,
            };
            if passes {
                give(text, value.as_bytes());
            }
        }
        seen
    }

    /// What is about this hop, and the lists that the gateway appends to.
    fn give_own(&self, headers: &HeaderMap, seen: &Seen, give: &mut impl FnMut(&str, &[u8])) {
        // Who sends TE has to name it, so that the next one takes it away (RFC 9110, section 10.1.4); where the client
        // did not, it goes as it came, as Kong lets it.
        let te_is_named = seen.te_trailers
            && (self.version == Version::HTTP_2
                || headers.get_all(CONNECTION).iter().any(|value| lists(value, "te")));
        give("connection", self.connection(te_is_named));
        if self.websocket {
            give("upgrade", b"websocket");
        }
        if seen.te_trailers {
            give(TE.as_str(), b"trailers");
        }
        if seen.via {
            give("via", &list(headers, &VIA, b", ", via(self.version)));
        } else {
            give("via", via(self.version).as_bytes());
        }
        if seen.forwarded_for {
            give("x-forwarded-for", &list(headers, &X_FORWARDED_FOR, b", ", self.peer));
        } else {
            give("x-forwarded-for", self.client.as_bytes());
        }
        give("x-real-ip", self.client.as_bytes());
        if let Some(id) = self.request_id {
            give("x-kong-request-id", id.as_bytes());
        }
        if seen.crumbs > 0 {
            // HTTP/2 may send a Cookie in crumbs. (RFC 9113, section 8.2.3)
            give("cookie", &list(headers, &COOKIE, b"; ", ""));
        }
    }

    /// The fields that a trusted peer may have set already.
    fn give_forwarded(&self, seen: &Seen, give: &mut impl FnMut(&str, &[u8])) {
        let [proto, host, port, path, prefix] = seen.kept;
        if !proto {
            give(OFFERED[0], if self.scheme == Scheme::Https { b"https" } else { b"http" });
        }
        if !host {
            give_host(OFFERED[1], self.host, give);
        }
        if !port {
            give_number(OFFERED[2], self.port.into(), give);
        }
        if !path {
            give(OFFERED[3], self.raw_path.as_bytes());
        }
        // As it was matched: decoded.
        if let Some(stripped) = self.stripped_prefix.filter(|it| !prefix && may_be_value(it)) {
            give(OFFERED[4], stripped);
        }
    }
}

/// Lets a request go one step less far, if it says how far.
fn give_counted(name: &str, value: &HeaderValue, give: &mut impl FnMut(&str, &[u8])) {
    match value.to_str().ok().and_then(|it| it.parse::<u32>().ok()) {
        Some(left) => give_number(name, left.saturating_sub(1), give),
        None => give(name, value.as_bytes()),
    }
}

fn give_number(name: &str, number: u32, give: &mut impl FnMut(&str, &[u8])) {
    let mut text = Cursor::new([0; 10]);
    // There is room for every number.
    let _ = write!(text, "{number}");
    let length = usize::try_from(text.position()).unwrap_or(0);
    give(name, text.get_ref().get(..length).unwrap_or_default());
}

/// Gives a host in lower case, without its port and without the dot of the root. (As nginx's `$host`.)
fn give_host(name: &str, host: &str, give: &mut impl FnMut(&str, &[u8])) {
    let end = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => colon,
        _ => host.len(),
    };
    let host = host[..end].strip_suffix('.').unwrap_or(&host[..end]);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        give(name, host.to_ascii_lowercase().as_bytes());
    } else {
        give(name, host.as_bytes());
    }
}

/// Whether a prefix says anything, and can stand in a field.
fn may_be_value(prefix: &[u8]) -> bool {
    !matches!(prefix, b"" | b"/") && prefix.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// All lines of a field as one, and an item after them, unless it is empty.
fn list(headers: &HeaderMap, name: &HeaderName, between: &[u8], item: &str) -> Vec<u8> {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes).chain([item.as_bytes()]);
    let mut list = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if !list.is_empty() {
            list.extend_from_slice(between);
        }
        list.extend_from_slice(line);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::{
        super::{VIA_1_1, asks_for_websocket},
        *,
    };

    /// A plain request from 127.0.0.1 for /e/a to a Service at 127.0.0.1:29000, whose Route strips /e.
    fn plain() -> Forwarding<'static> {
        Forwarding {
            peer: "127.0.0.1",
            trusted: false,
            client: "127.0.0.1",
            scheme: Scheme::Http,
            host: "localhost",
            port: 28000,
            raw_path: "/e/a",
            stripped_prefix: Some(b"/e"),
            request_id: Some("0123"),
            version: Version::HTTP_11,
            upstream_host: Some(HeaderValue::from_static("127.0.0.1:29000")),
            websocket: false,
            counted: false,
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
        let websocket = asks_for_websocket(&headers, forwarding.version);
        let mut given = HeaderMap::new();
        Forwarding { websocket, ..forwarding.clone() }.give_fields(&headers, None, &mut |name, value| {
            given.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            );
        });
        let mut expected = HeaderMap::new();
        for (name, value) in EXPECTED.iter().chain(differences) {
            expected.insert(*name, value.parse().unwrap());
        }
        for (name, _) in differences.iter().filter(|(_, value)| value.is_empty()) {
            expected.remove(*name);
        }
        assert_eq!(given, expected);
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
        let forwarding = Forwarding { trusted: true, client: "8.8.8.8", ..plain() };
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
            let counted = Forwarding { counted: true, ..plain() };
            check(&counted, &[("max-forwards", says)], &[("max-forwards", passed)]);
            check(&plain(), &[("max-forwards", says)], &[("max-forwards", says)]);
        }
    }

    #[test]
    fn a_peer_may_want_another_host() {
        let mut hosts = Vec::new();
        let other = HeaderValue::from_static("other");
        plain().give_fields(&HeaderMap::new(), Some(&other), &mut |name, value| {
            hosts.extend((name == "host").then(|| value.to_vec()));
        });
        assert_eq!(hosts, [b"other"]);
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
