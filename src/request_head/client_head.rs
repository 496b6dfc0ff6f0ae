//! Head of a request as the client sent it.

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, Version,
    header::{CONNECTION, HOST, TE, UPGRADE},
    request::Parts,
};

use super::{Claim, NominatedFields};
use crate::uri::Authority;

/// What the client said. It is not changed after arrival: the gateway and plugins say what goes upstream in an
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
    /// The head of a request that has arrived, and what else came with it. `trusted` says whether the peer of the
    /// connection is in `trusted_ips`.
    ///
    /// The host of a target in absolute form, and `:authority` of HTTP/2, take the place of Host.
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

    /// The target as it came.
    #[must_use]
    pub const fn target(&self) -> &Uri {
        &self.target
    }

    /// The path as it came, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The query as it came.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The protocol that the request came in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// All fields as they came.
    #[must_use]
    pub const fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// The first value of a field as it came.
    #[must_use]
    pub fn field(&self, name: impl http::header::AsHeaderName) -> Option<&HeaderValue> {
        self.fields.get(name)
    }

    /// Whether the peer of the connection is trusted with the fields that say where a request comes from.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// The host and the port that the request is for; both are empty in HTTP/1.0 without a Host.
    #[must_use]
    pub fn authority(&self) -> Authority<'_> {
        Authority::split(self.host().to_str().unwrap_or_default())
    }

    /// The Host as it came, empty if there is none.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        static EMPTY: HeaderValue = HeaderValue::from_static("");
        self.fields.get(HOST).unwrap_or(&EMPTY)
    }

    /// The fields that Connection nominates.
    #[must_use]
    pub fn nominated(&self) -> NominatedFields {
        NominatedFields::of(&self.fields)
    }

    /// Whether a field of this name goes upstream, if no plugin changes it: it does not end with the connection, and
    /// is not one that this client may not say.
    #[must_use]
    pub fn passes(&self, name: &HeaderName, nominated: &NominatedFields) -> bool {
        let text = name.as_str();
        !is_hop_by_hop(text) && self.may_say(text) && !nominated.contains(name)
    }

    /// Whether this client may send a field of this name upstream.
    fn may_say(&self, name: &str) -> bool {
        match Claim::of(name) {
            Claim::Free => true,
            // It is a list, to which the gateway appends the peer.
            Claim::TrustedPeer => self.trusted || name == "x-forwarded-for",
            Claim::Gateway => false,
        }
    }

    /// Whether the client accepts trailers. (RFC 9110, section 10.1.4)
    #[must_use]
    pub fn accepts_trailers(&self) -> bool {
        self.fields.get_all(TE).iter().any(|value| lists(value, "trailers"))
    }

    /// Whether the client names TE in Connection, as it should; in HTTP/2 there is no such field.
    #[must_use]
    pub fn nominates_te(&self) -> bool {
        self.version == Version::HTTP_2
            || self.fields.get_all(CONNECTION).iter().any(|value| lists(value, "te"))
    }

    /// Whether the request asks to speak WebSocket from now on (RFC 6455, section 4.1). Every other upgrade is
    /// ignored, h2c above all. In HTTP/2 there are no such fields but those of `extended_connect`.
    #[must_use]
    pub fn asks_for_websocket(&self) -> bool {
        matches!(self.version, Version::HTTP_11 | Version::HTTP_2)
            && self.field(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && self.fields.get_all(CONNECTION).iter().any(|value| lists(value, "upgrade"))
    }

    /// Its method, target and fields.
    #[must_use]
    pub fn into_parts(self) -> (Method, Uri, HeaderMap) {
        (self.method, self.target, self.fields)
    }
}

/// Whether a field speaks about the connection that it came over (RFC 9110, section 7.6.1), or is dangerous behind a
/// proxy: CGI programs take Proxy for a setting of their own. Expect is met by the gateway itself.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
            | "proxy"
            | "te"
            | "expect"
    )
}

/// Whether a list has an item, in any case; parameters of the item do not matter.
fn lists(value: &HeaderValue, item: &str) -> bool {
    value.to_str().is_ok_and(|value| {
        value
            .split(',')
            .any(|own| own.split(';').next().is_some_and(|own| own.trim().eq_ignore_ascii_case(item)))
    })
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
    fn only_a_complete_request_for_websocket_is_one() {
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
    fn trailers_are_accepted_in_any_spelling() {
        for (te, expected) in
            [("trailers", true), ("Trailers", true), ("gzip, TRAILERS;q=1", true), ("gzip", false)]
        {
            assert_eq!(head(&[("te", te)], Version::HTTP_11, false).accepts_trailers(), expected, "{te}");
        }
    }

    #[test]
    fn a_client_passes_what_is_its_own_to_say() {
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
    fn a_target_in_absolute_form_names_the_host() {
        let request = Request::get("http://b.example:81/x").header("host", "a.example").body(()).unwrap();
        let (head, _) = ClientHead::new(request.into_parts().0, false);
        assert_eq!((head.host().as_bytes(), head.path()), (&b"b.example:81"[..], "/x"));
        assert_eq!((head.authority().host(), head.authority().port()), ("b.example", Some(81)));
    }
}
