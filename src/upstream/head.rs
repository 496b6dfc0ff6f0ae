//! What a request says to an upstream, and how much an upstream may say before a body.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, header::HOST, header::UPGRADE, request::Parts,
    uri::PathAndQuery,
};

/// The longest head of a response, in bytes.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// The head of a request. It is read anew for every try, as each peer may want another Host.
pub trait RequestHead: Sync {
    /// The method.
    fn method(&self) -> &Method;

    /// The target, in origin form.
    fn target(&self) -> &str;

    /// Whether it asks for another protocol.
    fn upgrades(&self) -> bool;

    /// Gives all fields, one after the other: names in lower case, and values that hold no end of a line.
    /// `host` stands in place of Host. Content-Length is an announcement that the body is held against.
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

/// A head for one peer.
#[derive(Debug)]
pub(super) struct HeadForPeer<'a, H> {
    pub(super) head: &'a H,
    /// The Host that the peer sees; none leaves the request's.
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
