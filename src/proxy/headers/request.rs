//! Fields towards the upstream: who asked, for what, over which way.
//!
//! They are not put together as a map: they are written one after the other, so that the fields of the client stay
//! where they are and nothing is copied twice.

use std::io::{Cursor, Write};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{COOKIE, HOST, TE, VIA},
};

use super::{X_FORWARDED_FOR, via};
use crate::{
    request_head::{ClientHead, UpstreamRequest, frames_message},
    uri::Scheme,
};

/// What an upstream is told about a request.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedFields<'a> {
    /// The address of the peer of the connection.
    pub(crate) peer: &'a str,
    /// The address of the client: the peer, or whom a trusted peer speaks for.
    pub(crate) client: &'a str,
    /// Whether the client uses TLS.
    pub(crate) scheme: Scheme,
    /// The port that the client used: the listener's, if no port map says otherwise.
    pub(crate) port: u16,
    /// What `strip_path` took away from the path, if anything.
    pub(crate) stripped_prefix: Option<&'a [u8]>,
    /// The value of X-Kong-Request-Id; none leaves it out. (Kong: option `headers_upstream`.)
    pub(crate) request_id: Option<&'a str>,
    /// The Host that the upstream gets; none keeps the client's. (Kong: Route `preserve_host`.)
    pub(crate) upstream_host: Option<HeaderValue>,
    /// Whether the request asks for WebSocket, and so goes on as such.
    pub(crate) websocket: bool,
    /// Whether the client accepts trailers.
    pub(crate) trailers: bool,
}

/// What of a client's fields is said anew.
#[derive(Default)]
struct ClientFieldSummary {
    via: bool,
    forwarded_for: bool,
    crumbs: u32,
    /// Of the fields that a trusted peer may have set, those that it has.
    kept: [bool; 5],
}

/// Those fields.
const OFFERED: [&str; 5] =
    ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-path", "x-forwarded-prefix"];

impl ForwardedFields<'_> {
    /// Gives the fields that the upstream gets: those of the client that pass and that no plugin has changed, those of
    /// the gateway, and those of plugins. `host` stands in place of Host.
    ///
    /// Hop-by-hop fields go, the gateway is appended to Via, and the connection is kept alive. An untrusted peer's
    /// X-Forwarded fields are replaced, except that X-Forwarded-For always grows by the peer; a trusted peer's are
    /// kept. Expect goes, as the gateway has met it itself. (Kong docs: Proxying, "Headers Forwarded to the upstream".)
    pub(crate) fn write_headers(
        &self,
        head: &ClientHead,
        upstream: &UpstreamRequest,
        host: Option<&HeaderValue>,
        give: &mut impl FnMut(&str, &[u8]),
    ) {
        let host = host.or(self.upstream_host.as_ref());
        if let Some(host) = host.or_else(|| head.field(HOST)) {
            give("host", host.as_bytes());
        }
        let seen = give_passing(head, upstream, give);
        self.give_own(head, &seen, give);
        self.give_forwarded(head, &seen, give);
        for (name, value) in upstream.edits().values().filter(|(name, _)| !self.is_own(name)) {
            give(name.as_str(), value.as_bytes());
        }
        if let Some(length) = upstream.content_length() {
            give_number("content-length", length, give);
        }
    }

    /// Whether the gateway alone says what a field is: the framing of the message and the connection, and what it has
    /// to say of the request's way. (Kong: changes of plugins to them have no effect either.)
    fn is_own(&self, name: &HeaderName) -> bool {
        match name.as_str() {
            "host" | "expect" | "via" | "x-forwarded-for" | "x-real-ip" => true,
            "x-kong-request-id" => self.request_id.is_some(),
            name => frames_message(name) || OFFERED.contains(&name),
        }
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

    /// What is about this hop, and the lists that the gateway appends to.
    fn give_own(&self, head: &ClientHead, seen: &ClientFieldSummary, give: &mut impl FnMut(&str, &[u8])) {
        // Who sends TE has to name it, so that the next one takes it away (RFC 9110, section 10.1.4); where the client
        // did not, it goes as it came, as Kong lets it.
        give("connection", self.connection(self.trailers && head.nominates_te()));
        if self.websocket {
            give("upgrade", b"websocket");
        }
        if self.trailers {
            give(TE.as_str(), b"trailers");
        }
        let fields = head.fields();
        if seen.via {
            give("via", &list(fields, &VIA, b", ", via(head.version())));
        } else {
            give("via", via(head.version()).as_bytes());
        }
        if seen.forwarded_for {
            give("x-forwarded-for", &list(fields, &X_FORWARDED_FOR, b", ", self.peer));
        } else {
            give("x-forwarded-for", self.client.as_bytes());
        }
        give("x-real-ip", self.client.as_bytes());
        if let Some(id) = self.request_id {
            give("x-kong-request-id", id.as_bytes());
        }
        if seen.crumbs > 0 {
            // HTTP/2 may send a Cookie in crumbs. (RFC 9113, section 8.2.3)
            give("cookie", &list(fields, &COOKIE, b"; ", ""));
        }
    }

    /// The fields that a trusted peer may have set already.
    fn give_forwarded(
        &self,
        head: &ClientHead,
        seen: &ClientFieldSummary,
        give: &mut impl FnMut(&str, &[u8]),
    ) {
        let [proto, host, port, path, prefix] = seen.kept;
        if !proto {
            give(OFFERED[0], self.scheme.as_str().as_bytes());
        }
        if !host {
            give_host(OFFERED[1], head.authority().host_without_root(), give);
        }
        if !port {
            give_number(OFFERED[2], self.port.into(), give);
        }
        if !path {
            give(OFFERED[3], head.path().as_bytes());
        }
        // As it was matched: decoded.
        if let Some(stripped) = self.stripped_prefix.filter(|it| !prefix && may_be_value(it)) {
            give(OFFERED[4], stripped);
        }
    }
}

/// The client's fields that are passed on as they came.
fn give_passing(
    head: &ClientHead,
    upstream: &UpstreamRequest,
    give: &mut impl FnMut(&str, &[u8]),
) -> ClientFieldSummary {
    let (nominated, edits) = (head.nominated(), upstream.edits());
    // In OPTIONS it counts the steps that are left. (RFC 9110, section 7.6.2)
    let counted = *head.method() == Method::OPTIONS;
    let mut seen = ClientFieldSummary::default();
    for (name, value) in head.fields() {
        if !head.passes(name, &nominated) {
            continue;
        }
        match name.as_str() {
            "host" | "x-real-ip" => (),
            "via" => seen.via = true,
            "x-forwarded-for" => seen.forwarded_for = true,
            "content-length" if upstream.content_length().is_some() => (),
            text if let Some(place) = offered(text) => {
                seen.kept[place] = true;
                give(text, value.as_bytes());
            }
            _ if edits.replaces(name) => (),
            "cookie" if head.version() == Version::HTTP_2 => seen.crumbs += 1,
            text @ "max-forwards" if counted => give_counted(text, value, give),
            text => give(text, value.as_bytes()),
        }
    }
    seen
}

/// The place of a field among those that a trusted peer may have set.
fn offered(name: &str) -> Option<usize> {
    let is_one = name.starts_with("x-forwarded-");
    OFFERED.iter().position(|offered| is_one && *offered == name)
}

/// Lets a request go one step less far, if it says how far.
fn give_counted(name: &str, value: &HeaderValue, give: &mut impl FnMut(&str, &[u8])) {
    match value.to_str().ok().and_then(|it| it.parse::<u32>().ok()) {
        Some(left) => give_number(name, left.saturating_sub(1).into(), give),
        None => give(name, value.as_bytes()),
    }
}

fn give_number(name: &str, number: u64, give: &mut impl FnMut(&str, &[u8])) {
    let mut text = Cursor::new([0; 20]);
    // There is room for every number.
    let _ = write!(text, "{number}");
    let length = usize::try_from(text.position()).unwrap_or(0);
    give(name, text.get_ref().get(..length).unwrap_or_default());
}

/// Gives a host in lower case.
fn give_host(name: &str, host: &str, give: &mut impl FnMut(&str, &[u8])) {
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
    use http::Request;

    use super::{super::VIA_1_1, *};

    /// A client's head, but for its fields.
    #[derive(Clone, Copy)]
    struct Arrival<'a> {
        method: &'a str,
        target: &'a str,
        version: Version,
        trusted: bool,
    }

    const ARRIVAL: Arrival<'static> =
        Arrival { method: "GET", target: "/e/a", version: Version::HTTP_11, trusted: false };

    /// A plain request from 127.0.0.1 for /e/a to a Service at 127.0.0.1:29000, whose Route strips /e.
    fn plain() -> ForwardedFields<'static> {
        ForwardedFields {
            peer: "127.0.0.1",
            client: "127.0.0.1",
            scheme: Scheme::Http,
            port: 28000,
            stripped_prefix: Some(b"/e"),
            request_id: Some("0123"),
            upstream_host: Some(HeaderValue::from_static("127.0.0.1:29000")),
            websocket: false,
            trailers: false,
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
    fn check(forwarding: &ForwardedFields<'_>, sent: &[(&str, &str)], differences: &[(&'static str, &str)]) {
        check_arrival(ARRIVAL, forwarding, sent, differences);
    }

    /// Checks what the upstream gets of a request for localhost, if no other host is sent.
    #[track_caller]
    fn check_arrival(
        arrival: Arrival<'_>,
        forwarding: &ForwardedFields<'_>,
        sent: &[(&str, &str)],
        differences: &[(&'static str, &str)],
    ) {
        let mut request = Request::builder().method(arrival.method).uri(arrival.target);
        request = request.version(arrival.version);
        if !sent.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let (head, _) = ClientHead::new(request.body(()).unwrap().into_parts().0, arrival.trusted);
        let (websocket, trailers) = (head.asks_for_websocket(), head.accepts_trailers());
        let forwarding = ForwardedFields { websocket, trailers, ..forwarding.clone() };
        let mut given = HeaderMap::new();
        forwarding.write_headers(&head, &UpstreamRequest::default(), None, &mut |name, value| {
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
        check(&ForwardedFields { scheme: Scheme::Https, ..plain() }, &[], &[("x-forwarded-proto", "https")]);
        for (host, told) in
            [("Shop.Test:8443", "shop.test"), ("shop.test.", "shop.test"), ("[::1]:80", "[::1]")]
        {
            check(&plain(), &[("host", host)], &[("x-forwarded-host", told)]);
        }
        check(
            &ForwardedFields { stripped_prefix: Some(b"/"), ..plain() },
            &[],
            &[("x-forwarded-prefix", "")],
        );
        check(&ForwardedFields { stripped_prefix: None, ..plain() }, &[], &[("x-forwarded-prefix", "")]);
        let raw = Arrival { target: "/%7Ea//b", ..ARRIVAL };
        check_arrival(raw, &plain(), &[], &[("x-forwarded-path", "/%7Ea//b")]);
        let own_host = [("host", "A:1"), ("x-forwarded-host", "a")];
        check(&ForwardedFields { upstream_host: None, ..plain() }, &[("host", "A:1")], &own_host);
        let no_id = ForwardedFields { request_id: None, ..plain() };
        check(&no_id, &[("x-kong-request-id", "abc")], &[("x-kong-request-id", "")]);
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
        let forwarding = ForwardedFields { client: "8.8.8.8", ..plain() };
        let trusted = Arrival { trusted: true, ..ARRIVAL };
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
        check_arrival(trusted, &forwarding, &CLAIMS, &expected);
        let alone = [("x-forwarded-for", "8.8.8.8"), ("x-real-ip", "8.8.8.8")];
        check_arrival(trusted, &forwarding, &[], &alone);
    }

    #[test]
    fn via_names_the_protocol_of_the_request() {
        for (version, received) in
            [(Version::HTTP_10, "1.0"), (Version::HTTP_11, "1.1"), (Version::HTTP_2, "2")]
        {
            let via = format!("{received} mynah/{}", env!("CARGO_PKG_VERSION"));
            check_arrival(Arrival { version, ..ARRIVAL }, &plain(), &[], &[("via", &via)]);
        }
    }

    #[test]
    fn crumbs_of_a_cookie_are_joined() {
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2")];
        let version = Version::HTTP_2;
        let via = format!("2 mynah/{}", env!("CARGO_PKG_VERSION"));
        let joined = [("cookie", "a=1; b=2"), ("via", &*via)];
        check_arrival(Arrival { version, ..ARRIVAL }, &plain(), &crumbs, &joined);
    }

    #[test]
    fn a_request_goes_as_far_as_it_says() {
        for (says, passed) in [("5", "4"), ("0", "0"), ("many", "many")] {
            let counted = Arrival { method: "OPTIONS", ..ARRIVAL };
            check_arrival(counted, &plain(), &[("max-forwards", says)], &[("max-forwards", passed)]);
            check(&plain(), &[("max-forwards", says)], &[("max-forwards", says)]);
        }
    }

    #[test]
    fn a_peer_may_want_another_host() {
        let mut hosts = Vec::new();
        let other = HeaderValue::from_static("other");
        let (head, upstream) = (ClientHead::default(), UpstreamRequest::default());
        plain().write_headers(&head, &upstream, Some(&other), &mut |name, value| {
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
