//! Removal of hop-by-hop fields (`request_head::HOP_BY_HOP`), and of fields that trailers may not have.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, COOKIE, EXPECT, HOST, LOCATION, MAX_FORWARDS, PROXY_AUTHORIZATION, RANGE, SERVER,
        SET_COOKIE, TE, TRAILER, VIA,
    },
};

use super::{
    PROXY, X_KONG_PROXY_LATENCY, X_KONG_REQUEST_ID, X_KONG_RESPONSE_LATENCY, X_KONG_UPSTREAM_LATENCY,
    X_KONG_UPSTREAM_STATUS,
};
use crate::request_head::{
    Claim, ClientHead, HOP_BY_HOP, HeaderEdits, NominatedFields, has_list_item, is_hop_by_hop, is_look_alike,
};

/// Removes hop-by-hop fields: Connection and the fields that it names, Keep-Alive, Proxy-Connection,
/// Transfer-Encoding, Upgrade, and TE except `trailers`. Two kinds of fields are removed for safety: Proxy, which CGI
/// programs read as the setting `HTTP_PROXY`, and `transfer_encoding` and `content_length`, which programs that map `_`
/// to `-` read as framing.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages have few of these: one pass over all names costs less than a lookup for each of these.
    let is_removed =
        |name: &str| is_hop_by_hop(name) || matches!(name, "proxy" | "transfer_encoding" | "content_length");
    let found = headers.keys().filter(|name| is_removed(name.as_str())).count();
    if found == 0 {
        return;
    }
    let nominated = NominatedFields::from_headers(headers);
    if headers.remove(CONNECTION).is_some() && found == 1 && nominated.is_empty() {
        return;
    }
    let trailers = headers.get_all(TE).iter().any(|value| has_list_item(value, "trailers"));
    for name in nominated.into_names() {
        headers.remove(name);
    }
    for name in HOP_BY_HOP.iter().filter(|name| **name != CONNECTION && **name != TE) {
        headers.remove(name);
    }
    headers.remove(PROXY);
    headers.remove("transfer_encoding");
    headers.remove("content_length");
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(TE);
    }
}

/// Fields for framing, routing, authentication or content format that may not stand in trailers, beside the hop-by-hop
/// fields: a recipient that merges trailers into the head would be misled. (RFC 9110, section 6.5.1)
static HEAD_ONLY: [HeaderName; 14] = [
    CONTENT_LENGTH,
    TRAILER,
    HOST,
    EXPECT,
    MAX_FORWARDS,
    RANGE,
    CACHE_CONTROL,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CONTENT_RANGE,
    PROXY,
];

/// Removes from the trailers of a request the fields that may stand in a head only, those that only the gateway or a
/// trusted peer may set, and names that programs read as one of these.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    retain(trailers, |name| Claim::of(name.as_str()) == Claim::Free && !is_head_only(name));
}

/// Removes from the trailers of a response the fields that may stand in a head only, and those that the gateway sets in
/// the head of the response.
pub(crate) fn strip_answer_trailers(trailers: &mut HeaderMap) {
    const GATEWAY: [HeaderName; 5] =
        [X_KONG_REQUEST_ID, X_KONG_UPSTREAM_LATENCY, X_KONG_PROXY_LATENCY, X_KONG_UPSTREAM_STATUS, VIA];
    const RESPONSE_ONLY: [HeaderName; 4] = [SERVER, SET_COOKIE, LOCATION, X_KONG_RESPONSE_LATENCY];
    retain(trailers, |name| !is_head_only(name) && !GATEWAY.contains(name) && !RESPONSE_ONLY.contains(name));
}

fn is_head_only(name: &HeaderName) -> bool {
    HOP_BY_HOP
        .iter()
        .chain(&HEAD_ONLY)
        .any(|known| known == name || is_look_alike(name.as_str(), known.as_str()))
}

fn retain(trailers: &mut HeaderMap, may_stay: impl Fn(&HeaderName) -> bool) {
    let removed: Vec<HeaderName> = trailers.keys().filter(|name| !may_stay(name)).cloned().collect();
    for name in removed {
        trailers.remove(name);
    }
}

/// Names that the trailers of one request may not have, because the field of the head does not pass unchanged: a plugin
/// has changed it, or Connection nominates it.
#[derive(Debug)]
pub(crate) struct DeniedTrailers(Vec<HeaderName>);

impl DeniedTrailers {
    /// The denied names of a request; `None` if every trailer may pass.
    pub(crate) fn of(head: &ClientHead, edits: &HeaderEdits) -> Option<Self> {
        let mut names = head.nominated().into_names();
        names.extend(edits.names().cloned());
        (!names.is_empty()).then_some(Self(names))
    }

    /// Removes these names, and names that programs read as one of them.
    pub(crate) fn strip(&self, trailers: &mut HeaderMap) {
        let is_denied = |name: &HeaderName| {
            self.0.iter().any(|denied| denied == name || is_look_alike(name.as_str(), denied.as_str()))
        };
        retain(trailers, |name| !is_denied(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_head::UpstreamRequest;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    /// Checks which of `fields` remain.
    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: &[(&str, &str)]) {
        let mut headers = map(fields);
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers, map(expected));
    }

    #[test]
    fn hop_by_hop_fields_are_removed() {
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
    fn every_connection_field_nominates() {
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
    fn nomination_cannot_remove_fields_that_others_rely_on() {
        let fields = [("host", "a"), ("content-length", "1"), ("x-forwarded-for", "192.0.2.1")];
        let nomination = ("connection", "Host, Content-Length, X-Forwarded-For");
        check(&[&fields[..], &[nomination]].concat(), &fields);
    }

    #[test]
    fn trailers_lose_fields_that_are_for_the_head_only() {
        let mut trailers = map(&[
            ("trailer", ""),
            ("content-length", "3"),
            ("transfer_encoding", "chunked"),
            ("host", "evil.example"),
            ("authorization", "Basic x"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("x-consumer-username", "admin"),
            ("x_consumer_groups", "admins"),
            ("x-kong-request-id", "1"),
            ("content_type", "a/b"),
            ("proxy_authorization", "Basic x"),
            ("cookie", "a=b"),
            ("x-sum", "1"),
            ("grpc-status", "0"),
        ]);
        strip_trailers(&mut trailers);
        assert_eq!(trailers, map(&[("x-sum", "1"), ("grpc-status", "0")]));
    }

    #[test]
    fn trailers_of_responses_lose_fields_that_the_gateway_sets() {
        let mut trailers = map(&[
            ("x-kong-request-id", "forged"),
            ("x-kong-proxy-latency", "0"),
            ("via", "1.1 evil"),
            ("set-cookie", "a=b"),
            ("content-length", "3"),
            ("grpc-status", "0"),
            ("x-sum", "1"),
        ]);
        strip_answer_trailers(&mut trailers);
        assert_eq!(trailers, map(&[("grpc-status", "0"), ("x-sum", "1")]));
    }

    #[test]
    fn trailers_lose_fields_that_a_plugin_has_changed() {
        let request = http::Request::get("/").header("connection", "x-hop").body(()).unwrap();
        let (head, _) = ClientHead::new(request.into_parts().0, false);
        let mut upstream = UpstreamRequest::default();
        upstream.set_field(HeaderName::from_static("x-tenant"), HeaderValue::from_static("a"));
        upstream.remove_field(HeaderName::from_static("apikey"));
        let denied = DeniedTrailers::of(&head, upstream.edits()).unwrap();
        let mut trailers =
            map(&[("x-tenant", "b"), ("x_tenant", "b"), ("apikey", "k"), ("x-hop", "1"), ("x-sum", "1")]);
        denied.strip(&mut trailers);
        assert_eq!(trailers, map(&[("x-sum", "1")]));
    }

    #[test]
    fn te_keeps_only_trailers() {
        check(&[("te", "trailers"), ("connection", "TE")], &[("te", "trailers")]);
        check(&[("te", "gzip;q=0.5, Trailers")], &[("te", "trailers")]);
        check(&[("te", "gzip"), ("te", "deflate")], &[]);
    }
}
