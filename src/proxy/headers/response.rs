//! Header fields of responses to clients: hop-by-hop fields, latencies, Via, Server and the request id.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_TYPE, Entry, SERVER, TRAILER, UPGRADE, VIA},
};

use super::{
    PRODUCT, VIA_1_0, VIA_1_1, VIA_2, X_ACCEL_EXPIRES, X_KONG_PROXY_LATENCY, X_KONG_REQUEST_ID,
    X_KONG_RESPONSE_LATENCY, X_KONG_UPSTREAM_LATENCY, X_KONG_UPSTREAM_STATUS, strip_hop_by_hop,
};
use crate::settings::{AddedField, ResponseHeader, ResponseHeaders};

/// Which fields the gateway adds to responses. (Kong: option `headers`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the option is a set of independent switches")]
pub(crate) struct HeaderTokens {
    /// Server on responses of the gateway, and on proxied ones that lack it.
    pub(crate) server: bool,
    /// Via on proxied responses.
    pub(crate) via: bool,
    /// X-Kong-Upstream-Latency on proxied responses.
    pub(crate) upstream_latency: bool,
    /// X-Kong-Proxy-Latency on proxied responses.
    pub(crate) proxy_latency: bool,
    /// X-Kong-Response-Latency on responses of the gateway.
    pub(crate) response_latency: bool,
    /// X-Kong-Upstream-Status on proxied responses; off by default.
    pub(crate) upstream_status: bool,
    /// X-Kong-Request-Id on all responses.
    pub(crate) request_id: bool,
}

impl From<ResponseHeaders> for HeaderTokens {
    fn from(chosen: ResponseHeaders) -> Self {
        Self {
            server: chosen.contains(ResponseHeader::Server),
            via: chosen.contains(ResponseHeader::Via),
            upstream_latency: chosen.contains(ResponseHeader::UpstreamLatency),
            proxy_latency: chosen.contains(ResponseHeader::ProxyLatency),
            response_latency: chosen.contains(ResponseHeader::ResponseLatency),
            upstream_status: chosen.contains(ResponseHeader::UpstreamStatus),
            request_id: chosen.contains(ResponseHeader::RequestId),
        }
    }
}

/// Adds the fields that the settings name to a response. (nginx: `add_header`.)
pub(crate) fn add_fields<B>(response: &mut Response<B>, fields: &[AddedField]) {
    for field in fields {
        if field.is_for(response.status()) {
            response.headers_mut().append(field.name.clone(), field.value.clone());
        }
    }
}

impl Default for HeaderTokens {
    fn default() -> Self {
        Self {
            server: true,
            via: true,
            upstream_latency: true,
            proxy_latency: true,
            response_latency: true,
            upstream_status: false,
            request_id: true,
        }
    }
}

/// Values of the fields that the gateway adds to a proxied response.
#[derive(Clone, Debug)]
pub(crate) struct ProxiedFields {
    /// Version in which the response was received.
    pub(crate) version: Version,
    /// Milliseconds from sending the request to the upstream to the head of its response.
    pub(crate) upstream_latency: u64,
    /// Milliseconds from the request's arrival to sending it to the upstream.
    pub(crate) proxy_latency: u64,
    /// Status of the upstream, if it responded.
    pub(crate) upstream_status: Option<StatusCode>,
    /// Value of X-Kong-Request-Id.
    pub(crate) request_id: HeaderValue,
    /// Whether the client sent `TE: trailers`.
    pub(crate) trailers: bool,
    /// Whether this is a 101 that the client has asked for.
    pub(crate) upgrade: bool,
}

/// Converts the fields of an upstream response to those of the response to the client.
///
/// Hop-by-hop fields are removed, and Trailer unless the client accepts trailers. An existing Server stays. An error of
/// the gateway after it tried an upstream counts as proxied and gets the same fields.
pub(crate) fn response_headers(headers: &mut HeaderMap, proxied: &ProxiedFields, tokens: HeaderTokens) {
    strip_hop_by_hop(headers);
    headers.remove(X_ACCEL_EXPIRES);
    if !proxied.trailers {
        headers.remove(TRAILER);
    }
    if proxied.upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    if tokens.server && !headers.contains_key(SERVER) {
        headers.insert(SERVER, const { HeaderValue::from_static(PRODUCT) });
    }
    if tokens.upstream_latency {
        headers.insert(X_KONG_UPSTREAM_LATENCY, milliseconds(proxied.upstream_latency));
    }
    if tokens.proxy_latency {
        headers.insert(X_KONG_PROXY_LATENCY, milliseconds(proxied.proxy_latency));
    }
    if let Some(status) = proxied.upstream_status.filter(|_| tokens.upstream_status) {
        headers.insert(X_KONG_UPSTREAM_STATUS, HeaderValue::from(status.as_u16()));
    }
    if tokens.via {
        append_via(headers, proxied.version);
    }
    if tokens.request_id {
        headers.insert(X_KONG_REQUEST_ID, proxied.request_id.clone());
    }
}

/// Header value of a time. Short times, which are the most frequent, need no allocation.
fn milliseconds(time: u64) -> HeaderValue {
    static SHORT: [HeaderValue; 5] = [
        HeaderValue::from_static("0"),
        HeaderValue::from_static("1"),
        HeaderValue::from_static("2"),
        HeaderValue::from_static("3"),
        HeaderValue::from_static("4"),
    ];
    let short = usize::try_from(time).ok().and_then(|time| SHORT.get(time));
    short.cloned().unwrap_or_else(|| HeaderValue::from(time))
}

/// Appends the gateway to Via; several fields become one.
fn append_via(headers: &mut HeaderMap, received: Version) {
    let own = match received {
        Version::HTTP_2 => const { HeaderValue::from_static(VIA_2) },
        Version::HTTP_10 => const { HeaderValue::from_static(VIA_1_0) },
        _ => const { HeaderValue::from_static(VIA_1_1) },
    };
    match headers.entry(VIA) {
        Entry::Vacant(none) => {
            none.insert(own);
        }
        Entry::Occupied(mut lines) => {
            let others = lines.iter().map(HeaderValue::as_bytes).filter(|line| !line.is_empty());
            let list: Vec<&[u8]> = others.chain([own.as_bytes()]).collect();
            let value = HeaderValue::from_bytes(&list.join(&b", "[..]));
            lines.insert(value.unwrap_or(own));
        }
    }
}

/// Adds the fields of a response that comes from a cache: those of a proxied one, for which no upstream was contacted.
/// Server and Via are those that were stored. `proxy_latency` is in milliseconds since the request's arrival.
pub(crate) fn cached_headers(
    headers: &mut HeaderMap,
    proxy_latency: u64,
    request_id: &HeaderValue,
    tokens: HeaderTokens,
) {
    if tokens.upstream_latency {
        headers.insert(X_KONG_UPSTREAM_LATENCY, milliseconds(0));
    }
    if tokens.proxy_latency {
        headers.insert(X_KONG_PROXY_LATENCY, milliseconds(proxy_latency));
    }
    if tokens.request_id {
        headers.insert(X_KONG_REQUEST_ID, request_id.clone());
    }
}

/// Adds the fields of a response that the gateway produced: of a plugin, or an error before an upstream was tried.
/// `response_latency` is in milliseconds since the request's arrival.
pub(crate) fn produced_headers(
    headers: &mut HeaderMap,
    response_latency: u64,
    request_id: &HeaderValue,
    tokens: HeaderTokens,
) {
    if tokens.response_latency {
        headers.insert(X_KONG_RESPONSE_LATENCY, milliseconds(response_latency));
    }
    if tokens.server {
        headers.insert(SERVER, const { HeaderValue::from_static(PRODUCT) });
    }
    if tokens.request_id {
        headers.insert(X_KONG_REQUEST_ID, request_id.clone());
    }
}

/// Adds `charset=UTF-8` to those text types to which nginx adds it, if they have no parameter. (Kong: `charset UTF-8` in its
/// nginx configuration.)
pub(crate) fn add_charset(headers: &mut HeaderMap) {
    let Some(content_type) = headers.get_mut(CONTENT_TYPE) else { return };
    let with_charset = match content_type.as_bytes() {
        b"text/plain" => const { HeaderValue::from_static("text/plain; charset=UTF-8") },
        b"text/html" => const { HeaderValue::from_static("text/html; charset=UTF-8") },
        b"text/xml" => const { HeaderValue::from_static("text/xml; charset=UTF-8") },
        b"application/javascript" => {
            const { HeaderValue::from_static("application/javascript; charset=UTF-8") }
        }
        b"application/rss+xml" => const { HeaderValue::from_static("application/rss+xml; charset=UTF-8") },
        b"text/vnd.wap.wml" => const { HeaderValue::from_static("text/vnd.wap.wml; charset=UTF-8") },
        _ => return,
    };
    *content_type = with_charset;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn proxied() -> ProxiedFields {
        ProxiedFields {
            version: Version::HTTP_11,
            upstream_latency: 12,
            proxy_latency: 3,
            upstream_status: Some(StatusCode::OK),
            request_id: HeaderValue::from_static("0123"),
            trailers: false,
            upgrade: false,
        }
    }

    const NO_TOKENS: HeaderTokens = HeaderTokens {
        server: false,
        via: false,
        upstream_latency: false,
        proxy_latency: false,
        response_latency: false,
        upstream_status: false,
        request_id: false,
    };

    /// Checks the fields that the client gets if the upstream sent `sent`.
    #[track_caller]
    fn check(
        proxied: &ProxiedFields,
        tokens: HeaderTokens,
        sent: &[(&'static str, &str)],
        expected: &[(&'static str, &str)],
    ) {
        let mut headers = map(sent);
        response_headers(&mut headers, proxied, tokens);
        assert_eq!(headers, map(expected));
    }

    #[test]
    fn a_proxied_response_gets_via_and_latencies() {
        let added = [
            ("server", PRODUCT),
            ("x-kong-upstream-latency", "12"),
            ("x-kong-proxy-latency", "3"),
            ("via", VIA_1_1),
            ("x-kong-request-id", "0123"),
        ];
        check(&proxied(), HeaderTokens::default(), &[], &added);
        let status = HeaderTokens { upstream_status: true, ..NO_TOKENS };
        check(&proxied(), status, &[], &[("x-kong-upstream-status", "200")]);
    }

    #[test]
    fn fields_of_the_upstream_are_kept_or_overwritten() {
        let via = format!("1.0 inner, {VIA_1_1}");
        check(
            &proxied(),
            HeaderTokens::default(),
            &[
                ("server", "upstream-srv/1"),
                ("via", "1.0 inner"),
                ("x-kong-upstream-latency", "999"),
                ("x-kong-response-latency", "999"),
                ("x-kong-request-id", "abc"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
            ],
            &[
                ("server", "upstream-srv/1"),
                ("via", &via),
                ("x-kong-upstream-latency", "12"),
                ("x-kong-proxy-latency", "3"),
                ("x-kong-response-latency", "999"),
                ("x-kong-request-id", "0123"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
            ],
        );
    }

    #[test]
    fn hop_by_hop_fields_do_not_reach_the_client() {
        let sent = [
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("trailer", "x-sum"),
            ("x-accel-expires", "1"),
            ("proxy-authenticate", "Basic"),
        ];
        check(&proxied(), NO_TOKENS, &sent, &[("proxy-authenticate", "Basic")]);
        let takes_trailers = ProxiedFields { trailers: true, ..proxied() };
        check(&takes_trailers, NO_TOKENS, &[("trailer", "x-sum")], &[("trailer", "x-sum")]);
    }

    #[test]
    fn a_protocol_upgrade_is_passed_on() {
        let upgrade = ProxiedFields { upgrade: true, ..proxied() };
        let fields = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
        check(&upgrade, NO_TOKENS, &fields, &fields);
    }

    #[test]
    fn a_response_of_the_gateway_gets_its_own_fields() {
        let id = HeaderValue::from_static("0123");
        let mut headers = map(&[("content-type", "text/plain")]);
        produced_headers(&mut headers, 4, &id, HeaderTokens::default());
        let added = [("x-kong-response-latency", "4"), ("server", PRODUCT), ("x-kong-request-id", "0123")];
        assert_eq!(headers, map(&[&[("content-type", "text/plain")], &added[..]].concat()));
        let mut headers = HeaderMap::new();
        produced_headers(&mut headers, 4, &id, NO_TOKENS);
        assert!(headers.is_empty());
    }

    #[test]
    fn text_without_a_charset_gets_one() {
        let table = [
            ("text/plain", "text/plain; charset=UTF-8"),
            ("text/plain; charset=ascii", "text/plain; charset=ascii"),
            ("application/json", "application/json"),
        ];
        for (sent, expected) in table {
            let mut headers = map(&[("content-type", sent)]);
            add_charset(&mut headers);
            assert_eq!(headers, map(&[("content-type", expected)]));
        }
    }
}
