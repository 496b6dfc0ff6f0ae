//! Head of a request to an upstream, and the bounds of the head of a response.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, header::HOST, header::UPGRADE, request::Parts,
    uri::PathAndQuery,
};

/// Bounds of the head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeadBounds {
    /// Most bytes.
    pub bytes: usize,
    /// Most fields.
    pub fields: usize,
}

impl Default for ResponseHeadBounds {
    fn default() -> Self {
        Self { bytes: 64 << 10, fields: 1000 }
    }
}

/// Head of a request. Each attempt reads it again, as each peer may need another Host.
pub trait RequestHead: Sync {
    /// The method.
    fn method(&self) -> &Method;

    /// The target, in origin form.
    fn target(&self) -> &str;

    /// Whether the request asks for another protocol. (RFC 9110, section 7.8)
    fn upgrades(&self) -> bool;

    /// Calls `give` with each field: names in lower case, and values without line ends. `host` replaces Host. The body is
    /// checked against Content-Length.
    fn write_headers(&self, host: Option<&HeaderValue>, give: &mut impl FnMut(&str, &[u8]));
}

impl RequestHead for Parts {
    fn method(&self) -> &Method {
        &self.method
    }

    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }

    fn upgrades(&self) -> bool {
        self.headers.contains_key(UPGRADE)
    }

    fn write_headers(&self, host: Option<&HeaderValue>, give: &mut impl FnMut(&str, &[u8])) {
        if let Some(host) = host {
            give("host", host.as_bytes());
        }
        let passed = self.headers.iter().filter(|(name, _)| host.is_none() || **name != HOST);
        passed.for_each(|(name, value)| give(name.as_str(), value.as_bytes()));
    }
}

/// Head of a request to one peer.
#[derive(Debug)]
pub(super) struct HeadForPeer<'a, H> {
    pub(super) head: &'a H,
    /// Host field for the peer; `None` keeps that of the request.
    pub(super) host: Option<&'a HeaderValue>,
}

impl<H: RequestHead> HeadForPeer<'_, H> {
    pub(super) fn write_headers(&self, give: &mut impl FnMut(&str, &[u8])) {
        self.head.write_headers(self.host, give);
    }

    /// All fields as a map.
    pub(super) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        self.write_headers(&mut |name, value| {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
            {
                map.append(name, value);
            }
        });
        map
    }
}
