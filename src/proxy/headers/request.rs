//! Header fields of upstream requests: the client's fields that pass, the gateway's and the plugins'.
//!
//! The fields are written one after the other and not collected in a map, so that nothing is copied twice.

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

/// Values of the fields that the gateway adds to an upstream request.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedFields<'a> {
    /// Address of the peer of the connection.
    pub(crate) peer: &'a str,
    /// Address of the client: the peer, or the client that a trusted peer names.
    pub(crate) client: &'a str,
    /// Scheme of the request.
    pub(crate) scheme: Scheme,
    /// Port that the client used: the listener's, unless `port_maps` maps it.
    pub(crate) port: u16,
    /// Prefix that `strip_path` removed from the path.
    pub(crate) stripped_prefix: Option<&'a [u8]>,
    /// Value of X-Kong-Request-Id; `None` leaves the field out. (Kong: option `headers_upstream`.)
    pub(crate) request_id: Option<&'a str>,
    /// Host of the upstream request; `None` keeps the client's. (Kong: Route `preserve_host`.)
    pub(crate) upstream_host: Option<HeaderValue>,
    /// Whether the request is a WebSocket handshake.
    pub(crate) websocket: bool,
    /// Whether the client accepts trailers.
    pub(crate) trailers: bool,
}

/// Client fields that the gateway writes again with other values.
#[derive(Default)]
struct ClientFieldSummary {
    has_via: bool,
    has_forwarded_for: bool,
    /// Number of Cookie fields of HTTP/2.
    cookie_fields: u32,
    /// Which of [`FORWARDED`] a trusted peer has set.
    has_forwarded: [bool; 5],
}

/// Fields that a trusted peer may set; otherwise the gateway sets them.
const FORWARDED: [&str; 5] =
    ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-path", "x-forwarded-prefix"];

impl ForwardedFields<'_> {
    /// Writes the fields of the upstream request: those of the client that pass and that no plugin has changed, those of
    /// the gateway, and those of plugins. `host` replaces the value of Host.
    ///
    /// Hop-by-hop fields are removed, the gateway is appended to Via, and the connection is kept alive. An untrusted
    /// peer's X-Forwarded fields are replaced, except X-Forwarded-For, to which the peer is always appended; a trusted
    /// peer's are kept. Expect is removed, because the gateway meets it itself. (Kong docs: Proxying, "Headers Forwarded
    /// to the upstream".)
    pub(crate) fn write_headers(
        &self,
        head: &ClientHead,
        upstream: &UpstreamRequest,
        host: Option<&HeaderValue>,
        write: &mut impl FnMut(&str, &[u8]),
    ) {
        let host = host.or(self.upstream_host.as_ref());
        if let Some(host) = host.or_else(|| head.field(HOST)) {
            write("host", host.as_bytes());
        }
        let summary = write_client_fields(head, upstream, write);
        self.write_gateway_fields(head, &summary, write);
        self.write_forwarded(head, &summary, write);
        for (name, value) in upstream.edits().values().filter(|(name, _)| !self.is_gateway_field(name)) {
            write(name.as_str(), value.as_bytes());
        }
        if let Some(length) = upstream.content_length() {
            write_number("content-length", length, write);
        }
    }

    /// Whether only the gateway sets a field: fields of framing, of the connection, and about the client. (Kong: edits of
    /// plugins to these have no effect either.)
    fn is_gateway_field(&self, name: &HeaderName) -> bool {
        match name.as_str() {
            "host" | "expect" | "via" | "x-forwarded-for" | "x-real-ip" => true,
            "x-kong-request-id" => self.request_id.is_some(),
            name => frames_message(name) || FORWARDED.contains(&name),
        }
    }

    /// Value of Connection. Upgrades to other protocols than WebSocket are not forwarded.
    fn connection(&self, te: bool) -> &'static [u8] {
        match (self.websocket, te) {
            (false, false) => b"keep-alive",
            (false, true) => b"keep-alive, TE",
            (true, false) => b"keep-alive, Upgrade",
            (true, true) => b"keep-alive, Upgrade, TE",
        }
    }

    /// Writes the fields about this hop, and the lists that the gateway appends to.
    fn write_gateway_fields(
        &self,
        head: &ClientHead,
        summary: &ClientFieldSummary,
        write: &mut impl FnMut(&str, &[u8]),
    ) {
        // A sender of TE has to nominate it, so that the next hop removes it (RFC 9110, section 10.1.4). If the client did
        // not, TE passes without a nomination, as in Kong.
        write("connection", self.connection(self.trailers && head.nominates_te()));
        if self.websocket {
            write("upgrade", b"websocket");
        }
        if self.trailers {
            write(TE.as_str(), b"trailers");
        }
        let fields = head.fields();
        if summary.has_via {
            write("via", &join_values(fields, &VIA, b", ", via(head.version())));
        } else {
            write("via", via(head.version()).as_bytes());
        }
        if summary.has_forwarded_for {
            write("x-forwarded-for", &join_values(fields, &X_FORWARDED_FOR, b", ", self.peer));
        } else {
            write("x-forwarded-for", self.client.as_bytes());
        }
        write("x-real-ip", self.client.as_bytes());
        if let Some(id) = self.request_id {
            write("x-kong-request-id", id.as_bytes());
        }
        if summary.cookie_fields > 0 {
            // HTTP/2 may split a Cookie into several fields. (RFC 9113, section 8.2.3)
            write("cookie", &join_values(fields, &COOKIE, b"; ", ""));
        }
    }

    /// Writes those of [`FORWARDED`] that the peer has not set.
    fn write_forwarded(
        &self,
        head: &ClientHead,
        summary: &ClientFieldSummary,
        write: &mut impl FnMut(&str, &[u8]),
    ) {
        let [proto, host, port, path, prefix] = summary.has_forwarded;
        if !proto {
            write(FORWARDED[0], self.scheme.as_str().as_bytes());
        }
        if !host {
            write_host(FORWARDED[1], head.authority().host_without_root(), write);
        }
        if !port {
            write_number(FORWARDED[2], self.port.into(), write);
        }
        if !path {
            write(FORWARDED[3], head.path().as_bytes());
        }
        // The prefix as it was matched: decoded.
        if let Some(stripped) = self.stripped_prefix.filter(|stripped| !prefix && is_field_value(stripped)) {
            write(FORWARDED[4], stripped);
        }
    }
}

/// Writes the client's fields that pass unchanged.
fn write_client_fields(
    head: &ClientHead,
    upstream: &UpstreamRequest,
    write: &mut impl FnMut(&str, &[u8]),
) -> ClientFieldSummary {
    let (nominated, edits) = (head.nominated(), upstream.edits());
    // In OPTIONS, Max-Forwards counts the hops that are left. (RFC 9110, section 7.6.2)
    let counts_hops = *head.method() == Method::OPTIONS;
    let mut summary = ClientFieldSummary::default();
    for (name, value) in head.fields() {
        if !head.passes(name, &nominated) {
            continue;
        }
        match name.as_str() {
            "host" | "x-real-ip" => (),
            "via" => summary.has_via = true,
            "x-forwarded-for" => summary.has_forwarded_for = true,
            "content-length" if upstream.content_length().is_some() => (),
            text if let Some(index) = forwarded_index(text) => {
                summary.has_forwarded[index] = true;
                write(text, value.as_bytes());
            }
            _ if edits.replaces(name) => (),
            "cookie" if head.version() == Version::HTTP_2 => summary.cookie_fields += 1,
            text @ "max-forwards" if counts_hops => write_max_forwards(text, value, write),
            text => write(text, value.as_bytes()),
        }
    }
    summary
}

/// Index of a field in [`FORWARDED`].
fn forwarded_index(name: &str) -> Option<usize> {
    let may_match = name.starts_with("x-forwarded-");
    FORWARDED.iter().position(|forwarded| may_match && *forwarded == name)
}

/// Writes Max-Forwards, decremented if it is a number.
fn write_max_forwards(name: &str, value: &HeaderValue, write: &mut impl FnMut(&str, &[u8])) {
    match value.to_str().ok().and_then(|text| text.parse::<u32>().ok()) {
        Some(left) => write_number(name, left.saturating_sub(1).into(), write),
        None => write(name, value.as_bytes()),
    }
}

fn write_number(name: &str, number: u64, write: &mut impl FnMut(&str, &[u8])) {
    let mut text = Cursor::new([0; 20]);
    // The buffer has room for every number.
    let _ = write!(text, "{number}");
    let length = usize::try_from(text.position()).unwrap_or(0);
    write(name, text.get_ref().get(..length).unwrap_or_default());
}

/// Writes a host in lower case.
fn write_host(name: &str, host: &str, write: &mut impl FnMut(&str, &[u8])) {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        write(name, host.to_ascii_lowercase().as_bytes());
    } else {
        write(name, host.as_bytes());
    }
}

/// Whether a prefix is not empty, and valid as a field value.
fn is_field_value(prefix: &[u8]) -> bool {
    !matches!(prefix, b"" | b"/") && prefix.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// All values of a field as one list, with `item` at the end unless it is empty.
fn join_values(headers: &HeaderMap, name: &HeaderName, separator: &[u8], item: &str) -> Vec<u8> {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes).chain([item.as_bytes()]);
    let mut list = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if !list.is_empty() {
            list.extend_from_slice(separator);
        }
        list.extend_from_slice(line);
    }
    list
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{super::VIA_1_1, *};

    /// Head of a client request, without its fields.
    #[derive(Clone, Copy)]
    struct TestHead<'a> {
        method: &'a str,
        target: &'a str,
        version: Version,
        trusted: bool,
    }

    const HEAD: TestHead<'static> =
        TestHead { method: "GET", target: "/e/a", version: Version::HTTP_11, trusted: false };

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

    /// The fields that the upstream gets if the client sends only Host.
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

    /// Checks that the upstream gets [`EXPECTED`] with `differences`; an empty value stands for no field.
    #[track_caller]
    fn check(forwarding: &ForwardedFields<'_>, sent: &[(&str, &str)], differences: &[(&'static str, &str)]) {
        check_head(HEAD, forwarding, sent, differences);
    }

    /// Checks the fields that the upstream gets; without a Host in `sent`, the request is for localhost.
    #[track_caller]
    fn check_head(
        head: TestHead<'_>,
        forwarding: &ForwardedFields<'_>,
        sent: &[(&str, &str)],
        differences: &[(&'static str, &str)],
    ) {
        let mut request = Request::builder().method(head.method).uri(head.target);
        request = request.version(head.version);
        if !sent.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let (client, _) = ClientHead::new(request.body(()).unwrap().into_parts().0, head.trusted);
        let (websocket, trailers) = (client.asks_for_websocket(), client.accepts_trailers());
        let forwarding = ForwardedFields { websocket, trailers, ..forwarding.clone() };
        let mut written = HeaderMap::new();
        forwarding.write_headers(&client, &UpstreamRequest::default(), None, &mut |name, value| {
            written.append(
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
        assert_eq!(written, expected);
    }

    /// Fields of a client that pretends to be a proxy.
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
    fn the_upstream_gets_the_address_of_the_client_and_the_target() {
        check(&plain(), &[("host", "localhost")], &[]);
        check(&ForwardedFields { scheme: Scheme::Https, ..plain() }, &[], &[("x-forwarded-proto", "https")]);
        for (host, forwarded) in
            [("Shop.Test:8443", "shop.test"), ("shop.test.", "shop.test"), ("[::1]:80", "[::1]")]
        {
            check(&plain(), &[("host", host)], &[("x-forwarded-host", forwarded)]);
        }
        check(
            &ForwardedFields { stripped_prefix: Some(b"/"), ..plain() },
            &[],
            &[("x-forwarded-prefix", "")],
        );
        check(&ForwardedFields { stripped_prefix: None, ..plain() }, &[], &[("x-forwarded-prefix", "")]);
        let raw = TestHead { target: "/%7Ea//b", ..HEAD };
        check_head(raw, &plain(), &[], &[("x-forwarded-path", "/%7Ea//b")]);
        let own_host = [("host", "A:1"), ("x-forwarded-host", "a")];
        check(&ForwardedFields { upstream_host: None, ..plain() }, &[("host", "A:1")], &own_host);
        let no_id = ForwardedFields { request_id: None, ..plain() };
        check(&no_id, &[("x-kong-request-id", "abc")], &[("x-kong-request-id", "")]);
    }

    #[test]
    fn fields_of_an_untrusted_peer_are_replaced() {
        let via = format!("1.1 client, {VIA_1_1}");
        check(&plain(), &CLAIMS, &[("x-forwarded-for", "9.9.9.9, 127.0.0.1"), ("via", &via)]);
        let two = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
        check(&plain(), &two, &[("x-forwarded-for", "1.1.1.1, 2.2.2.2, 127.0.0.1")]);
    }

    #[test]
    fn fields_of_a_trusted_peer_are_kept() {
        let forwarding = ForwardedFields { client: "8.8.8.8", ..plain() };
        let trusted = TestHead { trusted: true, ..HEAD };
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
        check_head(trusted, &forwarding, &CLAIMS, &expected);
        let alone = [("x-forwarded-for", "8.8.8.8"), ("x-real-ip", "8.8.8.8")];
        check_head(trusted, &forwarding, &[], &alone);
    }

    #[test]
    fn via_names_the_protocol_of_the_request() {
        for (version, received) in
            [(Version::HTTP_10, "1.0"), (Version::HTTP_11, "1.1"), (Version::HTTP_2, "2")]
        {
            let via = format!("{received} mynah/{}", env!("CARGO_PKG_VERSION"));
            check_head(TestHead { version, ..HEAD }, &plain(), &[], &[("via", &via)]);
        }
    }

    #[test]
    fn split_cookies_are_joined() {
        let cookies = [("cookie", "a=1"), ("cookie", "b=2")];
        let version = Version::HTTP_2;
        let via = format!("2 mynah/{}", env!("CARGO_PKG_VERSION"));
        let joined = [("cookie", "a=1; b=2"), ("via", &*via)];
        check_head(TestHead { version, ..HEAD }, &plain(), &cookies, &joined);
    }

    #[test]
    fn max_forwards_is_decremented_in_options_only() {
        for (sent, forwarded) in [("5", "4"), ("0", "0"), ("many", "many")] {
            let options = TestHead { method: "OPTIONS", ..HEAD };
            check_head(options, &plain(), &[("max-forwards", sent)], &[("max-forwards", forwarded)]);
            check(&plain(), &[("max-forwards", sent)], &[("max-forwards", sent)]);
        }
    }

    #[test]
    fn the_host_of_a_peer_replaces_that_of_the_service() {
        let mut hosts = Vec::new();
        let other = HeaderValue::from_static("other");
        let (head, upstream) = (ClientHead::default(), UpstreamRequest::default());
        plain().write_headers(&head, &upstream, Some(&other), &mut |name, value| {
            hosts.extend((name == "host").then(|| value.to_vec()));
        });
        assert_eq!(hosts, [b"other"]);
    }

    #[test]
    fn only_upgrades_to_websocket_pass() {
        let upgrade_to = |protocol| [("connection", "Upgrade"), ("upgrade", protocol)];
        let websocket = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        check(&plain(), &upgrade_to("websocket"), &websocket);
        check(&plain(), &upgrade_to("foo"), &[]);
        check(&plain(), &[("expect", "100-continue"), ("te", "trailers, gzip")], &[("te", "trailers")]);
        let named = [("te", "trailers"), ("connection", "keep-alive, TE")];
        check(&plain(), &[("connection", "close, TE"), ("te", "trailers, gzip")], &named);
        let both = [("connection", "upgrade, te"), ("upgrade", "websocket"), ("te", "trailers")];
        let connection = ("connection", "keep-alive, Upgrade, TE");
        check(&plain(), &both, &[connection, ("upgrade", "websocket"), ("te", "trailers")]);
    }
}
