//! Head of a request as the client sent it.

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, Version,
    header::{CONNECTION, HOST, TE, UPGRADE},
    request::Parts,
};

use super::{Claim, NominatedFields, has_list_item, is_hop_by_hop};
use crate::uri::Authority;

/// Head that the client sent. It does not change: the gateway and plugins make their changes for the upstream in an
/// [`UpstreamRequest`](super::UpstreamRequest).
#[derive(Debug, Default)]
pub struct ClientHead {
    method: Method,
    target: Uri,
    version: Version,
    fields: HeaderMap,
    trusted: bool,
}

impl ClientHead {
    /// The head of a request, and its extensions. `trusted` says whether the peer of the connection is in `trusted_ips`.
    ///
    /// The host of a target in absolute form, and `:authority` of HTTP/2, replace Host.
    /// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1)
    #[must_use]
    pub fn new(head: Parts, trusted: bool) -> (Self, Extensions) {
        let Parts { method, uri, version, mut headers, extensions, .. } = head;
        if let Some(authority) = uri.authority() {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            if let Ok(host) = HeaderValue::from_str(host) {
                headers.insert(HOST, host);
            }
        }
        (Self { method, target: uri, version, fields: headers, trusted }, extensions)
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The target as received.
    #[must_use]
    pub const fn target(&self) -> &Uri {
        &self.target
    }

    /// The path as received, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The query as received.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The protocol version of the request.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// All fields as received.
    #[must_use]
    pub const fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// The first value of a field as received.
    #[must_use]
    pub fn field(&self, name: impl http::header::AsHeaderName) -> Option<&HeaderValue> {
        self.fields.get(name)
    }

    /// Whether the peer of the connection is trusted to state where a request comes from.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// The host and the port of the request; the host is empty in HTTP/1.0 without a Host.
    #[must_use]
    pub fn authority(&self) -> Authority<'_> {
        Authority::split(self.host().to_str().unwrap_or_default())
    }

    /// The Host as received, empty if there is none.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        static EMPTY: HeaderValue = HeaderValue::from_static("");
        self.fields.get(HOST).unwrap_or(&EMPTY)
    }

    /// The fields that Connection nominates.
    #[must_use]
    pub fn nominated(&self) -> NominatedFields {
        NominatedFields::from_headers(&self.fields)
    }

    /// Whether a field of this name is sent upstream, if no plugin changes it: it is not hop-by-hop, and this client may
    /// send it. CGI programs read Proxy as `HTTP_PROXY`, a setting of their own; the gateway itself answers Expect.
    #[must_use]
    pub fn passes(&self, name: &HeaderName, nominated: &NominatedFields) -> bool {
        let text = name.as_str();
        !is_hop_by_hop(text)
            && !matches!(text, "proxy" | "expect")
            && self.may_send(text)
            && !nominated.contains(name)
    }

    /// Whether this client may send a field of this name upstream.
    fn may_send(&self, name: &str) -> bool {
        match Claim::of(name) {
            Claim::Free => true,
            // X-Forwarded-For is a list, to which the gateway appends the peer.
            Claim::TrustedPeer => self.trusted || name == "x-forwarded-for",
            Claim::Gateway => false,
        }
    }

    /// Whether the client accepts trailers. (RFC 9110, section 10.1.4)
    #[must_use]
    pub fn accepts_trailers(&self) -> bool {
        self.fields.get_all(TE).iter().any(|value| has_list_item(value, "trailers"))
    }

    /// Whether the client nominates TE in Connection, as it has to in HTTP/1.1; HTTP/2 has no such field.
    #[must_use]
    pub fn nominates_te(&self) -> bool {
        self.version == Version::HTTP_2
            || self.fields.get_all(CONNECTION).iter().any(|value| has_list_item(value, "te"))
    }

    /// Whether the request asks for an upgrade to WebSocket (RFC 6455, section 4.1). Every other upgrade is ignored, h2c
    /// above all. In HTTP/2 only `extended_connect` sets these fields.
    #[must_use]
    pub fn asks_for_websocket(&self) -> bool {
        matches!(self.version, Version::HTTP_11 | Version::HTTP_2)
            && self.field(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && self.fields.get_all(CONNECTION).iter().any(|value| has_list_item(value, "upgrade"))
    }

    /// The method, the target and the fields.
    #[must_use]
    pub fn into_parts(self) -> (Method, Uri, HeaderMap) {
        (self.method, self.target, self.fields)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(fields: &[(&str, &str)], version: Version, trusted: bool) -> ClientHead {
        let mut request = Request::get("/").version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        ClientHead::new(request.body(()).unwrap().into_parts().0, trusted).0
    }

    #[test]
    fn a_request_for_websocket_needs_both_fields_and_http_1_1() {
        let table = [
            (vec![("connection", "Upgrade"), ("upgrade", "websocket")], Version::HTTP_11, true),
            (vec![("connection", "keep-alive, upgrade"), ("upgrade", "WebSocket")], Version::HTTP_11, true),
            (vec![("connection", "Upgrade"), ("upgrade", "websocket")], Version::HTTP_10, false),
            (vec![("upgrade", "websocket")], Version::HTTP_11, false),
            (vec![("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")], Version::HTTP_11, false),
        ];
        for (fields, version, expected) in table {
            assert_eq!(head(&fields, version, false).asks_for_websocket(), expected, "{fields:?}");
        }
    }

    #[test]
    fn te_may_contain_trailers_in_any_case() {
        for (te, expected) in
            [("trailers", true), ("Trailers", true), ("gzip, TRAILERS;q=1", true), ("gzip", false)]
        {
            assert_eq!(head(&[("te", te)], Version::HTTP_11, false).accepts_trailers(), expected, "{te}");
        }
    }

    #[test]
    fn only_fields_that_a_client_may_send_pass() {
        let fields = [
            ("connection", "close, x-hop, x-forwarded-for, content-length"),
            ("content-length", "0"),
            ("accept", "a/b"),
            ("x_custom", "1"),
            ("x-hop", "1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-consumer-username", "admin"),
            ("x_forwarded_proto", "https"),
        ];
        for (trusted, expected) in [
            (false, vec!["content-length", "accept", "x_custom", "x-forwarded-for"]),
            (true, vec!["content-length", "accept", "x_custom", "x-forwarded-for", "x-forwarded-proto"]),
        ] {
            let head = head(&fields, Version::HTTP_11, trusted);
            let nominated = head.nominated();
            let passing: Vec<&str> = head
                .fields()
                .keys()
                .filter(|name| head.passes(name, &nominated))
                .map(HeaderName::as_str)
                .collect();
            assert_eq!(passing, expected, "{trusted}");
        }
    }

    #[test]
    fn a_target_in_absolute_form_replaces_the_host() {
        let request = Request::get("http://b.example:81/x").header("host", "a.example").body(()).unwrap();
        let (head, _) = ClientHead::new(request.into_parts().0, false);
        assert_eq!((head.host().as_bytes(), head.path()), (&b"b.example:81"[..], "/x"));
        assert_eq!((head.authority().host(), head.authority().port()), ("b.example", Some(81)));
    }
}
